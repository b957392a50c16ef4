"""Files that macOS and Windows leave in a product's folder, and names in other capitals."""

import enmap_products
import landsat_products
import numpy as np
import prisma_products
import pytest
import rasterio
import sentinel2_products
import worldview3_products

from gossan.library.readers import read_library
from gossan.products.readers import open_product

COMPANION = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        " + bytes(500)


def landsat(folder):
    return landsat_products.write_product(folder, np.full((7, 12, 12), 9000, np.uint16))


def prisma(folder):
    prisma_products.write_product(folder / "PRS_L2D_STD_1.he5")
    return folder


def enmap(folder):
    return enmap_products.write_product(folder)


def sentinel2(folder):
    images = {
        band: np.full((12, 12) if sentinel2_products.PIXEL_M[band] == 20 else (24, 24), 3000)
        for band in ("B02", "B11", "SCL")
    }
    images = {band: values.astype(np.uint16) for band, values in images.items()}
    sentinel2_products.write_safe(folder, images)
    return folder


def worldview3(folder):
    worldview3_products.write_image(folder, "SWIR")
    return folder


def rasters(folder):
    for name in ("red.tif", "NIR.TIF"):
        landsat_products.write_raster(folder / name, np.full((8, 8), 1, np.float32))
    return folder


MAKERS = (landsat, prisma, enmap, sentinel2, worldview3, rasters)


@pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)
def test_companions_are_passed_over(tmp_path, make):
    folder = tmp_path / "product"
    folder.mkdir()
    path = make(folder)
    bands = ["B02", "B11"] if make is sentinel2 else None
    with open_product(make.__name__, path, bands) as product:
        wanted = product.bands, product.grid, product.product_id
    for entry in sorted(folder.rglob("*")):
        (entry.parent / f"._{entry.name}").write_bytes(COMPANION)
    inner = [item for item in folder.rglob("*") if item.is_dir()]
    for place in (folder, path, *inner):
        if place.is_dir():
            for name in (".DS_Store", "Thumbs.db", "desktop.ini"):
                (place / name).write_bytes(COMPANION)
            (place / "__MACOSX").mkdir(exist_ok=True)
            for entry in list(place.iterdir()):
                if entry.is_file():
                    (place / "__MACOSX" / entry.name).write_bytes(COMPANION)
    with open_product(make.__name__, path, bands) as product:
        assert (product.bands, product.grid, product.product_id) == wanted


@pytest.mark.parametrize("change", [str.lower, str.upper, str.swapcase])
def test_a_landsat_product_is_found_whatever_its_capitals(tmp_path, change):
    path = landsat(tmp_path)
    for file in list(path.iterdir()):
        file.rename(path / change(file.name))
    with open_product("landsat", path) as product:
        assert product.bands.names[:2] == ("B1", "B2")


def test_a_library_folder_has_no_companions_and_partners_of_any_capitals(tmp_path):
    values = np.array([[0.1, 0.2, 0.3]], "<f4")
    (tmp_path / "LIB.SLI").write_bytes(values.tobytes())
    (tmp_path / "LIB.HDR").write_text(
        "ENVI\nsamples = 3\nlines = 1\nbands = 1\nfile type = ENVI Spectral Library\n"
        "data type = 4\nspectra names = {alunite}\nwavelength units = Micrometers\n"
        "wavelength = {0.5, 1.5, 2.2}\n"
    )
    (tmp_path / "__MACOSX").mkdir()
    for name in ("._LIB.SLI", "._LIB.HDR", "__MACOSX/a.csv", ".DS_Store"):
        (tmp_path / name).write_bytes(COMPANION)
    for path in (tmp_path, tmp_path / "LIB.SLI", tmp_path / "LIB.HDR"):
        assert [spectrum.name for spectrum in read_library(path)] == ["alunite"]


@pytest.mark.parametrize("ending", ["hdr", "HDR", "Hdr", "DAT.hdr", "DAT.HDR"])
def test_the_header_of_an_envi_image_is_found_whatever_its_capitals(tmp_path, ending):
    with rasterio.open(
        tmp_path / "a.img", "w", driver="ENVI", width=9, height=9, count=2, dtype="float32"
    ) as target:
        target.write(np.full((2, 9, 9), 0.3, "float32"))
    (tmp_path / "a.img").rename(tmp_path / "IMAGE.DAT")
    (tmp_path / "a.hdr").rename(tmp_path / f"IMAGE.{ending}")
    (tmp_path / "a.img.aux.xml").unlink(missing_ok=True)
    with open_product("rasters", tmp_path / "IMAGE.DAT") as product:
        assert len(product.bands.names) == 2
