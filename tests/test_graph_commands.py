"""The commands on a graph's description: what they print, what they write, and what they refuse."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from test_cli import error_line, run
from test_graph_engines import write_example

from hwconv import api
from hwconv.graph import Graph


@pytest.fixture
def factorised(tmp_path: Path) -> Path:
    return write_example("factorised", tmp_path)


def test_plan_prints_what_a_separable_layer_saves(tmp_path, capsys):
    assert run("plan", write_example("separable", tmp_path)) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "100x100x16 int8 -> 98x98x32 int8, 656 weights, 6,300,224 MACs" in text
    assert "656 weights against 4,608, 6,300,224 MACs against 44,255,232 of a dense layer" in text


def test_plan_prints_engines_queues_and_cycles_as_json(tmp_path, capsys):
    assert run("plan", write_example("pyramid", tmp_path), "--json", "--multipliers", 40) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["multipliers"] <= 40
    assert plan["output"] == [12, 11, 8]
    assert [node["node"] for node in plan["nodes"]] == ["near", "far", "farther", "itself", "pyramid", "projected"]
    assert {each["reader"] for each in plan["queues"]} >= {"near", "far", "farther", "itself"}
    assert plan["interval"] == max(node["interval"] for node in plan["nodes"] if "interval" in node)


def test_compare_is_exact_and_as_predicted(factorised, capsys):
    assert run("compare", factorised, "--simulator", "icarus", "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert result["exact"]
    assert result["as_predicted"]
    assert result["outputs"] == 4 * 10 * 12 * 4


def test_known_outputs_are_compared(factorised, capsys):
    frame = np.zeros((1, 10, 12, 4), np.int8)
    np.save(factorised.parent / "x.npy", frame)
    np.save(factorised.parent / "y.npy", frame + 1)  # a convolution of zeros without bias is zero
    factorised.write_text('input = "x.npy"\nexpected = "y.npy"\n' + factorised.read_text())
    assert run("compare", factorised, "--simulator", "icarus") == 1
    out, err = capsys.readouterr()
    assert "480 mismatches" in out
    assert "the golden model differs from the known outputs" in err


def test_a_package_simulates_on_its_own_and_says_what_it_is(factorised, tmp_path, capsys):
    folder = tmp_path / "package"
    assert run("generate", factorised, "-o", folder, "--name", "pair") == 0
    capsys.readouterr()
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["top"] == "pair"
    graph = Graph.from_dict(manifest["spec"])
    assert [node.name for node in graph.nodes] == ["row", "column"]
    header = (folder / "include" / "pair.h").read_text()
    assert "#define PAIR_OUTPUT_BYTES 480" in header
    assert "row = 1x7 convolution" in (folder / "README.md").read_text()
    done = subprocess.run(["make", "sim-verilog"], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "mismatches=0" in done.stdout


@pytest.mark.parametrize(
    "command",
    [
        ("plan", "--target", "ulx3s-85f"),
        ("plan", "--layer", 0),
        ("generate", "-o", "never", "--layer", 0),
        ("compare", "--algorithm", "winograd2"),
        ("compare", "--capture", "y.npy"),
        ("sim", "--layer", 1),
    ],
)
def test_what_goes_with_one_layer_only_is_refused(command, factorised, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    name, *options = command
    assert run(name, factorised, *options) in (1, 2)
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("hwconv: error: ")
    assert not (tmp_path / "never").exists()


def test_commands_for_one_layer_refuse_a_graph(factorised, capsys):
    assert run("factorise", factorised, "-o", factorised.parent / "out.npz", "--rank", 1) == 1
    assert "docs/graphs.md" in error_line(capsys)
    assert api.is_graph(factorised)
    assert not api.is_graph(factorised.parent / "out.npz")
