"""What stored networks say of themselves: written and read back, compared, traced to a file."""

import json
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import pytest

from gossan.errors import InputError
from gossan.legend import MapClass
from gossan.networks.headers import (
    describe_origin,
    file_digest,
    header_text,
    origin_tags,
    parse_header,
    require_centres,
    require_classes,
)


@dataclass(frozen=True)
class Small:
    """A header of one number."""

    scene: str
    size: int

    def is_sound(self) -> bool:
        return self.size > 0


def build(value: dict) -> Small:
    return Small(str(value["scene"]), int(value["size"]))


def read(text: str) -> Small:
    return parse_header(text, "small-1", "net.onnx", "train_small.py", build)


def test_a_header_comes_back_and_nothing_else_does():
    own = Small("hill", 3)
    text = header_text("small-1", own)
    assert read(text) == own
    assert header_text("small-1", own) == text
    for spoiled in (
        "",
        "[]",
        "{",
        text.replace("small-1", "small-2"),
        text.replace('"size"', '"sizes"'),
        json.dumps({"format": "small-1", "scene": "hill", "size": "wide"}),
        header_text("small-1", Small("hill", 0)),
    ):
        with pytest.raises(InputError, match=r"net\.onnx: .* give a network of train_small\.py"):
            read(spoiled)


def test_centres_may_move_by_a_tenth_of_a_bands_width():
    names, trained, widths = ("a", "b"), (0.5, 2.2), (0.05, 0.01)
    require_centres(names, (0.5049, 2.2009), trained, widths, "cube.tif")
    with pytest.raises(InputError, match=r"cube\.tif: a band lies 1\.1 nm .* with it, b; train"):
        require_centres(names, (0.5049, 2.2011), trained, widths, "cube.tif")
    # Without a width there is the rounding of tables.
    require_centres(names, (0.50009, 2.2), trained, (np.nan, 0.01), "cube.tif")
    with pytest.raises(InputError, match=r"0\.2 nm from where"):
        require_centres(names, (0.5002, 2.2), trained, (np.nan, 0.01), "cube.tif")


def test_classes_are_compared_by_code_and_name():
    classes = [MapClass(7, "alunite", "A", "#FF0000"), MapClass(6, "calcite", "C", "#00FF00")]
    require_classes((7,), ("alunite",), classes, "classes.csv")
    with pytest.raises(InputError, match=r"classes\.csv: class 6 is calcite where .* gypsum"):
        require_classes((7, 6), ("alunite", "gypsum"), classes, "classes.csv")
    with pytest.raises(InputError, match=r"class 9 is missing where the network has quartz"):
        require_classes((9,), ("quartz",), classes, "classes.csv")


def test_a_maps_network_is_traced_to_its_file(tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes(b"weights")
    origin = describe_origin(path, Small("hill", 1), "valley")
    assert origin == {
        "file": "net.onnx",
        "sha256": sha256(b"weights").hexdigest(),
        "scene": "hill",
        "transferred": True,
    }
    assert not describe_origin(path, Small("hill", 1), "hill")["transferred"]
    assert origin_tags(origin) == {
        "NETWORK_SCENE": "hill",
        "NETWORK_SHA256": file_digest(path),
    }
