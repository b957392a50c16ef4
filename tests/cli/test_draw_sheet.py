"""draw_sheet: one page that any program reads, the same bytes each time, and nothing unsaid."""

import json
import re

import numpy as np
import pytest
import rasterio
from rasterio.crs import CRS
from samples import run_command

from gossan.legend import MapClass, write_class_style

CLASSES = [
    MapClass(2, "alunite", "Alunit $ü$ <b>", "#730000"),
    MapClass(3, "calcite", "Calcite", "#4FC3F7"),
]
PLACED = CRS.from_epsg(32643), rasterio.Affine(30, 0, 430_000, 0, -30, 3_990_000)


def make_scene(folder, grid=PLACED, **more):
    """A scene with a cube and a mineral map of 60 × 40 pixels."""
    crs, transform = grid
    place = folder / "landsat"
    codes = np.zeros((40, 60), np.uint8)
    codes[:10, :20], codes[-5:] = 2, 255
    profile = {"driver": "GTiff", "width": 60, "height": 40, "crs": crs, "transform": transform}
    for name, values, nodata in (
        ("minerals/class.tif", codes[np.newaxis], 255),
        ("cube/cube.tif", np.random.default_rng(1).random((3, 40, 60), np.float32), np.nan),
    ):
        (place / name).parent.mkdir(parents=True)
        with rasterio.open(
            place / name, "w", count=len(values), dtype=values.dtype, nodata=nodata, **profile
        ) as dataset:
            dataset.write(values)
    write_class_style(place / "minerals/class.tif", more.pop("classes", CLASSES))
    cube = {"sensor": "Landsat-8", "product_id": "LC08_L1TP_" + "X" * 60, "acquired": "2021-07-04T"}
    (place / "cube/cube.json").write_text(json.dumps(cube))
    layers = [
        {"group": "maps", "kind": "classes", "title": "Minerals", "method": "minerals"},
        {"group": "scene", "kind": "cube", "title": "Reflectance", "method": "cube"},
    ]
    for layer, file in zip(layers, ("minerals/class.tif", "cube/cube.tif"), strict=True):
        layer.update(file=f"landsat/{file}", sensor="landsat")
    record = {"scene": "hill & dale", "study": "mine", "synthetic": False, "layers": layers}
    (folder / "layers.json").write_text(json.dumps(record | more))
    return folder


def draw(folder, output, paper="a4", *flags):
    return run_command(
        *("draw_sheet", "--layers", folder / "layers.json", "--paper", paper),
        *("--output", output, *flags),
    )


def test_a_sheet_is_one_page_of_its_paper_with_its_fonts_and_the_same_bytes(tmp_path):
    scene = make_scene(tmp_path / "scene")
    for name, paper in (("one", "a4"), ("two", "a4"), ("large", "a3")):
        finished = draw(scene, tmp_path / f"{name}.pdf", paper)
        assert finished.returncode == 0, finished.stderr
    pdf = (tmp_path / "one.pdf").read_bytes()
    assert pdf == (tmp_path / "two.pdf").read_bytes()
    assert pdf.count(b"/Type /Page ") + pdf.count(b"/Type /Page\n") == 1
    assert b"/FontFile2" in pdf and b"CreationDate" not in pdf
    for data, sides in ((pdf, (210, 297)), ((tmp_path / "large.pdf").read_bytes(), (297, 420))):
        box = [float(x) for x in re.search(rb"/MediaBox \[(.*?)\]", data).group(1).split()]
        found = sorted(side * 25.4 / 72 for side in box[2:])
        assert found == pytest.approx(sides, abs=0.5)
    # 60 pixels of 30 m: the map as an image has at least 200 dots per inch of its width.
    assert max(int(x) for x in re.findall(rb"/Width (\d+)", pdf)) > 200 * 3


def test_letters_that_no_font_has_are_told(tmp_path):
    rare = [MapClass(2, "a", "Alunite \U0001f9ff\U000130b8", "#730000")]
    finished = draw(make_scene(tmp_path / "scene", classes=rare), tmp_path / "sheet.pdf")
    assert finished.returncode == 0, finished.stderr
    assert "no font here has the letters" in finished.stderr or "are taken from" in finished.stderr


def test_a_scene_without_coordinates_or_map_has_a_sheet(tmp_path):
    nowhere = make_scene(tmp_path / "nowhere", (None, rasterio.Affine(1, 0, 0, 0, 1, 0)))
    finished = draw(nowhere, tmp_path / "nowhere.pdf")
    assert finished.returncode == 0, finished.stderr
    bare = make_scene(tmp_path / "bare")
    record = json.loads((bare / "layers.json").read_text())
    record["layers"] = record["layers"][1:]
    (bare / "layers.json").write_text(json.dumps(record))
    finished = draw(bare, tmp_path / "bare.pdf")
    assert finished.returncode == 0, finished.stderr
    (bare / "layers.json").write_text(json.dumps(record | {"layers": []}))
    refused = draw(bare, tmp_path / "none.pdf")
    assert refused.returncode == 1 and "has neither map nor cube" in refused.stderr
    assert not (tmp_path / "none.pdf").exists()
