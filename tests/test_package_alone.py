"""A generated folder depends on nothing that is not in it, and on nothing of the place and moment it was made in."""

import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from small_layer import write_small_layer
from tflite_builder import Tensor, build_layer

from hwconv import api
from hwconv.frontend import save_layer
from hwconv.layer import Layer, LayerParameters
from hwconv.spec import ConvSpec

ROOT = Path(__file__).resolve().parent.parent
MAIN = "from hwconv.cli import main; main()"
needs_icarus = pytest.mark.skipif(
    shutil.which("iverilog") is None, reason="Icarus Verilog is not installed: make setup"
)


@pytest.fixture(scope="module")
def layers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a dense layer, a depthwise one, and a model of one layer."""
    folder = tmp_path_factory.mktemp("layers")
    random = np.random.default_rng(3)
    write_small_layer(folder / "dense.npz", "dense")
    spec = ConvSpec(name="depthwise", height=5, width=4, in_channels=4, out_channels=4, groups=4, kernel=(3, 3))
    weights = random.integers(-128, 128, spec.weight_shape).astype(np.int8)
    constants = {"multiplier": np.int32(1 << 30), "shift": np.int32(-7)}
    save_layer(folder / "depthwise.npz", Layer(spec, LayerParameters(weights=weights, **constants)))
    kernel = Tensor((4, 3, 3, 2), scales=[0.25], data=random.integers(-127, 128, 72))
    x, y = Tensor((1, 6, 5, 2), scales=[0.5], zero_points=[-3]), Tensor((1, 4, 3, 4), scales=[2.0])
    (folder / "model.tflite").write_bytes(build_layer("CONV_2D", x, kernel, y))
    return folder


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory, layers: Path) -> Path:
    folder = tmp_path_factory.mktemp("package") / "engine"
    api.generate(layers / "dense.npz", folder, multipliers=12)
    return folder


@pytest.fixture
def alone(tmp_path: Path, package: Path) -> Path:
    """A copy of the package elsewhere."""
    return Path(shutil.copytree(package, tmp_path / "somewhere else"))


def without_hwconv(tmp_path: Path) -> dict[str, str]:
    """An environment in which importing hwconv is an error, and the user's folders are empty ones."""
    (tmp_path / "forbidden").mkdir()
    (tmp_path / "forbidden" / "hwconv.py").write_text("raise ImportError('a package works without hwconv')\n")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "PYTEST", "HWCONV"))}
    environment = {
        **kept,
        "PYTHONPATH": str(tmp_path / "forbidden"),
        "HOME": str(tmp_path),
        "XDG_CACHE_HOME": str(tmp_path),
    }
    tried = run([sys.executable, "-c", "import hwconv"], tmp_path, environment)
    assert tried.returncode != 0
    return environment


def run(command: list[str], folder: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def spoil_an_image(package: Path) -> None:
    """Changes one bit of the first table of a requantiser."""
    path = sorted((package / "rtl").glob("*table*.mem"))[0]
    words = path.read_text().split()
    words[0] = f"{int(words[0], 16) ^ 1:0{len(words[0])}x}"
    path.write_text("\n".join(words) + "\n")


@needs_icarus
@pytest.mark.parametrize("target", ["sim-verilog", "sim"])
def test_make_simulates_from_another_folder_without_hwconv(tmp_path: Path, alone: Path, target: str) -> None:
    environment = without_hwconv(tmp_path)
    command = ["make", "-C", str(alone), target, f"PYTHON={sys.executable}"]
    done = run(command, Path("/"), environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"status=pass$|^\d+ tests, 0 failed$", done.stdout, re.MULTILINE)
    spoil_an_image(alone)
    assert run(command, Path("/"), environment).returncode != 0


@pytest.mark.slow
def test_make_simulates_under_verilator_without_hwconv(tmp_path: Path, alone: Path) -> None:
    environment = without_hwconv(tmp_path)
    command = ["make", "sim", "SIM=verilator", f"PYTHON={sys.executable}"]
    done = run(command, alone, environment)
    assert "takes no spaces" in done.stderr
    assert "Traceback" not in done.stderr
    alone = alone.rename(tmp_path / "somewhere_else")
    done = run(command, alone, environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^\d+ tests, 0 failed$", done.stdout, re.MULTILINE)


@needs_icarus
def test_fusesoc_runs_the_core_and_sees_what_the_bench_says(tmp_path: Path, alone: Path) -> None:
    pytest.importorskip("fusesoc", reason="FuseSoC is not installed: make setup")
    environment = without_hwconv(tmp_path)
    code = "from fusesoc.main import main; main()"
    command = [sys.executable, "-c", code, "--cores-root", ".", "run", "--target", "sim", "::dense:0"]
    done = run(command, alone, environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"^HWCONV done .*mismatches=0 .*status=pass$", done.stdout, re.MULTILINE)
    assert "deprecated" not in done.stdout + done.stderr
    shutil.rmtree(alone / "build")
    spoil_an_image(alone)
    done = run(command, alone, environment)
    assert done.returncode != 0
    assert re.search(r"^HWCONV done .*status=fail$", done.stdout, re.MULTILINE)


def keep_compiled_tools(cache: Path) -> None:
    """Shares the one thing in a user's cache that takes long to make anew: Yosys, compiled from WebAssembly."""
    compiled = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wasmtime"
    cache.mkdir(parents=True)
    if compiled.is_dir():
        (cache / "wasmtime").symlink_to(compiled)


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Mode and bytes of every file by name."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): (path.stat().st_mode, path.read_bytes()) for path in files}


def test_neither_place_nor_moment_nor_settings_change_a_byte(tmp_path: Path, layers: Path) -> None:
    made = []
    for number, (locale, zone) in enumerate((("C", "UTC"), ("de_DE.UTF-8", "Asia/Kathmandu"))):
        place = tmp_path / f"user {number}" / "work"
        copied = Path(shutil.copytree(layers, place / ("in" * (number + 1))))
        for path in copied.iterdir():
            os.utime(path, (1e9 * (number + 1), 1e9 * (number + 1)))
        home = str(place.parent)
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": str(number + 1), "HOME": home}
        keep_compiled_tools(Path(home) / "cache")
        environment |= {"USER": f"user{number}", "LC_ALL": locale, "LANG": locale, "TZ": zone}
        environment |= {"XDG_CACHE_HOME": f"{home}/cache", "HWCONV_CACHE": f"{home}/cache", "COLUMNS": str(40 + number)}
        code = "from hwconv import api\n"
        for path in sorted(copied.iterdir()):
            code += f"api.generate({str(path)!r}, 'out/{path.stem}', multipliers=12, family='ecp5')\n"
        done = run([sys.executable, "-c", code], place, environment)
        assert done.returncode == 0, done.stderr
        made.append(contents(place / "out"))
    assert len({name.partition("/")[0] for name in made[0]}) == 3
    assert made[0] == made[1]


HALF = f"""
import time
from pathlib import Path
write, count = Path.write_bytes, [0]
def write_slowly(path, content):
    count[0] += 1
    if count[0] == 9:
        print("half", flush=True)
        time.sleep(100)
    return write(path, content)
Path.write_bytes = write_slowly
{MAIN}
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_an_interrupted_run_leaves_what_was_there(tmp_path: Path, package: Path, number: int, code: int) -> None:
    shutil.copytree(package, tmp_path / "out" / "engine")
    before = contents(tmp_path / "out" / "engine")
    write_small_layer(tmp_path / "layer.npz", "other")
    arguments = ["generate", "layer.npz", "-o", "out/engine", "--force", "--multipliers", "4"]
    command = [sys.executable, "-c", HALF, *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command,
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "half\n"
        process.send_signal(number)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in errors
    assert contents(tmp_path / "out" / "engine") == before
    left = [path.name for path in (tmp_path / "out").iterdir() if path.name != "engine"]
    if number == signal.SIGKILL:  # nothing can tidy up after that, but it is hidden and in nobody's way
        assert all(name.startswith(".engine-") for name in left)
    else:
        assert left == []


def test_a_full_disk_leaves_nothing(tmp_path: Path, layers: Path) -> None:
    # The kernel refuses a file that grows above the limit, as it refuses one on a full disk: in the middle of writing.
    arguments = ["generate", str(layers / "dense.npz"), "-o", "deep/down/engine", "--multipliers", "12"]
    done = subprocess.run(
        [sys.executable, "-c", MAIN, *arguments],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000)),
    )  # fmt: skip
    assert done.returncode == 1
    assert "File too large" in done.stderr.splitlines()[-1]
    assert done.stderr.splitlines()[-1].startswith("hwconv: error: ")
    assert list(tmp_path.iterdir()) == []


def test_a_link_to_a_folder_stays_a_link(tmp_path: Path, layers: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    api.generate(layers / "dense.npz", tmp_path / "link", multipliers=12)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "manifest.json").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link", "real"]
