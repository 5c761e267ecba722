"""Hostile `.toml` descriptions: other values and keys, text that a parser chokes on, damaged files beside."""

import re
from pathlib import Path

import numpy as np

from fuzzing import npy
from fuzzing.mutate import NUMBERS, chance, damaged, one

KEYS = (
    "height", "width", "in_channels", "out_channels", "kernel", "stride", "dilation", "padding", "groups", "length",
    "inputs", "outputs", "input_zero_point", "weight_zero_point", "output_zero_point", "input_dtype", "weight_dtype",
    "output_dtype", "requantisation", "activation_min", "activation_max", "weights", "weights_layout", "bias", "scale",
    "input_scale", "weight_scale", "output_scale", "multiplier", "shift", "input", "expected", "name", "layer",
    "nothing", "", "'a.b'", "a.b", "a.b.c.d.e.f", '"\\u0000"', "ü", "transposed", "output_padding", "streaming",
)  # fmt: skip
VALUES = (
    "1", "3", "[1, 1]", "[2, 3]", "[0, 1, 2, 3]", "[[1, 0], [0, 1]]", "[]", "[[]]", "[[], []]", "[1, 'a']",
    "[[1], [2, 3]]", "{ seed = 1 }", "{ seed = 1, frames = 3 }", "{ seed = 1, low = -3, high = 3 }", "{ seed = -1 }",
    "{ seed = 1, low = 9 }",
    "{ seed = 1, frames = 9999999999 }", "{ file = 'x.npy' }", "{ file = 'x.npy', member = 'a' }", "{ file = 7 }", "{}",
    "'x.npy'", "'missing.npy'", "'layer.toml'", "'.'", "'/dev/zero'", "'../x.npy'", "'a\\u0000b'", '"a\\u0000b"', "''",
    "true", "0.1", "-0.0", "nan", "inf", "-inf", "1e400", "1e-400", "1e308", "1979-05-27", "07:32:00", "1979-13-45",
    "'same'", "'valid'", "'causal'", "'int16'", "'uint8'", "'int4'", "'int32'", "'none'", "'onnx'", "'shift'",
    "'tflite16'", "'OIHW'", "'OI'", "'1HWO'", "'HW'", "'x'",
    '"' + "x" * 300 + '"', "'''\nx\n'''", '"\\uD800"',
    "[" * 50 + "]" * 50, "[" * 5000, "{ a = " * 40 + "1" + " }" * 40, "0x" + "f" * 9000, "9" * 9000, "1_0_0", "=", "",
    "[" + "1, " * 5000 + "]", "[" + "[1, 2], " * 2000 + "]",
)  # fmt: skip
LINES = (
    "[layer]", "[[layer]]", "[layer.b]", "[other]", "[", "]", "=", "# \x01", "\\", "'''", '"""', "\ufeff", "\r", "\0",
    ".".join("a" * 3000) + " = 1", '"a".' * 3000 + "a = 1", "[" + ".".join("a" * 3000) + "]", "a" * 60000,
    "x = {" * 500,
)  # fmt: skip


def write(random: np.random.Generator, path: Path, seeds: list[Path]) -> None:
    """Writes one hostile description, and the file `x.npy` that it may name."""
    text, other = (one(random, seeds).read_text(encoding="utf-8") for _ in range(2))
    array = np.arange(12, dtype=np.int8).reshape(one(random, (*[(3, 2, 1, 2)] * 6, (12,), (3, 4), (3, 2, 2))))
    beside = npy.dump(array) if chance(random, 0.8) else npy.hostile(random, array, other.encode())
    path.with_name("x.npy").write_bytes(beside)
    content = text.encode()
    if chance(random, 0.25):
        content = damaged(random, content, other.encode())
    else:
        lines = text.splitlines()
        for _ in range(int(random.integers(1, 4))):
            _change(random, lines)
        content = "\n".join(lines).encode("utf-8", "surrogatepass")
    path.write_bytes(content)


def _change(random: np.random.Generator, lines: list[str]) -> None:
    at = int(random.integers(len(lines) + 1))
    value = one(random, (one(random, VALUES), str(one(random, NUMBERS)), str(int(random.integers(-1, 6)))))
    match int(random.integers(12)):
        case 0 if lines:
            del lines[at - 1]
        case 1:
            lines.insert(at, one(random, LINES))
        case 2 | 3 | 4 if lines:
            key = lines[at - 1].partition("=")[0]
            lines[at - 1] = f"{key}= {value}"
        case 5 | 6:
            lines.append(f"{one(random, KEYS)} = {value}")
        case _ if lines:  # another number where one was
            at = int(random.integers(len(lines)))
            lines[at] = re.sub(r"\b\d+\b", lambda found: str(int(random.integers(5))), lines[at], count=1)
