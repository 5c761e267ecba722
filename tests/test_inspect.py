"""`hwconv inspect`: every operator of a model with what becomes of it, and how far an output sees."""

import json

import numpy as np
import pytest
from test_cli import error_line, run
from test_frontend_onnx_model import oracle, small
from test_frontend_tflite_model import ACTIVATION, POOL, WINDOW, everything, like, softmax, weights
from tflite_builder import Operator, build

from hwconv import api
from hwconv.graph import Concat, Conv, Graph, Pool, Reshape
from hwconv.inspection import receptive_field
from hwconv.pool import PoolSpec
from hwconv.spec import ConvSpec


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "small.tflite"
    path.write_bytes(everything())
    return path


@pytest.fixture
def unsupported(tmp_path):
    """A convolution, what is not supported, and a softmax."""
    path = tmp_path / "other.tflite"
    tensors = [ACTIVATION, weights((2, 1, 1, 2)), like(), like(), like((1, 3, 3, 2)), softmax((1, 3, 3, 2))]
    path.write_bytes(build(tensors, [
        Operator("CONV_2D", [0, 1, -1], [2], WINDOW),
        Operator("TANH", [2], [3]),
        Operator("MAX_POOL_2D", [3], [4], POOL),
        Operator("SOFTMAX", [4], [5], {"Beta": 1.0}),
    ]))  # fmt: skip
    return path


def test_a_model_is_shown_operator_by_operator(model, capsys):
    assert run("inspect", model, "--json") == 0
    out, err = capsys.readouterr()
    assert err == ""
    found = json.loads(out)
    assert out == json.dumps(found, indent=2, sort_keys=True) + "\n"
    assert found["model"] == "small"
    assert found["problems"] == []
    convolution = found["operators"][1]
    assert convolution == {
        "index": 1, "operator": "CONV_2D", "place": "engine", "node": "op1_conv_2d", "reads": [[1, 4, 4, 2]],
        "makes": [[1, 4, 4, 2]], "macs": 576, "weights": 36, "activation_bytes": 32, "note": "",
    }  # fmt: skip
    assert [row["place"] for row in found["operators"]].count("host") == 4
    assert found["operators"][8]["activation_bytes"] == 16  # four float32
    assert found["totals"] == {
        "macs": 576 + 96 + 180, "weights": 36 + 6 + 180, "activation_bytes": 32 * 3 + 48 + 80 + 45 + 4 + 4 + 16 + 4,
        "engine": 5, "free": 1, "host": 4, "refused": 0,
    }  # fmt: skip
    assert found["frame"] == [4, 4, 2]
    assert found["receptive_field"] == [6, 6]  # 3x3 pooled pixels of 2x2 each are 4x4, and one around


def test_a_model_is_shown_to_people(model, capsys):
    assert run("inspect", model) == 0
    out = capsys.readouterr().out
    for words in ("CONV_2D", "4x4x2", "576", "engine", "852 MACs, 222 weights", "5 operators in engines, 1 free, 4 on",
                  "an output sees 6 x 6 pixels; the frame has 4 x 4"):  # fmt: skip
        assert words in out


def test_a_model_that_is_not_supported_is_shown_whole_with_exit_code_1(unsupported, capsys):
    assert run("inspect", unsupported, "--json") == 1
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert [row["place"] for row in found["operators"]] == ["engine", "refused", "engine", "host"]
    assert found["operators"][1]["note"] == found["problems"][0]
    assert found["receptive_field"] is None
    assert err.startswith("hwconv: error: other.tflite operator 1 (TANH): operator = 'TANH' is not supported")
    assert err.count("\n") == 1
    assert run("inspect", unsupported) == 1
    out = capsys.readouterr().out
    assert "refused" in next(line for line in out.splitlines() if "TANH" in line)
    assert "refused: other.tflite operator 1 (TANH)" in out


@pytest.mark.parametrize("content", [None, b"", b"PK\x03\x04 cut off", b"\x1c\0\0\0TFL3 cut off", b"\x89PNG\r\n"])
def test_a_file_that_cannot_be_read_is_one_line_and_code_1(tmp_path, capsys, content):
    path = tmp_path / "model\nfile.tflite"
    if content is not None:
        path.write_bytes(content)
    for options in ([], ["--json"]):
        assert run("inspect", path, *options) == 1
        assert "model file.tflite: " in error_line(capsys)


def test_a_model_of_onnx_is_shown(tmp_path, capsys):
    oracle("onnx")
    path = tmp_path / "small.onnx"
    path.write_bytes(small().model().SerializeToString())
    assert run("inspect", path, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["totals"]["engine"] == 4
    assert found["totals"]["weights"] == 24 * 5 + sum(
        row["weights"] for row in found["operators"] if row["operator"] == "Conv"
    )
    assert found["frame"] == [6, 4, 2]
    assert found["receptive_field"] is not None


def test_every_operator_of_a_real_model_is_shown(material):
    found = api.inspect(material / "mlperf_tiny" / "pretrainedResnet_quant.tflite")
    # MLPerf Tiny's own figures: 12.5 M MACs; the receptive field is 1 + 2 + 2 + 2 + 2 + 4 + 4 + 8 + 7 * 4
    assert found.totals["macs"] == 12_501_632
    assert found.receptive_field == (53, 53)
    found = api.inspect(material / "mlperf_tiny" / "vww_96_int8.tflite")
    assert found.receptive_field == (379, 379)  # MobileNet's 315, and two more of its pixels of 32
    found = api.inspect(material / "models" / "micro_speech_quantized.tflite")
    assert (found.frame, found.receptive_field) == ((49, 40, 1), (58, 46))


def seen(graph: Graph, pixel: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns between the first and the last input pixel that a pixel of the output depends on, by trying."""
    from hwconv.golden import graph as golden
    from hwconv.graph import Network
    from hwconv.layer import LayerParameters

    parameters = {
        node.name: LayerParameters(
            weights=np.ones(node.spec.weight_shape, np.int8), multiplier=np.int32(1 << 30), shift=np.int32(1)
        )
        for node in graph.convolutions
    }
    network = Network(graph, parameters)
    height, width, channels = graph.input_shape
    x = np.zeros((height * width + 1, height, width, channels), np.int8)
    for index in range(height * width):
        x[index].reshape(-1, channels)[index] = 1
    y = golden.run(network, x)[:, pixel[0], pixel[1]].any(axis=1)[:-1].reshape(height, width)
    rows, columns = np.flatnonzero(y.any(axis=1)), np.flatnonzero(y.any(axis=0))
    return int(rows[-1] - rows[0] + 1), int(columns[-1] - columns[0] + 1)


def conv(name, before, source, height, width, **fields):
    return Conv(input=source, spec=ConvSpec(name=name, height=height, width=width, in_channels=before, **fields))


GRAPHS = {
    "dense": (conv("a", 1, "input", 21, 21, out_channels=1, kernel=(3, 5), stride=(2, 1), padding="same"),
              conv("b", 1, "a", 11, 21, out_channels=1, kernel=(3, 1), dilation=(2, 1), padding="same")),
    "branches": (conv("a", 1, "input", 21, 21, out_channels=1, kernel=(5, 1), padding="same"),
                 conv("b", 1, "input", 21, 21, out_channels=1, kernel=(1, 7), padding="same"),
                 Concat(name="c", inputs=("a", "b"))),
    "pool": (Pool(input="input", spec=PoolSpec(name="p", kind="max", height=21, width=21, channels=1, kernel=(3, 2))),
             conv("b", 1, "p", 7, 10, out_channels=1, kernel=(3, 3), padding="same")),
    "transposed": (conv("t", 1, "input", 21, 21, out_channels=1, kernel=(5, 2), stride=(2, 2), transposed=True,
                        padding=(1, 2, 0, 0)),
                   conv("b", 1, "t", 42, 42, out_channels=1, kernel=(3, 3), padding="same")),
}  # fmt: skip


@pytest.mark.parametrize("case", GRAPHS)
def test_the_receptive_field_is_what_an_output_depends_on(case):
    graph = Graph(height=21, width=21, channels=1, nodes=GRAPHS[case])
    height, width, _ = graph.output_shape
    middle = [(height // 2 + down, width // 2 + across) for down in range(2) for across in range(2)]
    tried = [seen(graph, pixel) for pixel in middle]
    assert receptive_field(graph) == (max(rows for rows, _ in tried), max(columns for _, columns in tried))


def test_a_reshape_reads_all_that_it_reshapes():
    graph = Graph(height=6, width=8, channels=1, nodes=(
        conv("a", 1, "input", 6, 8, out_channels=1, kernel=(3, 3), padding=(1, 0, 1, 0), stride=(2, 2)),
        Reshape(name="flat", input="a", height=1, width=1, channels=12),
        conv("b", 12, "flat", 1, 1, out_channels=2, kernel=(1, 1)),
    ))  # fmt: skip
    assert receptive_field(graph) == (7, 9)
