"""The mineral map of EMIT's own team becomes a truth in our codes, on its own grid."""

import subprocess
import sys

import emit_products
import numpy as np
import pytest
import rasterio

from gossan.accuracy.truth import KEPT, open_truth
from gossan.errors import InputError
from gossan.legend import NODATA, UNCLASSIFIED, read_classes
from gossan.products.emit_minerals import code_of, read_minerals
from gossan.raster import Grid

FIRST = np.array([[0, 2, 3, 1], [2, 2, 0, 3], [0, 0, 1, 1]])
SECOND = np.array([[4, 5, 0, 0], [5, 5, 4, 4], [0, 4, 5, 0]])


@pytest.fixture(scope="module")
def classes(root):
    return read_classes(root / "resources/static/minerals.csv")


def code(classes, name):
    return next(item.code for item in classes if item.name == name)


def test_each_pixel_of_the_grid_has_the_minerals_of_the_swath(tmp_path, classes):
    path = emit_products.write_minerals(tmp_path, FIRST, SECOND)
    codes, grid, unnamed = read_minerals(path, classes)
    assert grid.transform.c == emit_products.WEST and codes.shape == (2, 4, 5)
    names = {0: UNCLASSIFIED, 1: UNCLASSIFIED}
    for number, name in ((2, "hematite"), (3, "nanohematite"), (4, "alunite"), (5, "kaolinite")):
        names[number] = code(classes, name)
    for row, pixels in enumerate(emit_products.LOOKUP):
        for column, (sample, line) in enumerate(pixels):
            for band, swath in enumerate((FIRST, SECOND)):
                due = names[swath[line - 1, sample - 1]] if sample else NODATA
                assert codes[band, row, column] == due
    assert unnamed == ["plastic_tarp gds339 green w1r1fa"]


def test_a_record_is_of_the_mineral_that_its_name_tells_first(classes):
    names = ("goethite", "hematite", "nanohematite", "muscovite", "kaolinite")
    codes = {name: code(classes, name) for name in names}
    assert code_of("Goethite0.02+Quartz GDS240 W1R1Ba", classes) == codes["goethite"]
    assert code_of("Nanohematite BR93-34B2b", classes) == codes["nanohematite"]
    assert code_of("Kaolinite.5+Muscovite.5", classes) == codes["kaolinite"]
    assert code_of("Plastic_Tarp GDS339", classes) == UNCLASSIFIED


def test_the_truth_is_read_by_what_takes_several_minerals_of_a_pixel(tmp_path, root, classes):
    path = emit_products.write_minerals(tmp_path, FIRST, SECOND)
    out = tmp_path / "truth.tif"
    table = root / "resources/static/minerals.csv"
    command = [sys.executable, root / "scripts/lay_minerals.py", "--product", path]
    subprocess.run(
        [*command, "--classes", table, "--truth", out, "--threads", "1"],
        check=True,
        capture_output=True,
    )
    with rasterio.open(out) as image:
        grid, stored = Grid.of(image), image.read()
        assert image.descriptions == ("1um", "2um")
    np.testing.assert_array_equal(stored, read_minerals(path, classes)[0])
    truth = open_truth(out, grid, classes, overlaps=KEPT)
    assert truth.read(rasterio.windows.Window(0, 0, grid.width, grid.height)).shape[0] == 2
    assert "from EMIT's spectra, no field work; on the map's grid" in truth.note
    assert out.with_suffix(".qml").exists()


def test_what_is_no_such_product_is_told(tmp_path, classes):
    path = emit_products.write_product(tmp_path)
    with pytest.raises(InputError, match="is no EMIT L2B mineral product"):
        read_minerals(path, classes)

    def lose(file):
        file["location/glt_x"][1, 1] = 99

    path = emit_products.write_minerals(tmp_path, FIRST, SECOND, lose)
    with pytest.raises(InputError, match="points beyond the swath"):
        read_minerals(path, classes)
    path = emit_products.write_minerals(tmp_path, FIRST + 7, SECOND)
    with pytest.raises(InputError, match="of 1um is not in mineral_metadata"):
        read_minerals(path, classes)
