"""Winograd's algorithm in integers: the model equals the definition, the hardware's networks the model's matrices."""

import numpy as np
import pytest

from hwconv.golden import winograd
from hwconv.golden.convolution import accumulate
from hwconv.plan.winograd_transforms import F2, F4, inverse_steps, odd_part, plain_axis, transform_weights
from hwconv.spec import ConvSpec

KINDS = {
    "F(2x2,3x3)": ((3, 3), (2, 2)),
    "F(4x4,3x3)": ((3, 3), (4, 4)),
    "F(4x2,3x3)": ((3, 3), (4, 2)),
    "F(2,3) across": ((1, 3), (1, 2)),
    "F(4,3) across, two rows": ((1, 3), (2, 4)),
    "F(2,3) down": ((3, 1), (2, 3)),
    "F(4,3) down": ((3, 1), (4, 1)),
}
VALUES = {
    "smallest": lambda random, shape: np.full(shape, -128),
    "largest": lambda random, shape: np.full(shape, 127),
    "alternating": lambda random, shape: np.where(np.indices(shape).sum(axis=0) % 2, 127, -128),
    "random signs": lambda random, shape: random.choice([-128, 127], shape),
    "random": lambda random, shape: random.integers(-128, 128, shape),
}
FRAMES = [(7, 9, (1, 1, 1, 1)), (4, 4, (0, 0, 0, 0)), (5, 3, (3, 0, 2, 5)), (8, 6, (0, 4, 1, 0)), (3, 3, (1, 2, 3, 4))]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("values", VALUES)
def test_the_algorithm_computes_the_convolution(kind, values):
    kernel, tile = KINDS[kind]
    random = np.random.default_rng(list(KINDS).index(kind))
    for height, width, padding in FRAMES:
        groups, zero_point = int(random.integers(1, 3)), int(random.choice([0, -128, 83]))
        spec = ConvSpec(
            height=height, width=width, in_channels=3 * groups, out_channels=2 * groups, kernel=kernel,
            padding=padding, groups=groups, input_zero_point=zero_point,
        )  # fmt: skip
        x = VALUES[values](random, (2, *spec.input_shape)).astype(np.int8)
        weights = VALUES[values](random, spec.weight_shape).astype(np.int8)
        bias = random.integers(-1000, 1000, spec.out_channels)
        expected = accumulate(spec, weights, bias, x)
        assert np.array_equal(winograd.accumulate_winograd(spec, weights, bias, x, tile), expected)


@pytest.mark.parametrize(
    ("axis", "model"), [(F2, winograd.F2), (F4, winograd.F4), (plain_axis(3), winograd.axis_of(3, 1))]
)
def test_the_networks_are_the_matrices_of_the_paper(axis, model):
    assert np.array_equal(axis.input.matrix, model.b)
    assert axis.factor == model.factor
    kernel = np.array(axis.kernel)
    scale = [
        next(int(a) // int(b) for a, b in zip(*rows, strict=True) if b) for rows in zip(model.g, kernel, strict=True)
    ]
    assert np.array_equal(kernel * np.array(scale)[:, None], model.g)
    assert np.array_equal(axis.output.matrix, model.a * np.array(scale))


@pytest.mark.parametrize("axis", [F2, F4, plain_axis(4)])
def test_nodes_keep_their_ranges_and_reach_them(axis):
    ranges = axis.input.ranges([(-128, 127)] * axis.inputs)
    for (low, high), row in zip(ranges[-1], axis.input.matrix, strict=True):
        ends = np.where(row > 0, 127, -128) @ row, np.where(row > 0, -128, 127) @ row
        assert (high, low) == ends


def test_operands_of_the_largest_tile_fit_18_bits():
    rows = F4.input.ranges([(-128, 127)] * 6)[-1]
    both = [F4.input.ranges([row] * 6)[-1] for row in rows]
    assert max(-low for row in both for low, _ in row) <= 12_800
    weights = np.array([-128, 127], np.int8)[np.random.default_rng(0).integers(0, 2, (64, 3, 3, 8))]
    assert np.abs(transform_weights(F4, F4, np.full((1, 3, 3, 1), -128))).max() == 49 * 128
    assert np.abs(transform_weights(F4, F4, weights)).max() < 1 << 13


@pytest.mark.parametrize("axis", [F2, F4, plain_axis(4)])
@pytest.mark.parametrize("width", [11, 24])
def test_outputs_modulo_a_power_of_two_need_no_more_than_the_modular_widths(axis, width):
    """Every node is cut to its width, upwards extended by noise: the outputs stay what they are, modulo 2**width."""
    random = np.random.default_rng(width)
    widths = axis.output.modular_widths([width] * axis.outputs)
    inputs = random.integers(-(1 << 40), 1 << 40, (axis.inputs, 100))

    def spoilt(values: np.ndarray, bits: list[int]) -> np.ndarray:
        noise = random.integers(-1000, 1000, values.shape)
        return values + (noise << np.array(bits)[:, None])

    nodes = spoilt(inputs, widths[0])
    for level, bits in zip(axis.output.levels, widths[1:], strict=True):
        values = np.array([sum(factor * nodes[source] for source, factor in node) for node in level])
        nodes = spoilt(values, bits)
    assert not np.any((nodes - axis.output.matrix @ inputs) % (1 << width))


@pytest.mark.parametrize("factor", [1, 2, 4, 24, 48, 576])
@pytest.mark.parametrize("width", [17, 21, 25, 32])
def test_the_factor_divides_out_modulo_a_power_of_two(factor, width):
    zeros, odd = odd_part(factor)
    assert odd << zeros == factor
    random = np.random.default_rng(width)
    sums = np.concatenate(
        [random.integers(-(1 << width - 1), 1 << width - 1, 1000), [-(1 << width - 1), (1 << width - 1) - 1]]
    )
    value = (sums * factor % (1 << width + zeros)) >> zeros
    for sign, shift in inverse_steps(odd, width):
        value = (value + sign * (value << shift)) % (1 << width)
    assert np.array_equal(value, sums % (1 << width))


@pytest.mark.parametrize("axis", [F2, F4, plain_axis(4)])
def test_the_transforms_are_an_identity(axis):
    """For all inputs and weights, over the integers and so modulo anything.

    Both sides are bilinear: equal if the coefficient of every product ``d[i] * w[k]`` in every output is. Two axes are
    the product of two of these.
    """
    coefficients = np.einsum("yp,pk,pi->yki", axis.output.matrix, np.array(axis.kernel, np.int64), axis.input.matrix)
    direct = np.zeros_like(coefficients)
    for output in range(axis.outputs):
        for tap in range(axis.taps):
            direct[output, tap, output + tap] = axis.factor
    assert np.array_equal(coefficients, direct)
