"""Stored networks in ONNX Runtime: files from outside read without trust, run by one thread."""

import os
from pathlib import Path

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
    its name. Raises InputError for content that is no ONNX file; a file without METADATA has "".
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
    return session, session.get_modelmeta().custom_metadata_map.get(METADATA, "")
