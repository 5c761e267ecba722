"""What the benches of a layer's package send and expect."""

from hwconv import golden, simulation
from hwconv.comparison import with_random
from hwconv.emit.package import Vectors
from hwconv.frontend import LayerFile
from hwconv.plan.engine_plan import EnginePlan
from hwconv.simulation.bench import bench_description

PACKAGE_FRAMES = 2
"""Frames that the benches of a package send."""


def vectors_of(engine: EnginePlan, loaded: LayerFile, design: simulation.Design) -> Vectors:
    """Frames that came with the layer, then random ones, and what the golden model makes of them."""
    spec = loaded.layer.spec
    given = 0 if loaded.input is None else min(len(loaded.input), PACKAGE_FRAMES)
    sent = with_random(loaded.layer, loaded.input, PACKAGE_FRAMES, seed=1)
    right = golden.run(loaded.layer, sent)
    feed = simulation.stimulus(sent, engine.input_beat_bytes)
    target = simulation.expected(right, engine.output_beat_bytes)
    cycles = engine.cycles
    bench = bench_description(design, sent, right, latency=cycles.latency, interval=cycles.interval)
    kinds = [f"the first {given} came with the layer"] if given else []
    kinds += ["the others are random" if given else "they are random"] if given < PACKAGE_FRAMES else []
    return Vectors(
        input=sent,
        expected=right,
        stimulus_image=feed.image(),
        expected_image=target.image(),
        input_beats=-(-spec.input_bytes // engine.input_beat_bytes),
        output_beats=target.frame_beats,
        bench=bench,
        origin=f"Of the frames {', '.join(kinds)}." if given else "The frames are random.",
        weights_image=simulation.Loads.of(design).text() if engine.loadable else "",
    )
