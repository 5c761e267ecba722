"""The folder that `generate` writes: it works alone, says the truth about itself, and is the same every time."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from small_layer import write_small_layer

from hwconv import __version__, api, golden
from hwconv.errors import HwconvError
from hwconv.frontend import load

FAMILIES = ("generic", "ecp5")

pytestmark = pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not installed: make setup")


@pytest.fixture(scope="module")
def layer_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_layer(tmp_path_factory.mktemp("layer") / "small.npz")


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory, layer_file: Path) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("packages")
    for family in FAMILIES:
        api.generate(layer_file, folder / family, multipliers=12, family=family)
    return {family: folder / family for family in FAMILIES}


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "PYTEST"))}
    return subprocess.run(
        ["make", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def package(request: pytest.FixtureRequest, tmp_path: Path, packages: dict[str, Path]) -> Path:
    """A copy of a package, far from where it was written."""
    return Path(shutil.copytree(packages[request.param], tmp_path / "elsewhere"))


@pytest.mark.parametrize("package", FAMILIES, indirect=True)
def test_the_plain_verilog_bench_passes_in_the_folder_alone(package: Path) -> None:
    done = make(package, "sim-verilog")
    assert done.returncode == 0, done.stderr
    assert re.search(r"^HWCONV done .*mismatches=0 .*status=pass$", done.stdout, re.MULTILINE)


@pytest.mark.parametrize("package", FAMILIES[:1], indirect=True)
def test_the_plain_verilog_bench_fails_on_one_wrong_bit(package: Path) -> None:
    path = package / "sim" / "expected.mem"
    words = path.read_text().split()
    words[5] = f"{int(words[5], 16) ^ 1:0{len(words[5])}x}"
    path.write_text("\n".join(words) + "\n")
    done = make(package, "sim-verilog")
    assert done.returncode != 0
    assert "mismatches=1 " in done.stdout


@pytest.mark.parametrize("package", FAMILIES[:1], indirect=True)
def test_the_cocotb_bench_passes_in_the_folder_alone(package: Path) -> None:
    done = make(package, "sim", f"PYTHON={sys.executable}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^\d+ tests, 0 failed$", done.stdout, re.MULTILINE)


@pytest.mark.parametrize("package", FAMILIES, indirect=True)
def test_the_file_list_is_what_synthesis_needs(package: Path) -> None:
    name = json.loads((package / "manifest.json").read_text())["top"]
    # Without the models the primitives are missing, as in any project before its vendor's library is added.
    models = sorted(str(path.relative_to(package)) for path in (package / "sim").glob("*models.v"))
    command = ["iverilog", "-g2005", "-t", "null", "-s", name, "-f", f"{name}.f", *models]
    done = subprocess.run(command, cwd=package, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("gcc") is None, reason="no C compiler")
@pytest.mark.parametrize("package", FAMILIES[:1], indirect=True)
def test_the_header_compiles_and_says_the_shapes(package: Path) -> None:
    (package / "main.c").write_text(
        '#include "include/conv_small.h"\n#include <stdio.h>\n'
        'int main(void) { printf("%d %d %d %d %s", CONV_SMALL_INPUT_BYTES, CONV_SMALL_INPUT_ZERO_POINT, '
        "CONV_SMALL_OUTPUT_CHANNELS, CONV_SMALL_ACTIVATION_MIN, CONV_SMALL_REQUANTISATION); return 0; }\n"
    )
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic"]
    subprocess.run(["gcc", *flags, "main.c", "-o", "main"], cwd=package, check=True)
    done = subprocess.run([package / "main"], capture_output=True, text=True, check=True)
    assert done.stdout == f"{5 * 4 * 3} 3 4 -128 tflite"


@pytest.mark.parametrize("package", FAMILIES, indirect=True)
def test_the_manifest_knows_every_file(package: Path) -> None:
    manifest = json.loads((package / "manifest.json").read_text())
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in contents(package).items()}
    del hashes["manifest.json"]
    assert manifest["files"] == hashes
    assert manifest["versions"]["hwconv"] == __version__
    assert manifest["spec"]["kernel"] == [3, 3]
    assert manifest["plan"]["latency"] > 0
    for name in manifest["files"]:
        assert f"`{name}`" in (package / "README.md").read_text() or name == "README.md"


def test_the_tensors_are_those_of_the_golden_model(packages: dict[str, Path], layer_file: Path) -> None:
    sent = np.load(packages["generic"] / "sim" / "input.npy")
    right = np.load(packages["generic"] / "sim" / "expected.npy")
    loaded = load(layer_file)
    assert loaded.input is not None
    assert np.array_equal(sent[:1], loaded.input)
    assert np.array_equal(right, golden.run(loaded.layer, sent, fast=False))


def test_two_runs_in_two_folders_give_the_same_bytes(
    tmp_path: Path, packages: dict[str, Path], layer_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = Path(shutil.copy(layer_file, tmp_path / "copied.npz"))
    monkeypatch.chdir(tmp_path)
    api.generate(copied, "a folder", multipliers=12)
    assert contents(tmp_path / "a folder") == contents(packages["generic"])


def test_nothing_in_a_package_says_where_or_when_it_was_made(packages: dict[str, Path], layer_file: Path) -> None:
    for name, content in contents(packages["ecp5"]).items():
        for word in (
            str(packages["ecp5"].parent),
            str(layer_file.parent),
            str(Path.home()),
            str(Path(__file__).parent),
        ):
            assert word.encode() not in content, name
        assert not re.search(rb"20\d\d-\d\d-\d\d", content), name


def test_another_name_gives_an_engine_for_the_same_project(tmp_path: Path, layer_file: Path) -> None:
    result = api.generate(layer_file, tmp_path / "first", multipliers=12, name="First")
    assert result.top == "first"
    texts = "".join(path.read_text() for path in (tmp_path / "first" / "rtl").glob("first*.v"))
    modules = re.findall(r"^module (\w+)", texts, re.MULTILINE)
    assert len(modules) > 5
    assert all(name.startswith("first") for name in modules)


def test_a_failure_in_the_middle_leaves_nothing(
    tmp_path: Path, layer_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Path] = []
    write = Path.write_bytes

    def write_some(path: Path, content: bytes) -> int:
        if len(written) == 7:
            raise OSError(28, "No space left on device", str(path))
        written.append(path)
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", write_some)
    with pytest.raises(OSError, match="No space"):
        api.generate(layer_file, tmp_path / "engine", multipliers=12)
    assert len(written) == 7
    assert list(tmp_path.iterdir()) == []


def test_force_replaces_a_folder_as_a_whole(tmp_path: Path, layer_file: Path) -> None:
    folder = tmp_path / "engine"
    folder.mkdir()
    (folder / "old.v").write_text("module old; endmodule\n")
    with pytest.raises(HwconvError, match="not empty"):
        api.generate(layer_file, folder, multipliers=12)
    assert [path.name for path in folder.iterdir()] == ["old.v"]
    api.generate(layer_file, folder, multipliers=12, force=True)
    assert not (folder / "old.v").exists()
    assert (folder / "manifest.json").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["engine"]
