"""What is supported: one row for each attribute of a layer, with its range and what it is tested against.

`docs/attributes.md` is written from this table by ``make gallery``. A test compares both, asks of all ranges that the
specification accepts its ends and refuses what is beyond, and that every field of a specification has a row.
"""

from dataclasses import dataclass

from .add import ADD_DTYPES
from .pool import POOL_DTYPES
from .spec import (
    INPUT_DTYPES,
    MAX_ELEMENTS,
    MAX_EXTENT,
    OUTPUT_DTYPES,
    REQUANTISATIONS,
    WEIGHT_DTYPES,
)
from .upscale import UPSCALE_DTYPES


@dataclass(frozen=True, kw_only=True)
class Attribute:
    """One attribute.

    Attributes
    ----------
    fields : tuple of str
        Fields of :class:`~hwconv.spec.ConvSpec`, or of the specification of another node of a graph.
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
        except_for=f"{_PROGRAM}: int8 and uint8 only; int4 in graphs",
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
        except_for=f"`onnx` with int16 outputs; {_PROGRAM}: tflite, onnx and shift only",
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


_NODES = "random graphs"
_LOWER = "uint8 as int8 128 lower"

NODES = {
    "max_pool, average_pool": (
        Attribute(
            fields=("kernel", "stride", "padding"),
            name="window",
            values=f"1 to {MAX_EXTENT:,} each way; pads smaller than the kernel, counted by neither",
            except_for="`.onnx`: see docs/networks.md",
            tested=(_TFLM, _ORT, _NODES),
            files=("test_golden_graph.py", "test_graph_engines.py", "test_frontend_onnx_model.py"),
        ),
        Attribute(
            fields=("activation_min", "activation_max"),
            name="clamp",
            values="any within the type; one scale and zero point in and out",
            tested=(_TFLM,),
            files=("test_golden_graph.py",),
        ),
        Attribute(
            fields=("dtype",),
            name="type",
            values=", ".join(POOL_DTYPES),
            except_for="averages of int16 over more than 8,192 elements",
            tested=(_TFLM, _LOWER, _NODES),
            files=("test_random_networks.py", "test_golden_graph.py", "test_graph_engines.py"),
        ),
    ),
    "mean": (
        Attribute(
            fields=("kernel", "stride"),
            name="window",
            values="any, without pads; of models the whole height, width or both",
            except_for="other axes, axes that are computed",
            tested=(_TFLM, "MCUNet"),
            files=("test_mean.py", "test_frontend_tflite_model.py", "test_random_networks.py"),
        ),
        Attribute(
            fields=("input_zero_point", "output_zero_point", "multiplier", "shift"),
            name="scale",
            values="any of input and output",
            except_for="a sum that, shifted left, leaves int32",
            tested=(_TFLM, "every sum of a window in hardware", "proof of every threshold by the plan"),
            files=("test_mean.py",),
        ),
        Attribute(
            fields=("dtype",),
            name="type",
            values=", ".join(POOL_DTYPES),
            tested=(_TFLM, _LOWER),
            files=("test_mean.py", "test_random_networks.py", "test_graph_engines.py"),
        ),
    ),
    "add": (
        Attribute(
            fields=(
                "input_zero_points", "multipliers", "shifts", "output_zero_point", "output_multiplier", "output_shift",
            ),
            name="scales",
            values="any of both operands and the sum",
            except_for="broadcasting, a sum that is scaled up",
            tested=("tflite-micro, all pairs of operands", "all pairs in hardware"),
            files=("test_random_networks.py", "test_graph_add.py"),
        ),
        Attribute(
            fields=("dtype",),
            name="type",
            values=", ".join(ADD_DTYPES),
            except_for="int16",
            tested=(_TFLM, _LOWER, "all pairs in hardware"),
            files=("test_random_networks.py", "test_graph_add.py", "test_graph_engines.py"),
        ),
    ),
    "nearest": (
        Attribute(
            fields=("factor",),
            name="factors",
            values=f"1 to {MAX_EXTENT:,} each way, every pixel repeated alike",
            except_for="coordinates by which pixels are not all repeated alike, other sizes",
            tested=(_TFLM, "onnxruntime and the reference of onnx, every way of coordinates", _NODES),
            files=("test_upscale.py", "test_upscale_models.py", "test_random_networks.py", "test_graph_engines.py"),
        ),
        Attribute(
            fields=("dtype",),
            name="type",
            values=", ".join(UPSCALE_DTYPES),
            except_for="int16 in `.onnx`",
            tested=(_TFLM, _LOWER, _NODES),
            files=("test_upscale.py", "test_upscale_models.py", "test_random_networks.py", "test_graph_engines.py"),
        ),
    ),
    "depth_to_space": (
        Attribute(
            fields=("factor", "order"),
            name="block",
            values="any whose area divides the channels, also unequal each way; DCR and CRD, which takes a value a "
            "beat unless one channel is left",
            tested=(_TFLM, _ORT, _NODES),
            files=("test_upscale.py", "test_upscale_models.py", "test_random_networks.py", "test_graph_engines.py"),
        ),
        Attribute(
            fields=("dtype",),
            name="type",
            values=", ".join(UPSCALE_DTYPES),
            except_for="int16 in `.onnx`",
            tested=(f"{_TFLM} but for int16", _LOWER, "int16 by the definition", _NODES),
            files=("test_upscale.py", "test_upscale_models.py", "test_random_networks.py", "test_graph_engines.py"),
        ),
    ),
}  # fmt: skip
"""Of nodes of a graph that are no convolutions, by what descriptions call them."""


_INTRODUCTION = """\
# Attributes

What a layer may be. Golden model and hardware support the same, and compute the same; what is not supported is refused
by an error that names layer, field and value. Written from `hwconv/attributes.py` by `make gallery`; docs/formats.md
says which number formats go together.

| attribute | fields | values | refused by name | tested against | tests |
|---|---|---|---|---|---|
"""


_INTRODUCTION_OF_NODES = """
## Nodes of a graph that are no convolutions

docs/graphs.md describes them, docs/networks.md what becomes of a model's operators. `concat` and `reshape` have no
attributes but shapes.

| node | attribute | fields | values | refused by name | tested against | tests |
|---|---|---|---|---|---|---|"""


def attribute_page() -> str:
    """The table as a page of `docs/`."""
    nodes = [f"| {node} {row}" for node, items in NODES.items() for row in map(_row, items)]
    lines = [*map(_row, ATTRIBUTES), _INTRODUCTION_OF_NODES, *nodes]
    return _INTRODUCTION + "".join(f"{line}\n" for line in lines)


def _row(item: Attribute) -> str:
    fields = ", ".join(f"`{field}`" for field in item.fields)
    files = ", ".join(f"`{name}`" for name in item.files)
    return f"| {item.name} | {fields} | {item.values} | {item.except_for} | {', '.join(item.tested)} | {files} |"
