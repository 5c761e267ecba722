"""What a transposed convolution is: sizes, pads, phases and multiplications, counted pixel by pixel."""

import numpy as np
import pytest

from hwconv.errors import SpecError
from hwconv.golden.convolution import accumulate, accumulate_fast
from hwconv.layer import Layer, LayerParameters
from hwconv.spec import ConvSpec


def spec(**fields):
    return ConvSpec(**{"height": 4, "width": 3, "in_channels": 2, "out_channels": 3, "kernel": (3, 3), **fields})


def random_specs(count):
    random = np.random.default_rng(5)
    for _ in range(count):
        kernel, stride, dilation = random.integers(1, 5, 2), random.integers(1, 5, 2), random.integers(1, 4, 2)
        sizes = random.integers(1, 5, 2)
        full = (sizes - 1) * stride + dilation * (kernel - 1) + 1
        before = [int(random.integers(0, rest)) for rest in full]
        after = [int(random.integers(0, rest - pad)) for rest, pad in zip(full, before, strict=True)]
        yield spec(
            height=sizes[0], width=sizes[1], kernel=kernel.tolist(), stride=stride.tolist(),
            dilation=dilation.tolist(), padding=(before[0], after[0], before[1], after[1]), transposed=True,
            output_padding=random.integers(0, 3, 2).tolist(), input_zero_point=int(random.integers(-128, 128)),
        )  # fmt: skip


def test_a_frame_worked_out_by_hand():
    # two pixels, stride 2, three taps: 1 2 3 from the first at 0, 10 20 30 from the second at 2; one more of bias alone
    made = spec(height=1, width=2, in_channels=1, out_channels=1, kernel=(1, 3), stride=(1, 2), transposed=True)
    weights, x = np.array([1, 2, 3], np.int8).reshape(1, 1, 3, 1), np.array([1, 10], np.int8).reshape(1, 1, 2, 1)
    cropped = spec(**{**made.to_dict(), "padding": (0, 0, 1, 0), "output_padding": (0, 1)})
    for sum_up in (accumulate, accumulate_fast):
        assert sum_up(made, weights, np.array([7]), x).ravel().tolist() == [8, 9, 20, 27, 37]
        assert sum_up(cropped, weights, np.array([7]), x).ravel().tolist() == [9, 20, 27, 37, 7]


def test_output_size_follows_the_formula():
    made = spec(stride=(2, 3), dilation=(2, 1), padding=(1, 2, 0, 1), transposed=True, output_padding=(1, 2))
    assert made.output_shape == (3 * 2 + 2 * 2 + 1 - 3 + 1, 2 * 3 + 2 + 1 - 1 + 2, 3)
    assert made.weight_shape == (3, 3, 3, 2)


@pytest.mark.parametrize(("kernel", "stride", "dilation"), [(3, 2, 1), (4, 2, 1), (2, 2, 1), (5, 3, 2), (9, 4, 1)])
def test_same_padding_gives_a_stride_for_each_pixel(kernel, stride, dilation):
    made = spec(kernel=(kernel, 3), stride=(stride, 1), dilation=(dilation, 1), padding="same", transposed=True)
    assert made.out_height == 4 * stride
    assert made.padding.bottom - made.padding.top in (0, 1)


def test_macs_and_phases_are_those_of_the_pixels():
    """Taps that an output pixel meets, wherever the input pixel would lie, counted from the definition."""
    for made in random_specs(100):
        macs = 0
        for oy, ox in np.ndindex(made.out_height, made.out_width):
            rows, columns = (
                [
                    k
                    for k in range(made.kernel[axis])
                    if (place + made.padding[2 * axis] - k * made.dilation[axis]) % made.stride[axis] == 0
                ]
                for axis, place in enumerate((oy, ox))
            )
            assert made.phase_taps(0)[oy % made.stride[0]] == tuple(rows)
            assert made.phase_taps(1)[ox % made.stride[1]] == tuple(columns)
            macs += len(rows) * len(columns) * made.out_channels * made.group_in_channels
        assert made.macs == macs


def test_accumulator_range_is_reached_and_not_left():
    """Against every frame of extremes of one pixel, one channel."""
    for seed, made in enumerate(random_specs(30)):
        made = spec(**{**made.to_dict(), "height": 1, "width": 1, "in_channels": 1, "padding": (0, 0, 0, 0)})
        random = np.random.default_rng(seed)
        weights = random.integers(-128, 128, made.weight_shape).astype(np.int8)
        layer = Layer(made, LayerParameters(weights=weights, multiplier=np.array([1]), shift=np.array([0])))
        low, high = layer.accumulator_range()
        found = [
            accumulate(made, weights, np.zeros(3, int), np.full((1, 1, 1, 1), value, np.int8)) for value in (-128, 127)
        ]
        assert (np.min(found, axis=(0, 1, 2, 3)) >= low).all()
        assert (np.max(found, axis=(0, 1, 2, 3)) <= high).all()
        alone = all(len(taps) <= 1 for axis in (0, 1) for taps in made.phase_taps(axis))
        if alone:  # one tap an output pixel: its extremes are the range's
            assert (np.minimum(np.min(found, axis=(0, 1, 2, 3)), 0) == np.minimum(low, 0)).all()
            assert (np.maximum(np.max(found, axis=(0, 1, 2, 3)), 0) == np.maximum(high, 0)).all()


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"transposed": 1}, "transposed"),
        ({"output_padding": (1, 0)}, "output_padding"),
        ({"transposed": True, "output_padding": (0, -1)}, "output_padding"),
        ({"transposed": True, "padding": (6, 0, 0, 0)}, "height"),
        ({"transposed": True, "input_zero_point": 128}, "input_zero_point"),
    ],
)
def test_an_invalid_field_is_refused(fields, field):
    with pytest.raises(SpecError) as refused:
        spec(**fields)
    assert refused.value.field == field


def test_long_kernels_and_strides_are_cheap():
    made = spec(kernel=(1 << 18, 1), stride=(1 << 20, 1), height=1, width=1, transposed=True)
    assert made.macs == (1 << 18) * 2 * 3
