"""Packages, descriptions and the command of dropout and statistics blocks."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from checked_blocks import PAUSES, block, block_design
from test_power_up import unknown

from hwconv.blocks import block_from_dict, generate_block, load_block, simulate_block
from hwconv.cli import main
from hwconv.dropout import inverse_scale, pass_seed
from hwconv.errors import FormatError, HwconvError, SpecError
from hwconv.simulation import LateLast, build, explain, run, run_cocotb

DESCRIPTION = """
kind = "mc_dropout"
name = "head"
height = 1
width = 2
channels = 5
zero_point = -7
passes = 3
probability = 0.3
"""
icarus = pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog is not installed: make setup")


def command(*arguments: object) -> int:
    with pytest.raises(SystemExit) as caught:
        main([str(each) for each in arguments])
    assert isinstance(caught.value.code, int)
    return caught.value.code


@pytest.fixture
def description(tmp_path: Path) -> Path:
    path = tmp_path / "head.toml"
    path.write_text(DESCRIPTION)
    return path


@icarus
@pytest.mark.parametrize("family", ["generic", "ecp5"])
@pytest.mark.parametrize("name", ["dropout_3", "variance", "mc_dropout"])
def test_a_package_passes_its_plain_verilog_bench_alone(name, family, tmp_path):
    result = generate_block(block(name), tmp_path / "package", family=family)
    done = subprocess.run(["make", "sim-verilog"], cwd=result.directory, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^HWCONV done .*mismatches=0 .*status=pass$", done.stdout, re.MULTILINE)


def test_a_package_is_the_same_every_time_and_says_what_it_is(tmp_path):
    for folder in ("one", "two"):
        generate_block(block("mc_dropout"), tmp_path / folder)
    files = [
        {str(path.relative_to(tmp_path / folder)): path.read_bytes() for path in (tmp_path / folder).rglob("*.*")}
        for folder in ("one", "two")
    ]
    assert files[0] == files[1]
    manifest = json.loads(files[0]["manifest.json"])
    assert manifest["spec"]["blocks"][1]["passes"] == 3
    assert manifest["plan"]["latency"] == block("mc_dropout").plan.cycles.latency
    with pytest.raises(HwconvError, match="not empty"):
        generate_block(block("mc_dropout"), tmp_path / "one")


@pytest.mark.skipif(shutil.which("gcc") is None, reason="a C compiler is not installed")
def test_the_header_s_functions_are_those_of_the_model(tmp_path):
    package = generate_block(block("dropout_3"), tmp_path / "package")
    top = package.top
    (tmp_path / "main.c").write_text(f"""
#include <stdio.h>
#include "{top}.h"
int main(void) {{
    for (uint32_t threshold = 0; threshold < 65536u; threshold++) {{
        uint32_t multiplier, shift;
        {top}_inverse_scale(threshold, &multiplier, &shift);
        printf("%u %u %u\\n", multiplier, shift, {top}_pass_seed(4000000000u, threshold));
    }}
    return 0;
}}
""")
    program = tmp_path / "program"
    options = ["-std=c99", "-Wall", "-Wextra", "-Werror", f"-I{package.directory / 'include'}"]
    subprocess.run(["gcc", *options, str(tmp_path / "main.c"), "-o", str(program)], check=True)
    lines = subprocess.run([str(program)], capture_output=True, text=True, check=True).stdout.splitlines()
    assert len(lines) == 1 << 16
    for threshold, line in enumerate(lines):
        assert line == "{} {} {}".format(*inverse_scale(threshold), pass_seed(4_000_000_000, threshold))


@icarus
@pytest.mark.parametrize("name", ["dropout_3", "mc_dropout"])
def test_the_cocotb_bench_knows_tuser_and_passes(name):
    feed, target, _ = block(name).send(block(name).frames(2, seed=1))
    cycles = block(name).plan.cycles
    only = "frames_back_to_back|tlast|wrong_tkeep|no_input_reaches"
    bench = run_cocotb(
        block_design(name), feed, target.frames, latency=cycles.latency, interval=cycles.interval, only=only
    )
    assert bench.passed, bench.failures
    assert len(bench.tests) >= 9


@icarus
@pytest.mark.parametrize("name", ["dropout_4", "variance"])
def test_a_block_needs_no_reset_and_one_cycle_of_it_is_enough_for_unknown_registers(name):
    frames = block(name).frames(3, seed=9)
    for cycles, design in ((0, block_design(name)), (1, unknown(block_design(name)))):
        binary = build(design, "icarus")
        for stalls in PAUSES:
            feed, target, errors = block(name).send(frames, {1: LateLast(extra=2)})
            result = run(binary, feed, target, stalls=stalls, frame_errors=errors, power_up_reset=cycles)
            assert result.passed, explain(result)


@icarus
def test_the_hard_runs_pass():
    runs = simulate_block(block("mc_dropout"), simulator="icarus", seed=3)
    assert runs.passed, runs.describe()
    assert len(runs.trials) == 11


@icarus
def test_the_command_plans_writes_and_compares(description, tmp_path, capsys):
    code = command("dropout", description, "-o", tmp_path / "out", "--compare", "--simulator", "icarus", "--json")
    assert code == 0
    said = json.loads(capsys.readouterr().out)
    assert said["comparison"]["exact"]
    assert said["comparison"]["mismatches"] == 0
    for what in ("latency", "interval"):
        assert said["comparison"][what] == said["comparison"][f"predicted_{what}"] == said["plan"][what]
    assert (tmp_path / "out" / "rtl" / "head.v").exists()
    assert command("dropout", description) == 0
    assert "head: latency" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"kind": "dropconnect"}, "kind"),
        ({"kind": None}, "kind"),
        ({"rate": 0.5}, "key"),
        ({"beat_bytes": 0}, "beat_bytes"),
        ({"beat_bytes": 4.0}, "beat_bytes"),
        ({"probability": 1}, "probability"),
        ({"probability": "often"}, "probability"),
        ({"probability": True}, "probability"),
        ({"seed": 1 << 32}, "seed"),
        ({"passes": 364}, "passes"),
        ({"height": 0}, "height"),
        ({"stream": -1}, "stream"),
        ({"zero_point": 200}, "zero_point"),
    ],
)
def test_a_description_that_says_something_else_is_refused_by_name(change, named):
    values = {"kind": "mc_dropout", "height": 1, "width": 1, "channels": 4, "passes": 2, **change}
    with pytest.raises(SpecError, match=named):
        block_from_dict(values)


def test_files_that_are_no_description_are_refused_by_name(tmp_path, capsys):
    for index, content in enumerate((b"kind = ", b"\xff\xfe", b"kind = 'dropout'\nkind = 'dropout'")):
        path = tmp_path / f"{index}.toml"
        path.write_bytes(content)
        with pytest.raises(FormatError, match="TOML"):
            load_block(path)
        assert command("dropout", path) == 1
        error = capsys.readouterr().err
        assert error.startswith("hwconv: error: ")
        assert error.count("\n") == 1
    with pytest.raises(FormatError):
        load_block(tmp_path / "missing.toml")
    assert np.array_equal(load_block(write(tmp_path)).frames(1, 1)[0], load_block(write(tmp_path)).frames(1, 1)[2])


def write(folder: Path) -> Path:
    path = folder / "good.toml"
    path.write_text(DESCRIPTION)
    return path
