import json

import numpy as np
import pytest
from PIL import Image
from samples import run_tool, write_raster


@pytest.fixture
def cube(tmp_path):
    """A cube on the ground, with the record beside it."""
    path = tmp_path / "cube/cube.tif"
    path.parent.mkdir()
    write_raster(path, np.ones((1, 20, 30), np.float32))
    (path.parent / "cube.json").write_text(json.dumps({"synthetic": True}))
    return path


def test_a_scene_s_place_is_drawn(cube, tmp_path):
    output = tmp_path / "location.png"
    done = run_tool("draw_location", "--cube", "landsat", cube, "--output", output)
    assert done.returncode == 0, done.stderr
    with Image.open(output) as image:
        assert image.width > 1000


def test_a_cube_without_a_record_is_named_and_nothing_written(cube, tmp_path):
    (cube.parent / "cube.json").unlink()
    output = tmp_path / "location.png"
    done = run_tool("draw_location", "--cube", "landsat", cube, "--output", output)
    assert done.returncode == 1
    assert "cube.json" in done.stderr
    assert not output.exists()
