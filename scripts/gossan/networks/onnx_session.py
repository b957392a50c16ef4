"""Stored networks in ONNX Runtime: files from outside read without trust, run by one thread."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from gossan.errors import InputError

METADATA = "gossan"
"""Key of what a network of this project says of itself, in its file's metadata."""


def read_network_file(path: Path) -> bytes:
    """The bytes of a network's file; InputError where there is none."""
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; train the network first") from error


def open_session(content: bytes, where: str) -> tuple[object, str]:
    """A session of one thread, so that callers may use several, and the network's METADATA.

    The file is handed over as bytes, so that it cannot name further files to be read. `where` is
    its name. Raises InputError for content that is no ONNX file, and for weights that are not
    finite; a file without METADATA has "".
    """
    # It would report its use to its makers, and leave a file for that in the folder of temporaries.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    # Its own lines about a broken file would bury the one that says what to do.
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:
        # ONNX Runtime raises classes of its own, without a common base, for unreadable files.
        raise InputError(f"{where}: no readable ONNX file; train the network again") from error
    if not has_finite_weights(content):
        raise InputError(f"{where}: has weights that are no numbers; train the network again")
    return session, session.get_modelmeta().custom_metadata_map.get(METADATA, "")


# Places of what is looked at in ONNX's messages (onnx.proto), and its types of real numbers.
_GRAPH, _WEIGHTS, _TYPE, _FLOATS, _RAW, _DOUBLES = 7, 5, 2, 4, 9, 10
_REALS = {1: "<f4", 10: "<f2", 11: "<f8"}


def has_finite_weights(content: bytes) -> bool:
    """Whether all weights of an ONNX file that its runtime takes are finite numbers.

    The runtime runs a network of NaN, whose answers are the first class or another everywhere.
    It hands out no weights, and the library that does is not where networks are only run, so the
    messages are gone through here, as protocol buffers have them.
    """
    for number, graph in _fields(memoryview(content)):
        if number != _GRAPH:
            continue
        for kind, tensor in _fields(graph):
            if kind != _WEIGHTS:
                continue
            told = dict(_fields(tensor))
            form = _REALS.get(told.get(_TYPE))
            stored = told.get(_RAW, told.get(_DOUBLES if form == "<f8" else _FLOATS))
            if form is None or not isinstance(stored, memoryview):
                continue
            form = form if _RAW in told else {"<f2": "<f4"}.get(form, form)
            if not np.isfinite(np.frombuffer(stored, form)).all():
                return False
    return True


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Number and value of each field of a protocol buffer's message."""
    place = 0
    while place < len(message):
        tag, place = _read_varint(message, place)
        kind = tag & 7
        if kind == 0:
            value, place = _read_varint(message, place)
            yield tag >> 3, value
            continue
        size = {1: 8, 5: 4}.get(kind)
        if size is None:
            size, place = _read_varint(message, place)
        yield tag >> 3, message[place : place + size]
        place += size


def _read_varint(message: memoryview, place: int) -> tuple[int, int]:
    """A number in groups of seven bits, the lowest first, and the place behind it."""
    value = shift = 0
    while True:
        byte = message[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place
