"""What ships is what was tested: the wheel holds all resources, and generates, simulates and builds where installed."""

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from installed_wheel import VERSIONS, clean_environment, files_of, install, interpreter, run
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


@pytest.fixture(scope="module", params=VERSIONS)
def installed(request: pytest.FixtureRequest, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment of one of the versions that holds the wheel, its dependencies, and nothing else."""
    python = interpreter(request.param)
    if python is None:
        pytest.skip(f"there is no Python {request.param} on the path or in pyenv")
    folder = tmp_path_factory.mktemp("installed") / request.param
    problem = install(python, request.param, wheel, folder)
    if problem:
        pytest.skip(problem)
    where = subprocess.run(
        [folder / "bin" / "python", "-P", "-c", "import hwconv; print(hwconv.__file__)"],
        env=clean_environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert where.stdout.startswith(str(folder))
    return folder


@pytest.fixture
def layer(tmp_path: Path) -> Path:
    return write_small_layer(tmp_path / "layer.npz")


@pytest.mark.slow
def test_the_installed_wheel_generates_what_the_checkout_generates(
    installed: Path, tmp_path: Path, layer: Path
) -> None:
    # The same bytes on every Python, except where the manifest and a requirement state the versions of what was used.
    api.generate(layer, tmp_path / "from checkout", multipliers=12)
    run(installed, ["generate", str(layer), "-o", "from wheel", "--multipliers", "12"], tmp_path)
    one, other = tmp_path / "from checkout", tmp_path / "from wheel"
    assert list(files_of(one)) == list(files_of(other))
    for name in files_of(one):
        if name.suffix in (".v", ".mem", ".npy", ".core", ".f", ".sdc", ".h", ".py"):
            assert (one / name).read_bytes() == (other / name).read_bytes(), name


@pytest.mark.slow
@pytest.mark.parametrize("simulator", ["verilator", "icarus"])
def test_the_installed_wheel_simulates(installed: Path, tmp_path: Path, layer: Path, simulator: str) -> None:
    if simulator == "icarus" and shutil.which("iverilog") is None:
        pytest.skip("Icarus Verilog is not installed: make setup")
    arguments = ["compare", str(layer), "--simulator", simulator, "--multipliers", "4", "--json"]
    result = json.loads(run(installed, arguments, tmp_path))
    assert result["exact"]
    assert result["latency"] == result["predicted_latency"]


@pytest.mark.eda
def test_the_installed_wheel_builds(installed: Path, tmp_path: Path, layer: Path) -> None:
    arguments = ["build", str(layer), "--target", "lfe5u-12f-6", "--multipliers", "4", "--json"]
    result = json.loads(run(installed, arguments, tmp_path))
    assert Path(result["bitstream"]).stat().st_size > 100_000
    assert result["fmax_mhz"] > 0
