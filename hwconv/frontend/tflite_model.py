"""A whole ``.tflite`` model: the network that hardware computes, and what is left to the host.

:func:`load_model` refuses what it cannot do exactly; :func:`survey_model` says of every operator what becomes of it.
docs/networks.md describes both.
"""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..errors import FormatError, HwconvError, SpecError, UnsupportedError, one_of
from ..graph import INPUT, STREAM_DTYPES, Add, Concat, Conv, Graph, Network, Node, Pool, Reshape, Upscale, result_of
from ..graph import Tensor as Frame
from ..host import Reshape as HostReshape
from ..layer import Layer, LayerParameters
from ..model import HostStep, Model, ModelTensor, OperatorRecord, Survey
from ..spec import Padding
from .model_reader import ModelReader
from .tflite_axes import AXES, Ordered, mean_of, transposed, usual_axes
from .tflite_constants import ELEMENTWISE, frame_of, product_of
from .tflite_convolution import CONVOLUTIONS, ConvolutionReader
from .tflite_file import NUMBER_COST, ModelFile, Tensor, contained, vector_of
from .tflite_operator import OperatorReader, label_of, tensors_of
from .tflite_steps import (
    AFTER,
    PADS,
    POOLS,
    add_of,
    check_concatenation,
    check_reshape,
    host_operation,
    pads_of,
    pool_of,
    rescaled,
)
from .tflite_upscale import UPSCALES, upscale_of

OPERATORS = (*CONVOLUTIONS, *ELEMENTWISE, *POOLS, "CONCATENATION", "RESHAPE", *AXES, *UPSCALES, *PADS, *AFTER)
"""All that are known."""


def load_model(path: str | Path) -> Model:
    """Reads a whole model.

    Raises
    ------
    UnsupportedError
        An operator, a type or a connection that is not supported: says which operator, by index and name, which field,
        and what is supported. The first one of :func:`survey_model`.
    SpecError
        Values that no layer can have.
    FormatError
        A file that is missing, truncated or no model, or that contradicts itself.
    """
    return survey_model(path).loaded()


def survey_model(path: str | Path) -> Survey:
    """Reads a model whether or not it is supported; raises :class:`FormatError` as :func:`load_model` does."""
    path = Path(path)
    with contained(path):
        return _Surveyor(ModelFile(path)).survey()


class _Place(NamedTuple):
    """What becomes of an operator: fields of its record."""

    place: str
    node: str | None = None
    note: str = ""
    layer: Layer | None = None


class _Surveyor(ModelReader):
    """One model, read operator after operator."""

    def __init__(self, model: ModelFile) -> None:
        super().__init__(model.path, "operators")
        self.model = model
        self.calls = [tensors_of(model, index) for index in range(len(model))]
        self.inputs, self.outputs = (
            self._ends(vector) for vector in (model.graph.InputsAsNumpy(), model.graph.OutputsAsNumpy())
        )
        self.known: dict[int, Tensor] = {}
        self.makers: dict[int, int] = {}
        for index, (_, outputs) in enumerate(self.calls):
            for number in outputs:
                if number in self.makers or number in self.inputs:
                    other = f"operator {self.makers[number]} makes" if number in self.makers else "comes in"
                    raise FormatError(model.path, f"operator {index} makes tensor {number}, which {other} as well")
                self.makers[number] = index
        self.readers: dict[int, list[int]] = defaultdict(list)
        for index, (inputs, _) in enumerate(self.calls):
            for number in inputs:
                if self.makers.get(number, -1) >= index:
                    problem = f"reads tensor {number}, which operator {self.makers[number]} makes"
                    what = f"operator {index} ({model.operator_name(index)}) {problem}"
                    raise FormatError(model.path, f"{what}: operators stand in the order in which they run")
                if number in self.makers or number in self.inputs:
                    self.readers[number].append(index)
        self.names: dict[int, str] = {}
        self.of_host: set[int] = set()
        self.ordered: dict[int, Ordered] = {}
        self.padded: dict[int, tuple[int, Padding]] = {}
        self.parameters: dict[str, LayerParameters] = {}

    def _ends(self, vector: object) -> tuple[int, ...]:
        numbers = vector_of(vector)
        self.model.claim(NUMBER_COST * len(numbers))
        return tuple(int(number) for number in numbers)

    def survey(self) -> Survey:
        """Everything put together."""
        self._check_ends()
        if self.inputs:
            self.names[self.inputs[0]] = INPUT
        return self.concluded(tuple(self._record(index) for index in range(len(self.model))), self._model)

    def _check_ends(self) -> None:
        graphs = int(self.model.model.SubgraphsLength())
        if graphs != 1:
            self.problem("subgraphs", graphs, "one: no control flow, no initialisation of variables")
        self.check_ends(self.inputs, self.outputs)
        for number in self.inputs[:1]:
            if number not in self.readers:
                self.problem("input", f"tensor {number}, which no operator reads", "one that is read")
        for number in self.outputs[:1]:
            if number not in self.makers:
                self.problem("output", f"tensor {number}, which no operator makes", "one that is computed")

    def _tensor(self, number: int) -> Tensor:
        if number not in self.known:
            self.known[number] = self.model.tensor(number)
        return self.known[number]

    def _about(self, number: int) -> ModelTensor:
        tensor = self._tensor(number)
        computed = number in self.makers or number in self.inputs
        return ModelTensor(number=number, shape=tensor.shape, dtype=tensor.dtype, constant=not computed)

    def _record(self, index: int) -> OperatorRecord:
        name = self.model.operator_name(index)
        inputs, outputs = (tuple(self._about(each) for each in numbers if each != -1) for numbers in self.calls[index])
        error: HwconvError | None = None
        try:
            found = self._place(index, name)
        except (UnsupportedError, SpecError) as refused:
            error, found = refused, _Place("refused", note=str(refused))
            self.problems.append(refused)
        spec = None if found.layer is None else found.layer.spec
        return OperatorRecord(
            index=index,
            name=name,
            place=found.place,
            node=found.node,
            inputs=inputs,
            outputs=outputs,
            macs=0 if spec is None else spec.macs,
            weights=0 if found.layer is None else int(found.layer.parameters.weights.size),
            note=found.note,
            error=error,
        )

    def _place(self, index: int, name: str) -> _Place:
        if name not in OPERATORS:
            raise UnsupportedError(label_of(self.model, index), "operator", name, one_of(OPERATORS))
        reader = OperatorReader(self.model, index)
        for number in self.calls[index][1]:
            others = [each for each in self.readers[number] if each != index]
            if number not in self.outputs and not others:
                reader.refuse(f"tensor {number}", "read by no operator", "results that are read, or the model's output")
            if number in self.outputs and others:
                supported = "an output that nothing else reads"
                reader.refuse(f"tensor {number}", f"the output, and read by operator {others[0]}", supported)
        if name in CONVOLUTIONS:
            return self._convolution(index, name)
        if name in PADS:
            return self._pad(reader)
        if name == "RESHAPE":
            return self._reshape(reader)
        if name in AFTER:
            return self._host(reader)
        if name in AXES:
            return self._axes(reader)
        return self._combined(reader)

    def _source(self, reader: OperatorReader, number: int) -> tuple[str, Frame]:
        """The tensor of the network that an activation is, refused where it is none."""
        tensor = self._tensor(number)
        if number not in self.makers and number not in self.inputs and not tensor.variable:
            if not tensor.has_content:
                reader.contradicts(f"reads tensor {number}, which nothing makes")
            reader.refuse(f"tensor {number}", "a constant", "activations that are computed")
        if number in self.of_host:
            maker = self.makers[number]
            what = f"made by operator {maker} ({self.model.operator_name(maker)}) on the host"
            reader.refuse(f"tensor {number}", what, "the host's operators after all others")
        if number in self.ordered:
            reader.refuse(f"tensor {number}", "axes in another order", f"read by {one_of(AXES)}")
        height, width, channels = reader.frame(tensor)
        zero_point = reader.zero_point(tensor)
        frame = Frame(height=height, width=width, channels=channels, dtype=tensor.dtype, zero_point=zero_point)
        return self.names.get(number, f"tensor_{number}"), frame

    def _add_node(self, reader: OperatorReader, node: Node, inputs: Sequence[Frame], output: Tensor) -> None:
        """Takes a node up whose result is a tensor of the file."""
        result, expected = result_of(node, inputs), reader.frame(output)
        if result.shape != expected:
            reader.contradicts(f"makes frames of {result.shape}; tensor {output.index} is one of {expected}")
        if (result.dtype, result.zero_point) != (output.dtype, reader.zero_point(output)):
            made = f"makes {result.dtype} with zero point {result.zero_point}"
            reader.contradicts(f"{made}; tensor {output.index} is {output.dtype} with {reader.zero_point(output)}")
        self.nodes.append(node)
        self.names[output.index] = node.name

    def _convolution(self, index: int, name: str) -> _Place:
        node_name = f"op{index}_{name.lower()}"
        inputs = self.calls[index][0]
        at = 2 if name == "TRANSPOSE_CONV" else 0
        number = inputs[at] if at < len(inputs) else -1
        padded = None
        if number in self.padded:
            number, pads = self.padded[number]
            padded = self._tensor(number), pads
        reader = ConvolutionReader(self.model, index, name=node_name, padded=padded)
        source, frame = self._source(reader, number)
        reader.frame(reader.output)
        layer = reader.layer()
        if name == "FULLY_CONNECTED" and frame.shape != layer.spec.input_shape:
            vector = Reshape(name=f"op{index}_vector", input=source, height=1, width=1,
                             channels=frame.pixels * frame.channels)  # fmt: skip
            if vector.channels != layer.spec.in_channels:
                reader.refuse("input shape", reader.input.shape, f"one vector of {layer.spec.in_channels} values")
            frame = result_of(vector, [frame])
            self.nodes.append(vector)
            source = vector.name
        self._add_node(reader, Conv(input=source, spec=layer.spec), [frame], reader.output)
        self.parameters[node_name] = layer.parameters
        note = "" if padded is None else "with the pads of the operator before"
        return _Place("engine", node_name, note, layer)

    def _pad(self, reader: OperatorReader) -> _Place:
        inputs, output = reader.tensors(*((3, 3) if reader.operator == "PADV2" else (2, 2)))
        self._source(reader, inputs[0].index)
        reader.frame(output)
        pads = pads_of(reader, inputs[0], inputs[1], inputs[2] if len(inputs) > 2 else None, output)
        readers = self.readers[output.index]
        names = [f"{self.model.operator_name(each)} (operator {each})" for each in readers]
        takes = len(readers) == 1 and self.model.operator_name(readers[0]) in ("CONV_2D", "DEPTHWISE_CONV_2D")
        if not takes or self.calls[readers[0]][0][0] != output.index:
            reader.refuse("read by", one_of(names) or "none", "one CONV_2D or DEPTHWISE_CONV_2D, which makes the pads")
        self.padded[output.index] = inputs[0].index, pads
        return _Place("free", note=f"pads of operator {readers[0]}")

    def _reshape(self, reader: OperatorReader) -> _Place:
        inputs, output = reader.tensors(1, 2)
        x = inputs[0]
        check_reshape(reader, x, inputs[1] if len(inputs) > 1 else None, output)
        if x.index in self.of_host:
            for tensor in (x, output):
                reader.check_shape(tensor)
            if output.dtype != x.dtype:
                reader.contradicts(f"makes {output.dtype} of {x.dtype}")
            self._host_step(reader, HostStep(index=reader.index, name=reader.operator, operation=HostReshape(),
                                             input=self._about(x.index), output=self._about(output.index)))  # fmt: skip
            return _Place("free", note="on the host")
        source, frame = self._source(reader, x.index)
        height, width, channels = reader.frame(output)
        reader.same_quantisation(output, x)
        if (height, width, channels) == frame.shape:
            self.names[output.index] = source
            return _Place("free", note="the same frame")
        name = f"op{reader.index}_reshape"
        node = Reshape(name=name, input=source, height=height, width=width, channels=channels)
        self._add_node(reader, node, [frame], output)
        return _Place("free", name)

    def _axes(self, reader: OperatorReader) -> _Place:
        """Means, and axes in another order, which only means take."""
        inputs, output = reader.tensors(2, 2)
        x = inputs[0]
        if x.index in self.ordered:
            before = self.ordered[x.index]
        else:
            before = Ordered(*self._source(reader, x.index), usual_axes(x))
        shape, name = reader.frame(output), f"op{reader.index}_{reader.operator.lower()}"
        mean = None
        if reader.operator == "MEAN":
            spec, axes = mean_of(reader, name, before)
            mean = Pool(input=before.name, spec=spec)
            made = Ordered(name, result_of(mean, [before.frame]), axes)
        else:
            made = transposed(reader, before)
        if not made.in_order and output.index in self.outputs:
            reader.refuse(f"tensor {output.index}", "axes in another order", f"read by {one_of(AXES)}, and no output")
        if mean is not None:
            self.nodes.append(mean)
        place = _Place("engine", name) if mean else _Place("free", note="axes in another order")
        if not made.in_order:
            self.ordered[output.index] = made
            return place
        if made.frame.shape == shape:
            self.names[output.index] = made.name
            return place
        frame = dict(zip(("height", "width", "channels"), shape, strict=True))
        self._add_node(reader, Reshape(name=f"op{reader.index}_frame", input=made.name, **frame), [made.frame], output)
        return place

    def _combined(self, reader: OperatorReader) -> _Place:
        """Pooling, enlarged frames, additions and concatenations."""
        name = f"op{reader.index}_{reader.operator.lower()}"
        if reader.operator in UPSCALES:
            inputs, output = reader.tensors(1, 2)
            source, frame = self._source(reader, inputs[0].index)
            reader.frame(output)
            larger = Upscale(input=source, spec=upscale_of(reader, name))
            if larger.spec.pieces == 1:
                self.names[output.index] = source
                return _Place("free", note="the same frame")
            self._add_node(reader, larger, [frame], output)
            return _Place("engine", name)
        if reader.operator in POOLS:
            (x,), output = reader.tensors(1, 1)
            source, frame = self._source(reader, x.index)
            reader.frame(output)
            pooled = Pool(input=source, spec=pool_of(reader, name, x, output))
            self._add_node(reader, pooled, [frame], output)
            return _Place("engine", name)
        if reader.operator in ELEMENTWISE:
            return self._elementwise(reader, name)
        inputs, output = reader.tensors(1, 1 << 16)
        sources = [self._source(reader, each.index) for each in inputs]
        names, frames = [source for source, _ in sources], [frame for _, frame in sources]
        reader.frame(output)
        check_concatenation(reader, inputs, output)
        if len(inputs) == 1:
            if inputs[0].shape != output.shape:
                reader.contradicts(f"makes {output.shape} of {inputs[0].shape}")
            self.names[output.index] = names[0]
            return _Place("free", note="of one tensor")
        self._add_node(reader, Concat(name=name, inputs=tuple(names)), frames, output)
        return _Place("free", name)

    def _elementwise(self, reader: OperatorReader, name: str) -> _Place:
        """Additions, and products with a constant for each channel."""
        inputs, output = reader.tensors(2, 2)
        constant = next((each for each in inputs if self._is_constant(each)), None)
        sources = [self._source(reader, each.index) for each in inputs if each is not constant]
        reader.frame(output)
        if reader.operator == "MUL":
            if constant is None:
                numbers = tuple(each.index for each in inputs)
                reader.refuse("factors", f"tensors {numbers}, both computed", "one a constant for each channel")
            (x,) = (each for each in inputs if each is not constant)
            layer = product_of(reader, name, x, constant, output)
            self._add_node(reader, Conv(input=sources[0][0], spec=layer.spec), [sources[0][1]], output)
            self.parameters[name] = layer.parameters
            return _Place("engine", name, "by constants", layer)
        spec = add_of(reader, name, inputs, output, constant)
        if constant is not None:
            at = inputs.index(constant)
            source, frame = sources[0]
            layer = frame_of(reader, f"op{reader.index}_constants", inputs[1 - at], constant)
            constants = Conv(input=source, spec=layer.spec)
            sources.insert(at, (constants.name, result_of(constants, [frame])))
            self.nodes.append(constants)
            self.parameters[constants.name] = layer.parameters
        total = Add(inputs=(sources[0][0], sources[1][0]), spec=spec)
        self._add_node(reader, total, [frame for _, frame in sources], output)
        return _Place("engine", name, "" if constant is None else "of constants")

    def _is_constant(self, tensor: Tensor) -> bool:
        computed = tensor.index in self.makers or tensor.index in self.inputs
        return not computed and not tensor.variable and tensor.has_content

    def _host(self, reader: OperatorReader) -> _Place:
        inputs, output = reader.tensors(1, 2)
        x = inputs[0]
        other_type = reader.operator == "QUANTIZE" and x.dtype != output.dtype
        alone = x.dtype == "float32" or self.readers[x.index] == [reader.index]
        first = other_type and x.index in self.inputs and alone
        if not first and x.index not in self.of_host:
            source, frame = self._source(reader, x.index)
            last = other_type and output.index in self.outputs
            if reader.operator == "QUANTIZE" and not last and output.dtype in STREAM_DTYPES:
                return self._rescaled(reader, source, frame, output)
        step = HostStep(
            index=reader.index,
            name=reader.operator,
            operation=host_operation(reader, x, output),
            input=self._about(x.index),
            output=self._about(output.index),
        )
        if first:
            reader.frame(output)
        self._host_step(reader, step, first=first)
        return _Place("host", note="before the hardware" if first else "")

    def _rescaled(self, reader: OperatorReader, source: str, frame: Frame, output: Tensor) -> _Place:
        """The same at another scale, or in another type: a depthwise convolution with weights of 1."""
        reader.frame(output)
        (x,), _ = reader.tensors(1, 1)
        layer = rescaled(reader, f"op{reader.index}_quantize", x, output)
        self._add_node(reader, Conv(input=source, spec=layer.spec), [frame], output)
        self.parameters[layer.spec.name] = layer.parameters
        note = "at another scale" if x.dtype == output.dtype else f"as {output.dtype}"
        return _Place("engine", layer.spec.name, note, layer)

    def _host_step(self, reader: OperatorReader, step: HostStep, *, first: bool = False) -> None:
        number = step.input.number
        others = [each for each in self.readers[number] if each != reader.index]
        if others:
            reader.refuse(
                f"tensor {number}", f"read by operator {others[0]} too", "one reader before and after the host"
            )
        if first:
            del self.names[number]
            self.names[step.output.number] = INPUT
            self.before.append(step)
        else:
            self.of_host.add(step.output.number)
            self.after.append(step)

    def _model(self, operators: tuple[OperatorRecord, ...]) -> Model:
        first = self.before[-1].output.number if self.before else self.inputs[0]
        tensor = self._tensor(first)
        reader = OperatorReader(self.model, self.readers[first][0])
        height, width, channels = reader.frame(tensor)
        zero_point = reader.zero_point(tensor)
        graph = Graph(name=self.name, height=height, width=width, channels=channels, dtype=tensor.dtype,
                      zero_point=zero_point, nodes=tuple(self.nodes))  # fmt: skip
        return Model(
            name=self.name,
            network=Network(graph, self.parameters),
            before=tuple(self.before),
            after=tuple(self.after),
            operators=operators,
            tensors=dict(self.names),
            shapes={number: self._tensor(number).shape for number in self.names},
            input=self._about(self.inputs[0]),
            output=self._about(self.outputs[0]),
        )
