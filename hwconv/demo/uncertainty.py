"""How sure the classifier is: its last features through dropout, T passes, mean and variance accumulated in hardware.

    features -> dropout -> last layer -> statistics

as one top level (docs/dropout.md). The layers in front have no dropout, so that their result is the same in every pass.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwconv import simulation
from hwconv.demo.digits import CLASSIFIER, Images, entropy
from hwconv.designs import design_of
from hwconv.dropout import DropoutSpec, FrameParameters, inverted, pass_seed
from hwconv.errors import MismatchError
from hwconv.frontend import load_model
from hwconv.golden import dropout as golden_dropout
from hwconv.golden import graph as golden_graph
from hwconv.golden import mc_statistics as golden_statistics
from hwconv.golden import run as run_layer
from hwconv.golden.model import network_input
from hwconv.host import Dequantise
from hwconv.layer import Layer
from hwconv.mc_statistics import StatisticsSpec
from hwconv.model import Model
from hwconv.plan.chain import ChainPlan, plan_chain
from hwconv.plan.dropout import plan_dropout
from hwconv.plan.engine_plan import make_plan
from hwconv.plan.mc_statistics import plan_statistics

PASSES = 32
PROBABILITY = 0.25
"""To be dropped, as in training."""
MULTIPLIERS = 4
BEATS = (4, 2)
"""Bytes of a beat of features, and of the last layer's results."""

Features = NDArray[np.int8]
Sums = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Uncertain:
    """The end of a classifier as a row of blocks.

    Members:
        model: the classifier. layer: its last one.
        plan: dropout, that layer, statistics. dropout, statistics: what the two blocks compute.
    """

    model: Model
    layer: Layer
    plan: ChainPlan
    dropout: DropoutSpec
    statistics: StatisticsSpec

    def features(self, images: Images) -> Features:
        """What goes into the row for images `(N, 1, 8, 8)`: what the last layer reads, `(N, 1, 1, channels)`."""
        tensors = golden_graph.run_all(self.model.network, network_input(self.model, images))
        return tensors[self.model.network.graph.node(self.layer.spec.name).inputs[0]].astype(np.int8)

    def parameters(self, images: int) -> list[FrameParameters]:
        """What comes with each pass of each image: seeds that all differ."""
        return [
            inverted(PROBABILITY, seed=pass_seed(image + 1, index))
            for image in range(images)
            for index in range(self.statistics.passes)
        ]

    def golden(self, features: Features) -> Sums:
        """What must come out: for each image and class the sum and `T * sum of squares - sum^2`, from the twins."""
        frames = features.repeat(self.statistics.passes, axis=0)
        kept = golden_dropout.run(self.dropout, frames, self.parameters(len(features)))
        return golden_statistics.run(self.statistics, run_layer(self.layer, kept).astype(np.int8))

    def simulate(self, features: Features, simulator: simulation.Simulator = "verilator") -> Sums:
        """What the simulated Verilog gives; raises `MismatchError` where it differs from :meth:`golden`."""
        feed = simulation.stimulus(features.repeat(self.statistics.passes, axis=0), self.plan.input_beat_bytes)
        users = [each.to_user() for each in self.parameters(len(features))]
        feed = simulation.with_user(feed, self.plan.input_user_bits, users)
        target = simulation.expected(self.golden(features), self.plan.output_beat_bytes)
        binary = simulation.build(design_of(self.plan), simulator)
        result = simulation.run(binary, feed, target, capture=True)
        if not result.passed or result.captured is None:
            raise MismatchError(f"{self.plan.top_name}: {result.first_mismatch or result.problem}")
        return result.captured.astype(np.int32)

    def moments(self, sums: Sums) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and variance of the real outputs, each `(N, classes)`."""
        ending = self.model.after[0].operation
        assert isinstance(ending, Dequantise)
        total, spread = sums.reshape(len(sums), -1, 2).astype(np.float64).transpose(2, 0, 1)
        passes = self.statistics.passes
        return ending.scale * (total / passes - ending.zero_point), ending.scale**2 * spread / passes**2

    def entropy(self, sums: Sums) -> NDArray[np.float64]:
        """Uncertainty of each image, from the mean and the variance of its outputs."""
        return entropy(*self.moments(sums))


def uncertain_classifier(passes: int = PASSES) -> Uncertain:
    """The row of blocks at the end of the classifier that was trained with dropout."""
    model = load_model(CLASSIFIER)
    last = model.network.graph.output
    layer = model.network.layers[last]
    spec = layer.spec
    dropout = DropoutSpec(
        name="dropout", height=1, width=1, channels=spec.in_channels, zero_point=spec.input_zero_point
    )
    statistics = StatisticsSpec(
        name="statistics",
        height=1,
        width=1,
        channels=spec.out_channels,
        zero_point=spec.output_zero_point,
        passes=passes,
    )
    engine = make_plan(layer, multipliers=MULTIPLIERS, input_beat_bytes=BEATS[0], output_beat_bytes=BEATS[1])
    blocks = (plan_dropout(dropout, BEATS[0]), engine, plan_statistics(statistics, BEATS[1]))
    return Uncertain(model, layer, plan_chain("uncertainty", blocks), dropout, statistics)
