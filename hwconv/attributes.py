"""What is supported: one row for each attribute of a layer, with its range and what it is tested against.

`docs/attributes.md` is written from this table by ``make gallery``. A test compares both, asks of all ranges that the
specification accepts its ends and refuses what is beyond, and that every field of a specification has a row.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from .spec import (
    INPUT_DTYPES,
    MAX_ELEMENTS,
    MAX_EXTENT,
    OUTPUT_DTYPES,
    REQUANTISATIONS,
    WEIGHT_DTYPES,
)


@dataclass(frozen=True, kw_only=True)
class Attribute:
    """One attribute.

    Attributes
    ----------
    fields : tuple of str
        Fields of :class:`~hwconv.spec.ConvSpec`.
    name, values : str
        For people: what it is called, and what it may be, in golden model and hardware alike.
    limits : tuple of int, optional
        Smallest and largest value of each number in the field.
    choices : tuple of str
        The only values, where they are names.
    except_for : str
        What is refused by name nevertheless, and where; empty if nothing is.
    tested : tuple of str
        Against what, beside the golden model: the hardware is compared with that everywhere.
    files : tuple of str
        The tests' files.
    """

    fields: tuple[str, ...]
    name: str
    values: str
    limits: tuple[int, int] | None = None
    choices: tuple[str, ...] = ()
    except_for: str = ""
    tested: tuple[str, ...]
    files: tuple[str, ...]


_VECTORS = "CMSIS-NN vectors"
_TFLM = "tflite-micro, random layers"
_ORT = "onnxruntime, random layers"
_PROGRAM = "programs of several layers"

ATTRIBUTES = (
    Attribute(
        fields=("height", "width", "in_channels", "out_channels"),
        name="frame and channels",
        values=f"1 to {MAX_EXTENT:,}; frames and weights below {MAX_ELEMENTS:,} elements",
        limits=(1, MAX_EXTENT),
        tested=(_VECTORS, _TFLM, _ORT, "MLPerf Tiny models"),
        files=("test_vectors_golden.py", "test_oracles.py", "test_engine_networks.py", "test_engine_random.py"),
    ),
    Attribute(
        fields=("kernel",),
        name="kernel",
        values=f"1 to {MAX_EXTENT:,} each way, larger than the frame too where pads allow",
        limits=(1, MAX_EXTENT),
        tested=(_VECTORS, _TFLM, _ORT),
        files=("test_engine_vectors.py", "test_oracles.py", "test_engine_random.py"),
    ),
    Attribute(
        fields=("stride",),
        name="stride",
        values=f"1 to {MAX_EXTENT:,} each way",
        limits=(1, MAX_EXTENT),
        tested=(_VECTORS, _TFLM, _ORT),
        files=("test_engine_vectors.py", "test_oracles.py", "test_engine_random.py", "test_engine_tall_pads.py"),
    ),
    Attribute(
        fields=("dilation",),
        name="dilation",
        values=f"1 to {MAX_EXTENT:,} each way",
        limits=(1, MAX_EXTENT),
        tested=(_VECTORS, "DeepLab's dilated layer", _TFLM, _ORT),
        files=("test_engine_vectors.py", "test_oracles.py", "test_engine_random.py"),
    ),
    Attribute(
        fields=("padding",),
        name="padding",
        values=f"four pads of 0 to {MAX_EXTENT:,}, `same` or `valid`; reads as the zero point, crops where transposed",
        limits=(0, MAX_EXTENT),
        tested=(_VECTORS, _TFLM, _ORT),
        files=("test_engine_vectors.py", "test_oracles.py", "test_engine_tall_pads.py", "test_engine_short_frames.py"),
    ),
    Attribute(
        fields=("groups",),
        name="groups",
        values="any divisor of both channel counts; depthwise with any channel multiplier",
        limits=(1, MAX_EXTENT),
        tested=(_VECTORS, _TFLM, _ORT),
        files=("test_engine_vectors.py", "test_oracles.py", "test_engine_random.py"),
    ),
    Attribute(
        fields=("transposed", "output_padding"),
        name="transposed",
        values=f"with any of the above; output padding of 0 to {MAX_EXTENT:,}",
        limits=(0, MAX_EXTENT),
        except_for=_PROGRAM,
        tested=(_VECTORS, "SEANet vectors", _TFLM, _ORT),
        files=("test_transposed_spec.py", "test_transposed_random.py", "test_engine_vectors.py", "test_oracles.py"),
    ),
    Attribute(
        fields=("streaming",),
        name="streaming",
        values="rows above a frame are those of the frames before it",
        except_for=f"rows below, transposed layers, {_PROGRAM}",
        tested=("the whole sequence in one frame",),
        files=("test_streaming.py",),
    ),
    Attribute(
        fields=("input_dtype",),
        name="activations",
        values=", ".join(INPUT_DTYPES),
        choices=INPUT_DTYPES,
        except_for=f"{_PROGRAM}: int8 only; int4 in graphs",
        tested=(_VECTORS, "SEANet vectors", "DeepLab's uint8 layer", _TFLM, _ORT),
        files=("test_vectors_golden.py", "test_oracles.py", "test_engine_formats.py", "test_random_networks.py"),
    ),
    Attribute(
        fields=("weight_dtype",),
        name="weights",
        values=", ".join(WEIGHT_DTYPES) + "; two products a multiplier up to int5",
        choices=WEIGHT_DTYPES,
        tested=(_VECTORS, _TFLM, _ORT),
        files=("test_vectors_golden.py", "test_oracles.py", "test_engine_formats.py", "test_packed_pe.py"),
    ),
    Attribute(
        fields=("input_zero_point", "weight_zero_point", "output_zero_point"),
        name="zero points",
        values="the range of the type; of input without padding and of output one bit more",
        tested=(_VECTORS, _TFLM, _ORT),
        files=("test_oracles.py", "test_engine_formats.py", "test_engine_random.py"),
    ),
    Attribute(
        fields=("requantisation",),
        name="requantisation",
        values=", ".join(REQUANTISATIONS) + ", per channel or not",
        choices=REQUANTISATIONS,
        except_for=f"`onnx` with int16 outputs; {_PROGRAM}: tflite and shift only",
        tested=(_VECTORS, _TFLM, _ORT, "proof of every threshold by the plan"),
        files=("test_oracles.py", "test_golden_requantise.py", "test_plan_requantise.py", "test_engine_formats.py"),
    ),
    Attribute(
        fields=("output_dtype", "activation_min", "activation_max"),
        name="outputs and clamp",
        values=", ".join(OUTPUT_DTYPES) + " (int32 with requantisation none); any clamp within the type",
        tested=(_VECTORS, _TFLM, _ORT),
        files=("test_oracles.py", "test_engine_formats.py", "test_engine_random.py"),
    ),
    Attribute(
        fields=("name",),
        name="name",
        values="one printable line of 1 to 200 characters; becomes the Verilog module's name",
        tested=("Verilog's reserved words",),
        files=("test_spec.py", "test_cli.py"),
    ),
)


_INTRODUCTION = """\
# Attributes

What a layer may be. Golden model and hardware support the same, and compute the same; what is not supported is refused
by an error that names layer, field and value. Written from `hwconv/attributes.py` by `make gallery`; docs/formats.md
says which number formats go together.

| attribute | fields | values | refused by name | tested against | tests |
|---|---|---|---|---|---|
"""


def attribute_page() -> str:
    """The table as a page of `docs/`."""
    return _INTRODUCTION + "".join(f"{row}\n" for row in _rows())


def _rows() -> Iterator[str]:
    for item in ATTRIBUTES:
        fields = ", ".join(f"`{field}`" for field in item.fields)
        files = ", ".join(f"`{name}`" for name in item.files)
        yield f"| {item.name} | {fields} | {item.values} | {item.except_for} | {', '.join(item.tested)} | {files} |"
