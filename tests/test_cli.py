"""The command line: one line on standard error for whatever is wrong, pure JSON on standard output."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from small_layer import write_small_layer

from hwconv import __version__
from hwconv.cli import main


@pytest.fixture(scope="module")
def layer_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_layer(tmp_path_factory.mktemp("layer") / "small.npz")


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as caught:
        main([str(each) for each in arguments])
    assert isinstance(caught.value.code, int)
    return caught.value.code


def error_line(captured: pytest.CaptureFixture[str]) -> str:
    """Returns the one line on standard error, after checking that it is one and that nothing else was printed."""
    out, err = captured.readouterr()
    assert out == ""
    assert err.endswith("\n")
    assert err.count("\n") == 1
    assert err.startswith("hwconv: error: ")
    assert "Traceback" not in err
    return err


def only_progress(lines: list[str]) -> bool:
    """Whether lines of standard error say nothing but that long work goes on."""
    return all(line.startswith("hwconv: ") and line.endswith(" ...") for line in lines)


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--version") == 0
    assert capsys.readouterr().out == f"hwconv {__version__}\n"


def test_help_names_every_command_and_is_quick() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", "from hwconv.cli import main; main(['--help'])"],
        capture_output=True,
        text=True,
        check=True,
    )
    for command in (
        "inspect",
        "plan",
        "generate",
        "sim",
        "compare",
        "build",
        "bench",
        "factorise",
        "quantise",
        "targets",
        "demo",
        "dropout",
        "pack",
    ):
        assert f"\n  {command} " in done.stdout
    for module in ("numpy", "amaranth", "matplotlib", "cocotb", "onnxruntime"):
        assert f" {module}\n" not in done.stderr, f"--help imports {module}"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["frobnicate"], "frobnicate"),
        (["plan"], "FILE"),
        (["plan", "x.npz", "--multipliers", "0"], "--multipliers"),
        (["plan", "x.npz", "--multipliers", "many"], "--multipliers"),
        (["compare", "x.npz", "--simulator", "spice"], "spice"),
        (["generate", "x.npz"], "--output"),
        (["compare", "x.npz", "y.npz", "--input", "x.npy"], "single FILE"),
        (["sim", "x.npz", "--frames", "1"], "--frames"),
        (["plan", "x.npz", "--clock", "nan"], "--clock"),
        (["build", "x.npz", "--target", "lfe5u-85f-6", "--clock", "inf"], "--clock"),
        (["build", "x.npz", "--target", "lfe5u-85f-6", "--seeds", "1" + "0" * 40], "--seeds"),
        (["bench", "--jobs", "1" + "0" * 40], "--jobs"),
    ],
)
def test_a_wrong_command_line_is_one_line_and_code_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert run(*arguments) == 2
    assert words in error_line(capsys)


@pytest.mark.parametrize("command", ["plan", "compare", "sim"])
@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 cut off", b"\x1c\0\0\0TFL3 cut off", b"\x89PNG\r\n"])
def test_a_file_that_cannot_be_read_is_one_line_and_code_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, content: bytes | None
) -> None:
    path = tmp_path / "layer\nfile.npz"
    if content is not None:
        path.write_bytes(content)
    assert run(command, path) == 1
    assert "layer file.npz: " in error_line(capsys)


def test_a_folder_instead_of_a_file_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("plan", tmp_path) == 1
    assert str(tmp_path) in error_line(capsys)


def test_an_unknown_target_is_one_line_that_lists_those_there_are(
    layer_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("plan", layer_file, "--target", "abacus") == 1
    assert "lfe5u-85f-6" in error_line(capsys)


def test_a_target_that_is_too_small_says_by_how_much(layer_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["plan", layer_file, "--target", "lfe5u-12f-6", "--multipliers", "100"]
    assert run(*asked, "--lut-multipliers", "0") == 1
    assert "28" in error_line(capsys)


def test_multipliers_beyond_those_of_a_target_are_made_of_look_up_tables(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "wide.toml"
    path.write_text(
        "height = 16\nwidth = 16\nin_channels = 16\nout_channels = 64\nkernel = 1\nweights = { seed = 1 }\n"
    )
    asked = ["plan", path, "--target", "lfe5u-12f-6", "--multipliers"]
    assert run(*asked, "40") == 0
    assert re.search(r"28 of 28 multipliers, \d+ more of look-up tables", capsys.readouterr().out)
    assert run(*asked, "192") == 1
    line = error_line(capsys)
    assert "multipliers are made of look-up tables" in line
    assert "12,000" in line


@pytest.mark.parametrize("what", ["text", "shape", "type", "pickle", "missing"])
def test_a_wrong_input_tensor_is_one_line(
    tmp_path: Path, layer_file: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    path = tmp_path / "x.npy"
    match what:
        case "text":
            path.write_text("1 2 3\n")
        case "shape":
            np.save(path, np.zeros((5, 4, 2), np.int8))
        case "type":
            np.save(path, np.zeros((5, 4, 3), np.float32))
        case "pickle":
            np.save(path, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    assert run("compare", layer_file, "--input", path) == 1
    line = error_line(capsys)
    assert {"shape": "(5, 4, 3)", "type": "int8"}.get(what, "x.npy") in line


def test_expected_outputs_that_differ_are_an_error_with_their_place(
    tmp_path: Path, layer_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from hwconv import golden
    from hwconv.frontend import load

    loaded = load(layer_file)
    assert loaded.input is not None
    wrong = golden.run(loaded.layer, loaded.input).copy()
    wrong[0, 2, 3, 1] ^= 1
    np.save(tmp_path / "y.npy", wrong)
    assert run("compare", layer_file, "--expected", tmp_path / "y.npy", "--simulator", "icarus", "--json") == 1
    out, err = capsys.readouterr()
    result = json.loads(out)
    assert result["mismatches"] == 1
    assert not result["exact"]
    assert "pixel (y=2, x=3), channel 1" in err.splitlines()[-1]
    assert only_progress(err.splitlines()[:-1])


def test_compare_prints_pure_json(layer_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("compare", layer_file, "--simulator", "icarus", "--multipliers", 4, "--json") == 0
    out, err = capsys.readouterr()
    result = json.loads(out)
    assert out == json.dumps(result, indent=2, sort_keys=True) + "\n"
    assert only_progress(err.splitlines())
    assert result["outputs"] == 4 * 5 * 4 * 4
    assert result["mismatches"] == 0
    assert result["macs"] == 5 * 4 * 4 * 9 * 3
    assert result["latency"] == result["predicted_latency"]
    assert result["interval"] == result["predicted_interval"]
    assert 1 <= result["multipliers"] <= 4
    assert result["requantisers"] >= 1
    assert result["utilisation"] == pytest.approx(result["macs"] / (result["interval"] * result["multipliers"]))


def test_compare_of_several_files_is_a_list(layer_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("compare", layer_file, layer_file, "--simulator", "icarus", "--frames", 1, "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert [each["layer"] for each in result["results"]] == ["small", "small"]
    assert result["results"][0]["interval"] is None


@pytest.mark.parametrize("command", ["plan", "sim"])
def test_reports_are_pure_json(layer_file: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    options = ["--simulator", "icarus"] if command == "sim" else []
    assert run(command, layer_file, *options, "--json") == 0
    out, err = capsys.readouterr()
    assert out == json.dumps(json.loads(out), indent=2, sort_keys=True) + "\n"
    assert only_progress(err.splitlines())


def test_a_command_leaves_signals_as_they_were(capsys: pytest.CaptureFixture[str]) -> None:
    before = signal.getsignal(signal.SIGTERM)
    assert run("targets") == 0
    assert signal.getsignal(signal.SIGTERM) is before


def test_targets_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("targets", "--json") == 0
    names = [each["name"] for each in json.loads(capsys.readouterr().out)["targets"]]
    assert "lfe5u-85f-6" in names
    assert run("targets") == 0
    assert "lfe5u-85f-6" in capsys.readouterr().out


def test_generate_refuses_a_folder_with_something_in_it(
    tmp_path: Path, layer_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    assert run("generate", layer_file, "-o", tmp_path) == 1
    assert "--force" in error_line(capsys)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_generate_of_bad_input_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("generate", tmp_path / "no.npz", "-o", tmp_path / "engine") == 1
    error_line(capsys)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt(), 130), (ZeroDivisionError("a\nb"), 1)])
def test_whatever_happens_there_is_no_traceback(
    layer_file: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    code: int,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("hwconv.api.plan", fail)
    assert run("plan", layer_file) == code
    error_line(capsys)


def test_a_reader_that_has_seen_enough_is_no_error(layer_file: Path) -> None:
    code = "import sys; sys.path.insert(0, '.'); from hwconv.cli import main; main(['targets'])"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
