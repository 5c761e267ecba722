"""Operators of a ``.tflite`` model that reduce or reorder axes: ``MEAN`` and ``TRANSPOSE``.

Nothing is moved in hardware: a transposed tensor is the frame it was made of, with its axes named in another order, and
means over rows and columns, which are what may read it, are taken of that frame.
"""

from typing import NamedTuple

from ..errors import one_of
from ..golden.pool import mean_multiplier
from ..graph import Tensor as Frame
from ..pool import PoolSpec
from .tflite_file import Tensor
from .tflite_operator import OperatorReader

AXES = ("MEAN", "TRANSPOSE")
ROWS, COLUMNS = 1, 2


class Ordered(NamedTuple):
    """A tensor of the file as one of the network, whose values it has.

    Members:
        name, frame: of the network's. axes: of each axis in the file, the place among batch, rows, columns, channels.
    """

    name: str
    frame: Frame
    axes: tuple[int, ...]

    @property
    def in_order(self) -> bool:
        """Whether the file has the values in the network's order: axes of a single step may stand anywhere."""
        shape = (1, *self.frame.shape)
        longer = [axis for axis in self.axes if shape[axis] > 1]
        return longer == sorted(longer)


def usual_axes(x: Tensor) -> tuple[int, ...]:
    """Of a tensor as operators take it: batch first, channels last."""
    return (0, *range(5 - len(x.shape), 4))


def transposed(reader: OperatorReader, x: Ordered) -> Ordered:
    """The axes of a transposed tensor (tensorflow/lite/micro/kernels/transpose.cc); refused where the batch moves."""
    (before, order), y = reader.tensors(2, 2)
    reader.same_quantisation(y, before)
    numbers = _numbers(reader, order, "permutation")
    if sorted(numbers) != list(range(len(before.shape))):
        reader.contradicts(f"puts {len(before.shape)} axes in the order {numbers[:8]}")
    if numbers[0] != 0:
        reader.refuse("permutation", numbers, "the batch first")
    _expect(reader, y, [before.shape[number] for number in numbers], before)
    return x._replace(axes=tuple(x.axes[number] for number in numbers))


def mean_of(reader: OperatorReader, name: str, x: Ordered) -> tuple[PoolSpec, tuple[int, ...]]:
    """A mean over rows, columns or both (``QuantizedMeanOrSum``), and the axes of the result in the file."""
    (before, which), y = reader.tensors(2, 2)
    rank = len(before.shape)
    numbers = _numbers(reader, which, "axes")
    if not all(-rank <= number < rank for number in numbers):
        reader.contradicts(f"has the axes {numbers[:8]} of {rank}")
    reduced = {number % rank for number in numbers}
    if not reduced or not {x.axes[number] for number in reduced} <= {ROWS, COLUMNS}:
        possible = [number for number, axis in enumerate(x.axes) if axis in (ROWS, COLUMNS)]
        reader.refuse("axes", numbers, f"rows and columns, {one_of(possible)}" if possible else "rows and columns")
    kept = bool(reader.options.KeepDims())
    left = [number for number in range(rank) if number not in reduced]
    shape = [1 if number in reduced else before.shape[number] for number in (range(rank) if kept else left)]
    _expect(reader, y, shape, before)
    height, width, channels = x.frame.shape
    over = {x.axes[number] for number in reduced}
    kernel = (height if ROWS in over else 1, width if COLUMNS in over else 1)
    scale = float(reader.scales(before, 1)[0]) / float(reader.scales(y, 1)[0])
    multiplier, shift = mean_multiplier(scale, kernel[0] * kernel[1])
    spec = PoolSpec(
        name=name, kind="mean", height=height, width=width, channels=channels, kernel=kernel,
        dtype=x.frame.dtype,
        input_zero_point=reader.zero_point(before), output_zero_point=reader.zero_point(y),
        multiplier=multiplier, shift=shift,
    )  # fmt: skip
    return spec, x.axes if kept else tuple(x.axes[number] for number in left)


def _numbers(reader: OperatorReader, tensor: Tensor, what: str) -> list[int]:
    found = tensor.constant()
    if found is None:
        reader.refuse(what, "computed at run time", "a constant")
    if tensor.dtype != "int32":
        reader.refuse(f"type of the {what}", tensor.dtype, "int32")
    return [int(number) for number in found.reshape(-1)]


def _expect(reader: OperatorReader, y: Tensor, shape: list[int], before: Tensor) -> None:
    if list(y.shape) != shape:
        reader.contradicts(f"makes {y.shape} of {before.shape}, which become {tuple(shape)}")
