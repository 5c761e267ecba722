"""The benchmarks' bookkeeping: what is measured is exact, keyed by its Verilog, and a stale figure shows."""

import json
from pathlib import Path
from typing import Any

import pytest

from hwconv.bench import networks, page, record, routing, run, variants
from hwconv.bench.goals import CLOCK_MHZ, LUTS_PER_MAC, UTILISATION, Goal
from hwconv.bench.layers import SPECS, bench_layer
from hwconv.cli import main
from hwconv.errors import FormatError, HwconvError
from hwconv.flow import BuildResult, CriticalPath, SeedResult

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


@pytest.fixture(scope="module")
def measured() -> dict[str, Any]:
    """A small engine of the table, really simulated."""
    [(_, row)] = list(run.measure([("fc", 4)]))
    return row


def command(*arguments: object) -> int:
    with pytest.raises(SystemExit) as caught:
        main([str(each) for each in arguments])
    assert isinstance(caught.value.code, int)
    return caught.value.code


def test_a_measured_engine_is_exact_and_as_fast_as_predicted(measured: dict[str, Any]) -> None:
    assert run.problems(measured) == []
    assert measured["outputs"] == run.FRAMES * 128
    assert measured["mismatches"] == 0
    assert measured["latency"] == measured["predicted_latency"]
    assert measured["interval"] == measured["predicted_interval"]
    assert measured["utilisation"] == pytest.approx(128 * 640 / (measured["interval"] * measured["multipliers"]))
    assert measured["macs"] + sum(measured["losses"].values()) == measured["interval"] * 4


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mismatches": 3, "passed": False}, "3 mismatches"),
        ({"outputs": 0}, "0 outputs"),
        ({"latency": 7}, "latency is 7"),
        ({"interval": None}, "interval is None"),
    ],
)
def test_a_wrong_measurement_has_a_problem(measured: dict[str, Any], change: dict[str, Any], words: str) -> None:
    [problem] = run.problems(measured | change)
    assert words in problem
    assert "fc at 4 multipliers" in problem


def test_other_weights_and_other_verilog_have_another_hash() -> None:
    engine = run.generate("fc", 16)
    name = f"{engine.plan.top_name}.v"
    assert run.rtl_hash(engine.files) == engine.rtl
    assert run.rtl_hash(engine.files | {name: "// a comment\n" + engine.files[name]}) == engine.rtl
    assert run.rtl_hash(engine.files | {name: engine.files[name].replace("endmodule", "wire x;\nendmodule", 1)}) != (
        engine.rtl
    )


def test_rows_replace_those_of_their_engine_and_stay_in_order(tmp_path: Path, measured: dict[str, Any]) -> None:
    record.save_rows(tmp_path, record.UTILISATION, [measured | {"layer": "3x3", "multipliers_asked": 144}, measured])
    first = (tmp_path / record.UTILISATION).read_bytes()
    record.save_rows(tmp_path, record.UTILISATION, [measured])
    assert (tmp_path / record.UTILISATION).read_bytes() == first
    record.save_rows(tmp_path, record.UTILISATION, [measured | {"layer": "3x3"}, measured | {"rtl": "0" * 64}])
    rows = record.load_rows(tmp_path, record.UTILISATION)
    assert [(row["layer"], row["multipliers_asked"]) for row in rows] == [("3x3", 4), ("fc", 4), ("3x3", 144)]
    assert rows[1]["rtl"] == "0" * 64
    assert [path.name for path in tmp_path.iterdir()] == [record.UTILISATION]


NONE_OF_OURS = (
    "",
    "[]",
    "{}",
    '{"rows": [{}]}',
    '{"rows": 3}',
    "\x00",
    '{"rows": ["layer multipliers_asked rtl"]}',
    "[" * 99_999,
)


@pytest.mark.parametrize("text", NONE_OF_OURS, ids=range(len(NONE_OF_OURS)))
def test_a_file_that_is_none_of_ours_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / record.UTILISATION).write_text(text)
    with pytest.raises(FormatError, match="not a file of measurements"):
        record.load_rows(tmp_path, record.UTILISATION)


@pytest.mark.parametrize("field", ["losses", "macs", "predicted_interval", "utilisation"])
@pytest.mark.parametrize("value", [None, "7", float("nan"), -1])
def test_a_row_with_a_wrong_field_is_refused(
    tmp_path: Path, measured: dict[str, Any], field: str, value: object
) -> None:
    record.save(tmp_path / record.UTILISATION, {"rows": [measured | {field: value}]})
    with pytest.raises(FormatError, match="not a file of measurements"):
        page.render(tmp_path)


@pytest.mark.parametrize("text", ["[]", '{"generation": []}', '{"simulation": {}, "generation": [{}], "machine": {}}'])
def test_a_file_of_speeds_that_is_none_of_ours_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / record.SPEED).write_text(text)
    with pytest.raises(FormatError, match="not a file of measurements"):
        page.render(tmp_path)


def test_a_stale_row_shows_when_listed(
    tmp_path: Path, measured: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("bench", "--no-simulation", "--layers", "fc", "--multipliers", "4", "--output", tmp_path)
    assert command(*options) == 0
    assert "not measured" in capsys.readouterr().out
    record.save_rows(tmp_path, record.UTILISATION, [measured])
    assert command(*options) == 0
    assert "current" in capsys.readouterr().out
    record.save_rows(tmp_path, record.UTILISATION, [measured | {"rtl": "0" * 64}])
    assert command(*options, "--json") == 0
    [row] = json.loads(capsys.readouterr().out)["rows"]
    assert row["state"] == "stale"
    assert row["rtl"] == measured["rtl"]


def test_the_command_measures_writes_and_prints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command("bench", "--layers", "fc", "--multipliers", "4", "--output", tmp_path, "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert [row["layer"] for row in result["rows"]] == ["fc"]
    assert record.load_rows(tmp_path, record.UTILISATION) == result["rows"]
    text = (tmp_path / record.PAGE).read_text()
    assert text == page.render(tmp_path)
    assert "| fc | 4 | 1 x 4 |" in text
    assert result["rows"][0]["rtl"][:8] in text


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--layers", "11x11"], 1, "3x3_s2"),
        (["--multipliers", "0"], 1, "at least 1"),
        (["--multipliers", "many"], 2, "numbers"),
        (["--jobs", "0"], 2, "--jobs"),
        (["--target", "lfe5u-85f-6"], 2, "--network"),
        (["--seeds", "2", "--route"], 2, "--network"),
        (["--optimise", "latency", "--no-simulation"], 2, "--network"),
        (["--network", "absent.tflite", "--seeds", "2"], 2, "--route"),
        (["--network", "absent.tflite", "--layers", "fc"], 2, "without --network"),
        (["--route", "--multipliers", "16"], 2, "--route"),
        (["--route", "--no-simulation"], 2, "--route"),
        (["--route", "--layers", "1x1"], 1, "3x3, dw3x3, 3x3_w4"),
    ],
)
def test_a_wrong_option_is_one_line(
    arguments: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command("bench", *arguments) == code
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1


def test_the_table_is_the_one_that_is_promised() -> None:
    assert len(run.chosen(None, None)) == 60
    assert {asked for _, asked in run.chosen(None, None)} == {16, 64, 144}
    assert run.chosen(["1x1", "3x3"], [64]) == [("3x3", 64), ("1x1", 64)]
    assert run.chosen(["3x3_w4"], [144]) == [("3x3_w4", 144)]
    macs = {name: spec.macs for name, spec in SPECS.items()}
    assert macs["3x3"] == 32 * 32 * 16 * 16 * 9
    assert macs["dw3x3_s2"] == 12 * 12 * 64 * 9
    assert macs["7x7_s2"] == 32 * 32 * 32 * 49 * 3
    assert macs["fc"] == 640 * 128
    assert macs["3x3_int4"] == macs["3x3_int16"] == macs["3x3_uint8"] == macs["3x3"]
    assert (bench_layer("1x1").parameters.weights == bench_layer("1x1").parameters.weights).all()
    with pytest.raises(HwconvError, match="no layer"):
        run.chosen(["5x5"], None)


def test_a_peak_counts_products_and_the_macs_that_a_tile_saves() -> None:
    assert [run.generate(layer, asked, "ecp5").plan.peak_macs for layer, asked in routing.ENGINES] == [144, 64, 4 * 144]
    assert run.generate("3x3_int4", 16, "ecp5").plan.peak_macs == 32
    assert routing.chosen(None) == list(routing.ENGINES)
    assert routing.chosen(["3x3_w4"]) == [("3x3_w4", 144)]


def test_goals_tell_aim_floor_and_below() -> None:
    assert [UTILISATION.verdict(value) for value in (0.98, 0.9799, 0.95, 0.9499)] == ["aim", "floor", "floor", "below"]
    assert [LUTS_PER_MAC.verdict(value) for value in (80, 80.1, 105, 106)] == ["aim", "floor", "floor", "below"]
    assert Goal(what="", aim=2, floor=1).verdict(1.5) == "floor"
    assert page.mark("below").strip("( )").isupper()


def test_a_routed_row_is_the_median_seed() -> None:
    path = CriticalPath("array.pe_0_0.sum", "drain.word", ("a",), 5.5, 1.5, 4.0, False)
    seeds = tuple(
        SeedResult(
            seed=seed,
            fmax_mhz=mhz,
            luts=11_000 + seed,
            ffs=1,
            multipliers=146,
            brams=9,
            luts_by_use={},
            clocks={},
            critical_path=path,
        )
        for seed, mhz in ((1, 170.0), (2, 190.0), (3, 181.0))
    )
    result = BuildResult(target="lfe5u-85f-6", clock_mhz=None, results=seeds, wrapper_luts=0, wrapper_ffs=0)
    row = routing.routed_row("3x3", 144, 144, result, "0" * 64)
    assert row["fmax_median_mhz"] == 181.0
    assert (row["fmax_minimum_mhz"], row["fmax_maximum_mhz"]) == (170.0, 190.0)
    assert row["luts"] == 11_003
    assert row["luts_per_mac"] == round(11_003 / 144, 1)
    assert routing.verdicts(row) == ("aim", "aim")
    assert CLOCK_MHZ[8].verdict(181.0) == "below"
    assert "array.pe_0_0.sum to drain.word" in page.path_text(row)
    assert len(routing.ENGINES) * routing.RUNS_EACH == 24


def test_variants_are_measured_by_name_only_each_at_sizes_of_its_own() -> None:
    assert not {layer for layer, _ in run.chosen(None, None)} & variants.FAMILIES.keys()
    assert run.chosen(["dropout", "fc", "separable"], None) == [
        *(("fc", count) for count in (16, 64, 144)),
        *(("separable", count) for count in (16, 64, 144)),
        *(("dropout", count) for count in (1, 4, 16)),
    ]
    assert run.chosen(["moments"], [2]) == [("moments", 2)]


@pytest.fixture(scope="module")
def measured_variants() -> dict[str, dict[str, Any]]:
    """A block and an engine with multipliers of look-up tables, really simulated."""
    return {row["layer"]: row for _, row in run.measure([("dw3x3_lut", 4), ("dropout", 2)])}


def test_a_measured_variant_is_exact_and_as_fast_as_predicted(measured_variants: dict[str, dict[str, Any]]) -> None:
    for row in measured_variants.values():
        assert run.problems(row) == []
        assert row["outputs"] > 0
        assert (row["latency"], row["interval"]) == (row["predicted_latency"], row["predicted_interval"])
    lut, dropout = measured_variants["dw3x3_lut"], measured_variants["dropout"]
    assert (lut["multipliers"], lut["lut_multipliers"]) == (4, 1)
    assert lut["utilisation"] == pytest.approx(25 * 5 * 64 * 9 / (4 * lut["interval"]), abs=1e-6)
    assert dropout["utilisation"] == pytest.approx(16**3 / (2 * dropout["interval"]), abs=1e-6)
    wrong = run.problems(dropout | {"interval": 7})
    assert wrong == [f"dropout at 2 lanes: interval is 7 cycles, predicted were {dropout['interval']}"]


def test_variants_are_recorded_beside_the_layers_and_have_tables_of_their_own(
    tmp_path: Path, measured: dict[str, Any], measured_variants: dict[str, dict[str, Any]]
) -> None:
    record.save_rows(tmp_path, record.UTILISATION, [measured])
    record.save_rows(tmp_path, record.VARIANTS, measured_variants.values())
    assert [row["layer"] for row in record.load_rows(tmp_path, record.VARIANTS)] == ["dw3x3_lut", "dropout"]
    sections = page.render(tmp_path).split("\n## ")
    assert [section.splitlines()[0] for section in sections[1:]] == [
        "Utilisation",
        "Multipliers of look-up tables",
        "Dropout and statistics",
    ]
    assert "| dw3x3_lut | 4 |" in sections[2]
    assert "| dropout | 2 | 2 lanes |" in sections[3]
    assert "missed" not in sections[3]
    record.save(tmp_path / record.VARIANTS, {"rows": [measured_variants["dropout"] | {"work": -1}]})
    with pytest.raises(FormatError, match="not a file of measurements"):
        page.render(tmp_path)


def test_the_committed_variants_are_all_of_the_table_and_right() -> None:
    rows = record.load_rows(BENCHMARKS, record.VARIANTS)
    assert [(row["layer"], row["asked"]) for row in rows] == [
        (name, size) for name in variants.FAMILIES for size in variants.sizes(name)
    ]
    for row in rows:
        assert run.problems(row) == []
        assert row["family"] == variants.FAMILIES[row["layer"]]
        if row["family"] in (variants.LUT, variants.LOADED):
            assert "below" not in run.verdicts(row)


def test_the_committed_page_is_made_of_the_committed_figures() -> None:
    assert (BENCHMARKS / record.PAGE).read_text() == page.render(BENCHMARKS)
    rows = record.load_rows(BENCHMARKS, record.UTILISATION)
    assert {(row["layer"], row["multipliers_asked"]) for row in rows} >= set(run.chosen(None, None))
    for row in rows:
        assert run.problems(row) == []
        assert "below" not in run.verdicts(row)


NETWORK = {
    "network": "tiny", "target": "lfe5u-85f-6", "optimise": "interval", "rtl": "ab" * 32, "macs": 100, "multipliers": 9,
    "lut_multipliers": 3, "requantiser_multipliers": 2, "frames": 4, "outputs": 40, "mismatches": 0, "passed": True,
    "latency": 3000, "interval": 1500, "predicted_latency": 3000, "predicted_interval": 1500,
    "estimated_luts": 4500, "estimated_ffs": 6300,
}  # fmt: skip
ROUTED = {
    "seeds": {"1": 140.0, "2": 150.0, "3": 160.0}, "fmax_median_mhz": 150.0, "luts": 5000, "ffs": 6000,
    "hard_multipliers": 8, "block_rams": 20,
}  # fmt: skip


def test_networks_have_a_table_with_milliseconds_once_they_are_routed(tmp_path):
    record.save_networks(tmp_path, [NETWORK, {**NETWORK, "optimise": "latency", **ROUTED}])
    text = page.render(tmp_path)
    assert "not routed" in text
    assert "150.0 (3) | 0.0200 | 0.0100 | 5000 (4500) | 6000 (6300)" in text
    assert "-10% to -10% of look-up tables and +5% to +5% of flip-flops" in text
    record.save_networks(tmp_path, [{**NETWORK, "latency": 2999}])
    assert [row["latency"] for row in record.load_rows(tmp_path, record.NETWORKS)] == [2999, 3000]
    assert networks.problems({**NETWORK, "latency": 2999, "mismatches": 1, "passed": False}) == [
        "tiny on lfe5u-85f-6 for interval: 1 mismatches in 40 outputs",
        "tiny on lfe5u-85f-6 for interval: latency is 2999 cycles, predicted were 3000",
    ]


@pytest.mark.parametrize("wrong", [{"seeds": 3}, {"fmax_median_mhz": 0}, {"interval": 0}, {"network": 5}])
def test_a_row_of_a_network_that_is_none_is_refused(wrong, tmp_path):
    (tmp_path / record.NETWORKS).write_text(json.dumps({"rows": [{**NETWORK, **ROUTED, **wrong}]}))
    with pytest.raises(FormatError, match="not a file of measurements"):
        record.load_rows(tmp_path, record.NETWORKS)
