"""A Keras network as an ONNX file, layer by layer.

Written here instead of by a converter because the same weights must give the same bytes: names
are those of the layers, and nothing of the session that trained them gets in. The graph runs in
ONNX Runtime's own order of axes (channels first); only the patches come in channels last.
"""

import numpy as np

OPSET = 17
IR_VERSION = 8


def export_network(model: object, metadata: dict[str, str]) -> bytes:
    """The bytes of an ONNX file for a chain of layers; input "patches", output "answers".

    `model` is a Keras model of one input and one output whose layers follow one another; dropout
    is left out. `metadata` is kept in the file. Raises ValueError for a layer of another kind.
    """
    import onnx
    from onnx import TensorProto, helper

    chain = _Chain()
    _, height, width, bands = model.input_shape
    chain.add("Transpose", "channels_first", perm=[0, 3, 1, 2])
    for layer in model.layers:
        kind = type(layer).__name__
        if kind == "InputLayer" or kind == "Dropout":
            continue
        if kind not in _LAYERS:
            raise ValueError(f"layer {layer.name} is of the kind {kind}, which is not exported")
        _LAYERS[kind](chain, layer)
    answers = model.output_shape[-1]
    chain.nodes[-1].output[0] = "answers"
    graph = helper.make_graph(
        chain.nodes,
        "gossan",
        [
            helper.make_tensor_value_info(
                "patches", TensorProto.FLOAT, ["images", height, width, bands]
            )
        ],
        [helper.make_tensor_value_info("answers", TensorProto.FLOAT, ["images", answers])],
        chain.weights,
    )
    file = helper.make_model(
        graph, producer_name="gossan", opset_imports=[helper.make_opsetid("", OPSET)]
    )
    file.ir_version = IR_VERSION
    helper.set_model_props(file, dict(sorted(metadata.items())))
    onnx.checker.check_model(file)
    return file.SerializeToString(deterministic=True)


class _Chain:
    """Nodes and weights so far; `last` names what the next node reads.

    `flattened` is the shape (rows, columns, channels) of an image that was just made a row, else
    ().
    """

    def __init__(self):
        self.nodes: list = []
        self.weights: list = []
        self.last = "patches"
        self.flattened: tuple[int, ...] = ()

    def add(self, operation: str, name: str, *weights: np.ndarray, **attributes) -> None:
        from onnx import helper, numpy_helper

        names = [f"{name}.{place}" for place in range(len(weights))]
        for own, values in zip(names, weights, strict=True):
            array = np.ascontiguousarray(values, np.float32)
            self.weights.append(numpy_helper.from_array(array, own))
        self.nodes.append(
            helper.make_node(operation, [self.last, *names], [name], name=name, **attributes)
        )
        self.last = name

    def activate(self, layer: object) -> None:
        kinds = {"relu": "Relu", "sigmoid": "Sigmoid", "softmax": "Softmax", "linear": None}
        name = layer.activation.__name__
        if name not in kinds:
            raise ValueError(f"layer {layer.name} has the activation {name}, not exported")
        if kinds[name] is not None:
            self.add(kinds[name], f"{layer.name}_{name}")


def _pads(layer: object, kernel: tuple[int, ...]) -> list[int]:
    """Zeros (top, left, bottom, right) around an image; the odd one is at the end, as in Keras."""
    if layer.padding == "valid":
        return [0, 0, 0, 0]
    _, height, width, _ = layer.input.shape
    before, after = [], []
    for size, own, stride in zip((height, width), kernel, layer.strides, strict=True):
        total = max((-(-size // stride) - 1) * stride + own - size, 0)
        before.append(total // 2)
        after.append(total - total // 2)
    return before + after


def _convolve(chain: _Chain, layer: object) -> None:
    kernel, *bias = layer.get_weights()
    chain.add(
        "Conv",
        layer.name,
        kernel.transpose(3, 2, 0, 1),
        *bias,
        kernel_shape=list(kernel.shape[:2]),
        strides=list(layer.strides),
        pads=_pads(layer, kernel.shape[:2]),
    )
    chain.activate(layer)


def _convolve_each(chain: _Chain, layer: object) -> None:
    kernel, *bias = layer.get_weights()
    height, width, bands, times = kernel.shape
    chain.add(
        "Conv",
        layer.name,
        kernel.transpose(2, 3, 0, 1).reshape(bands * times, 1, height, width),
        *bias,
        kernel_shape=[height, width],
        strides=list(layer.strides),
        pads=_pads(layer, (height, width)),
        group=bands,
    )
    chain.activate(layer)


def _pool(chain: _Chain, layer: object) -> None:
    chain.add(
        "MaxPool",
        layer.name,
        kernel_shape=list(layer.pool_size),
        strides=list(layer.strides),
        pads=_pads(layer, layer.pool_size),
    )


def _average(chain: _Chain, layer: object) -> None:
    chain.add("GlobalAveragePool", f"{layer.name}_image")
    chain.add("Flatten", layer.name, axis=1)


def _flatten(chain: _Chain, layer: object) -> None:
    chain.add("Flatten", layer.name, axis=1)
    chain.flattened = layer.input.shape[1:]


def _connect(chain: _Chain, layer: object) -> None:
    kernel, bias = layer.get_weights()
    if chain.flattened:
        # Keras flattened (rows, columns, channels), this graph (channels, rows, columns).
        kernel = kernel.reshape(*chain.flattened, -1).transpose(2, 0, 1, 3).reshape(kernel.shape)
        chain.flattened = ()
    chain.add("Gemm", layer.name, kernel, bias)
    chain.activate(layer)


_LAYERS = {
    "Conv2D": _convolve,
    "DepthwiseConv2D": _convolve_each,
    "MaxPooling2D": _pool,
    "GlobalAveragePooling2D": _average,
    "Flatten": _flatten,
    "Dense": _connect,
}
