"""Enlarged frames: the golden model, hardware that is as fast as predicted, descriptions, and refusals."""

import numpy as np
import pytest
from checked_graphs import graph_plan, network_of
from graph_checks import check_free, check_pauses, check_trials, random_frames

from hwconv import simulation
from hwconv.api import design_of
from hwconv.emit.describe_graph import node_lines
from hwconv.errors import SpecError
from hwconv.frontend.graph_file import load_graph
from hwconv.golden import graph as golden_graph
from hwconv.golden import upscale as golden_upscale
from hwconv.graph import Graph, Upscale
from hwconv.inspection import receptive_field
from hwconv.plan.graph_plan import GraphPlan, plan_graph
from hwconv.plan.schedule import spaced
from hwconv.plan.schedules import schedule_of
from hwconv.plan.upscale import UpscalePlan, plan_upscale
from hwconv.simulation import Stalls
from hwconv.spec import dtype_range
from hwconv.upscale import UPSCALE_DTYPES, UpscaleSpec


def drawn(random: np.random.Generator, dtype: str | None = None) -> UpscaleSpec:
    kind, order = str(random.choice(["nearest", "depth_to_space"])), "DCR"
    factor = tuple(int(each) for each in random.integers(1, 5, 2))
    height, width, channels = (int(each) for each in random.integers(1, 6, 3))
    if kind == "depth_to_space":
        channels, order = channels * factor[0] * factor[1], str(random.choice(["DCR", "CRD"]))
    return UpscaleSpec(name="larger", kind=kind, height=height, width=width, channels=channels, factor=factor,
                       order=order, dtype=dtype or str(random.choice(UPSCALE_DTYPES)))  # fmt: skip


def plan_of(spec: UpscaleSpec) -> GraphPlan:
    """A graph of nothing else."""
    frame = {"height": spec.height, "width": spec.width, "channels": spec.channels, "dtype": spec.dtype}
    return plan_graph(network_of(Graph(name="larger_frames", **frame, nodes=(Upscale(input="input", spec=spec),))))


# The golden model.


def test_the_golden_model_is_the_definition(seed):
    random = np.random.default_rng(seed)
    for _ in range(60):
        spec = drawn(random)
        low, high = dtype_range(spec.dtype)
        x = random.integers(low, high + 1, (2, *spec.input_shape)).astype(spec.dtype)
        found = golden_upscale.run(spec, x)
        assert found.dtype == spec.dtype
        down, across = spec.factor
        height, width, channels = spec.output_shape
        for n, row, column, channel in np.ndindex(2, height, width, channels):
            p, q, source = row % down, column % across, channel
            if spec.kind == "depth_to_space" and spec.order == "DCR":
                source = (p * across + q) * channels + channel
            elif spec.kind == "depth_to_space":
                source = channel * down * across + p * across + q
            assert found[n, row, column, channel] == x[n, row // down, column // across, source], spec


# In hardware.


def test_the_closed_form_is_the_schedule(seed):
    """Of beats that come and go one a cycle, whatever the beat."""
    random = np.random.default_rng(seed)
    for _ in range(150):
        spec = drawn(random)
        beats = [spec.value_bytes * each for each in range(1, 128 // spec.value_bytes + 1) if spec.run % each == 0]
        plan = plan_upscale(spec, beat_bytes=int(random.choice(beats)))
        schedule, before = schedule_of(plan.config, 4), None
        offered = np.arange(4 * schedule.input_beats)
        while before is None or not all(map(np.array_equal, before, schedule.state)):
            before = schedule.state if before is not None or hasattr(schedule, "taken") else None
            schedule.take(offered)
            schedule.give(schedule.ready)
            offered = spaced(schedule.taken)
        last = schedule.ready[schedule.output_beats - 1 :: schedule.output_beats]
        assert (last[0], last[-1] - last[-2]) == (plan.cycles.latency, plan.cycles.interval), spec
        assert plan.cycles.interval == plan.config.output_beats >= plan.config.input_beats


@pytest.mark.sampled
@pytest.mark.parametrize("case", range(6))
def test_random_frames_are_exact_and_as_fast_as_predicted(seed, case):
    plan = plan_of(drawn(np.random.default_rng([seed, case, 5]), UPSCALE_DTYPES[case % 3]))
    check_free(plan, design_of(plan))
    check_pauses(plan, design_of(plan))


def test_pauses_damaged_frames_and_resets():
    for name in ("enlarged", "woven"):
        check_trials(graph_plan(name), design_of(graph_plan(name)))


@pytest.mark.parametrize("stalls", [Stalls(input=200, seed=4), Stalls(output=200, burst=15, seed=4)], ids=["in", "out"])
def test_long_pauses_on_one_side_change_nothing(stalls):
    spec = UpscaleSpec(name="larger", kind="depth_to_space", height=4, width=3, channels=8, factor=(2, 2))
    plan = plan_of(spec)
    frames = random_frames(plan.graph, 8)
    result = simulation.run(
        simulation.build(design_of(plan), "icarus"), frames, golden_upscale.run(spec, frames), stalls=stalls,
        watchdog=20_000,
    )  # fmt: skip
    assert result.passed, simulation.explain(result)


def test_the_block_ram_of_ecp5_does_the_same():
    spec = UpscaleSpec(name="larger", kind="nearest", height=3, width=19, channels=8, factor=(2, 3))
    plan = plan_of(spec)
    assert (plan.beats["larger"], plan.engines["larger"].block_rams) == (8, 2)  # of 512 x 36 bits
    check_free(plan, design_of(plan, "ecp5"))


@pytest.mark.parametrize(
    ("fields", "beats", "run"),
    [
        ({"kind": "nearest", "channels": 12, "factor": (2, 2)}, (1, 2, 3, 4, 6, 12), 12),
        ({"kind": "depth_to_space", "channels": 9, "factor": (3, 3)}, (1, 3), 3),
        ({"kind": "depth_to_space", "channels": 9, "factor": (3, 3), "order": "CRD"}, (1, 3), 3),
        ({"kind": "depth_to_space", "channels": 8, "factor": (2, 2), "order": "CRD"}, (1,), 1),
    ],
)
def test_a_beat_is_a_part_of_what_stays_side_by_side(fields, beats, run):
    spec = UpscaleSpec(height=2, width=2, **fields)
    assert spec.run == run
    for beat in range(1, 13):
        if beat in beats:
            assert plan_upscale(spec, beat_bytes=beat).config.beat_bytes == beat
            continue
        with pytest.raises(SpecError, match=f"beat_bytes to be a divisor of {run}"):
            plan_upscale(spec, beat_bytes=beat)


def test_a_beat_of_int16_is_made_of_whole_values():
    spec = UpscaleSpec(kind="depth_to_space", height=2, width=2, channels=12, factor=(2, 2), dtype="int16")
    for beat in range(1, 13):
        if beat in (2, 4, 6, 12):
            assert plan_upscale(spec, beat_bytes=beat).config.pixel_beats == 24 // beat
            continue
        with pytest.raises(SpecError, match="beat_bytes to be a multiple of 2 and a divisor of 12"):
            plan_upscale(spec, beat_bytes=beat)


def test_what_is_said_of_an_enlarged_frame():
    plan = graph_plan("enlarged")
    assert node_lines(plan.graph)[1] == "again = every pixel 2x2 times of small: 6x4x4"
    assert node_lines(plan.graph)[3] == "spread = channels as 2x2 pixels (DCR) of many: 6x4x2"
    summary = next(each for each in plan.summary()["nodes"] if each["node"] == "again")
    assert (summary["kind"], summary["factor"], summary["memory_words"]) == ("nearest", [2, 2], 2 * 2 * 2)
    assert isinstance(plan.engines["again"], UpscalePlan)
    assert "node_1_again" in design_of(plan).files["enlarged.v"]
    spec = UpscaleSpec(name="larger", kind="nearest", height=4, width=4, channels=1, factor=(3, 2))
    graph = Graph(height=4, width=4, channels=1, nodes=(Upscale(input="input", spec=spec),))
    assert receptive_field(graph) == (1, 1)


# As a value, as a person writes it, and what is refused.

FIELDS = {"kind": "depth_to_space", "height": 2, "width": 3, "channels": 8, "factor": (2, 2)}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"channels": 6}, "channels to be a multiple of 4"),
        ({"kind": "bilinear"}, "kind"),
        ({"order": "RCD"}, "order"),
        ({"kind": "nearest", "order": "CRD"}, "order to be absent with nearest"),
        ({"factor": (0, 2)}, "factor"),
        ({"dtype": "int32"}, "dtype to be one of int8, uint8, int16"),
        ({"factor": 2}, "factor"),
        ({"kind": "nearest", "factor": (1 << 20, 1)}, "output height to be at most 1048576"),
        ({"kind": "nearest", "factor": (1 << 15, 1 << 15)}, "elements of the output"),
    ],
)
def test_fields_out_of_range_are_refused(changes, said):
    with pytest.raises(SpecError, match=said):
        UpscaleSpec(**{**FIELDS, **changes})


def test_a_graph_with_enlarged_frames_survives_its_json():
    graph = graph_plan("woven").graph
    assert Graph.from_json(graph.to_json()) == graph
    spec = UpscaleSpec(name="larger", **FIELDS)
    assert UpscaleSpec.from_dict(spec.to_dict()) == spec
    with pytest.raises(SpecError, match="input shape"):
        Graph(height=2, width=2, channels=8, nodes=(Upscale(input="input", spec=spec),))


DESCRIPTION = """
height = 2
width = 3
channels = 12
[[layer]]
name = "pixels"
kind = "depth_to_space"
factor = 2
order = "CRD"
[[layer]]
name = "wide"
kind = "nearest"
factor = [1, 3]
"""


def test_descriptions_of_enlarged_frames(tmp_path):
    path = tmp_path / "larger.toml"
    path.write_text(DESCRIPTION)
    network = load_graph(path).network
    assert [network.graph.tensors[name].shape for name in ("pixels", "wide")] == [(4, 6, 3), (4, 18, 3)]
    x = np.arange(72, dtype=np.int8).reshape(1, 2, 3, 12)
    # Channels 4c + 2p + q of the first pixel are the first two pixels of the first two rows.
    assert golden_graph.run_all(network, x)["pixels"][0, :2, :2].tolist() == [
        [[0, 4, 8], [1, 5, 9]], [[2, 6, 10], [3, 7, 11]],
    ]  # fmt: skip
    for before, after, said in (
        ("factor = 2", "", "factor"),
        ("factor = [1, 3]", "factor = [1, 3]\norder = 'DCR'", "order"),
        ("factor = 2", "factor = 5", "multiple of 25"),
        ("factor = 2", "factor = 2.0", "factor"),
    ):
        path.write_text(DESCRIPTION.replace(before, after))
        with pytest.raises(SpecError, match=said):
            load_graph(path)
