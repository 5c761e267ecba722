"""What ships is what was tested: the wheel holds all resources, and generates and simulates where it is installed."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from small_layer import write_small_layer

from hwconv import api

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("rtl", "sim", "templates")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (path,) = folder.glob("hwconv-*.whl")
    return path


def tracked(folder: str) -> set[str]:
    done = subprocess.run(["git", "ls-files", folder], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_wheel_holds_every_resource(wheel: Path) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: what belongs to the project is not known")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    for folder in FOLDERS:
        assert {f"hwconv/_resources/{name}" for name in tracked(folder)} <= names
    assert {name for name in tracked("hwconv") if not name.endswith("/.gitignore")} <= names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert any(name.endswith("licenses/NOTICE") for name in names)


def test_the_wheel_names_no_path_of_this_machine(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            assert str(ROOT).encode() not in archive.read(name), name


@pytest.mark.slow
def test_the_installed_wheel_generates_and_simulates(wheel: Path, tmp_path: Path) -> None:
    # The dependencies are those of this environment; hwconv itself comes from the wheel alone.
    installed = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(installed)
    layer = write_small_layer(tmp_path / "layer.npz")
    api.generate(layer, tmp_path / "from checkout", multipliers=12)

    environment = {**os.environ, "PYTHONPATH": str(installed)}
    run = [sys.executable, "-P", "-c", "from hwconv.cli import main; main()"]
    where = [sys.executable, "-P", "-c", "import hwconv; print(hwconv.__file__)"]
    done = subprocess.run(where, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.startswith(str(installed))

    arguments = ["generate", str(layer), "-o", "from wheel", "--multipliers", "12"]
    subprocess.run([*run, *arguments], env=environment, cwd=tmp_path, check=True)
    for path in (tmp_path / "from checkout").rglob("*"):
        if path.is_file():
            other = tmp_path / "from wheel" / path.relative_to(tmp_path / "from checkout")
            assert other.read_bytes() == path.read_bytes(), path.name
    simulators = ["verilator"] + (["icarus"] if shutil.which("iverilog") else [])
    for simulator in simulators:
        arguments = ["compare", str(layer), "--simulator", simulator, "--json"]
        done = subprocess.run(
            [*run, *arguments], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
        )
        assert json.loads(done.stdout)["exact"]
