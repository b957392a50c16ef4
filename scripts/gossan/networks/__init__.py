"""Files of trained networks, as Keras and ONNX have them."""
