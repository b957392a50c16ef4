"""Stored networks whose weights are no numbers are refused; those that are whole are run."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from gossan.errors import InputError
from gossan.networks.onnx_session import has_finite_weights, open_session


def network(weights, raw=True):
    """A network that multiplies by a matrix, as bytes."""
    weights = np.asarray(weights, np.float32)
    if raw:
        tensor = numpy_helper.from_array(weights, "w")
    else:
        tensor = helper.make_tensor("w", TensorProto.FLOAT, weights.shape, weights.ravel())
    whole = numpy_helper.from_array(np.array([1], np.int64), "unused")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2])],
        [whole, tensor],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model.SerializeToString()


@pytest.mark.parametrize("raw", [True, False])
def test_numbers_are_weights(raw):
    content = network([[1, -2], [0, 1e30]], raw)
    assert has_finite_weights(content)
    session, told = open_session(content, "a.onnx")
    assert told == ""
    np.testing.assert_array_equal(
        session.run(None, {"x": np.ones((1, 2), np.float32)})[0], np.float32([[1, 1e30]])
    )


@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_other_weights_are_refused(raw, odd):
    with pytest.raises(InputError, match=r"^a\.onnx: has weights that are no numbers"):
        open_session(network([[1, 2], [3, odd]], raw), "a.onnx")
