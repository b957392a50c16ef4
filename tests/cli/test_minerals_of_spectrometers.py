"""Minerals at hundreds of bands: library to references to map, with bands that have no values."""

import json

import numpy as np
import pytest
import rasterio
from enmap_products import metadata_text
from samples import ROOT, run_tool, write_raster

from gossan.legend import read_classes
from gossan.library.readers import read_library, read_references
from gossan.library.resample import resample_spectrum
from gossan.raster import BandTable

ANALYTIC = ROOT / "resources" / "static" / "analytic_library.csv"
MINERALS = ("alunite", "calcite", "kaolinite")
TAGS = {"SENSOR": "PRISMA", "ACQUIRED": "2024-04-02T10:28:37Z", "PRODUCT_ID": "X"}


def write_classes(folder, minerals=MINERALS):
    lines = (ROOT / "resources/static/minerals.csv").read_text().splitlines()
    kept = [line for line in lines[1:] if line.split(",")[1] in minerals]
    (folder / "classes.csv").write_text("\n".join([lines[0], *kept]) + "\n")
    return [item.name for item in read_classes(folder / "classes.csv")]


def write_cube(path, stored, bands, tags=TAGS):
    write_raster(path, stored, nodata=-32768, scale=1e-4, tags=tags)
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = bands.names
        for place, (centre, width) in enumerate(
            zip(bands.centre_um, bands.fwhm_um, strict=True), start=1
        ):
            dataset.update_tags(
                place, ns="IMAGERY", CENTRAL_WAVELENGTH_UM=repr(centre), FWHM_UM=repr(width)
            )


def map_cube(folder, library):
    done = run_tool(
        "resample_library",
        *("--library", library, "--classes", folder / "classes.csv"),
        *("--cube", folder / "cube.tif", "--references", folder / "references.csv"),
        *("--records", folder / "records.csv", "--records-per-class", "one"),
        *("--spread", ROOT / "resources/static/record_spread.csv"),
        *("--separable", folder / "separable.csv"),
    )
    assert done.returncode == 0, done.stderr
    done = run_tool(
        "map_spectral_angles",
        *("--cube", folder / "cube.tif", "--references", folder / "references.csv"),
        *("--classes", folder / "classes.csv", "--class-map", folder / "class.tif"),
        *("--angle", folder / "angle.tif", "--margin", folder / "margin.tif"),
        *("--item", folder / "item.json", "--block-px", 64, "--threads", 1),
    )
    assert done.returncode == 0, done.stderr
    done = run_tool(
        "tabulate_classes",
        *("--cube", folder / "cube.tif", "--class-map", folder / "class.tif"),
        *("--angle", folder / "angle.tif", "--classes", folder / "classes.csv"),
        *("--areas", folder / "areas.csv", "--signatures", folder / "signatures.csv"),
        *("--outlines", folder / "outlines.gpkg"),
        *("--pixels", folder / "pixels.gpkg", "--points-per-class", 9, "--threads", 1),
    )
    assert done.returncode == 0, done.stderr
    with rasterio.open(folder / "class.tif") as dataset:
        return dataset.read(1)


@pytest.mark.parametrize(("sensor", "lost"), [("EMIT", 0), ("EnMAP", 0), ("PRISMA", 1)])
def test_every_band_of_the_real_spectrometers_with_the_shipped_library(
    sensor, lost, shared_data, tmp_path
):
    table = shared_data("sensor_responses/bands_centre_fwhm.csv").read_text().splitlines()
    rows = [line.split(",") for line in table if line.startswith(f"{sensor},")]
    # What a deposit of alunite beside calcite and kaolinite is, and one dead band more.
    bands = BandTable(
        tuple(row[1] for row in rows),
        tuple(round(float(row[2]) / 1000, 6) for row in rows),
        tuple(round(float(row[3]) / 1000, 6) for row in rows),
    )
    names = write_classes(tmp_path)
    own = {item.name: item for item in read_library(ANALYTIC)}
    spectra = np.array([resample_spectrum(own[name], bands, None) for name in names])
    gaps = np.isnan(spectra).any(axis=0)
    assert gaps.sum() == lost
    kind = np.arange(60).reshape(6, 10) % 3
    stored = np.rint(np.nan_to_num(spectra[kind], nan=0.3) * 6000).astype("int16")
    stored = stored.transpose(2, 0, 1).copy()
    # A band without reference is not looked at: it may have no data.
    stored[gaps] = -32768
    stored[:, 0, 0] = -32768
    write_cube(tmp_path / "cube.tif", stored, bands)
    codes = map_cube(tmp_path, ANALYTIC)
    references = read_references(tmp_path / "references.csv")
    assert len(references.band) == len(bands.names) - lost
    truth = np.array([item.code for item in read_classes(tmp_path / "classes.csv")])[kind]
    truth[0, 0] = 255
    assert (codes == truth).all()
    left_out = json.loads((tmp_path / "item.json").read_text())["properties"].get(
        "gossan:bands_left_out", []
    )
    assert left_out == [name for name, gap in zip(bands.names, gaps, strict=True) if gap]
    with rasterio.open(tmp_path / "angle.tif") as dataset:
        assert dataset.read(1, masked=True).max() * dataset.scales[0] < 0.01


def test_a_record_that_stops_short_takes_its_bands_with_it(tmp_path):
    centres = np.round(np.linspace(0.36, 2.45, 200), 4).tolist()
    bands = BandTable(tuple(f"B{n:03d}" for n in range(200)), tuple(centres), (0.01,) * 200)
    write_classes(tmp_path, ("chalcocite", "feldspar"))
    stored = np.random.default_rng(1).integers(500, 6000, (200, 8, 9)).astype("int16")
    write_cube(tmp_path / "cube.tif", stored, bands)
    map_cube(tmp_path, ANALYTIC)
    item = json.loads((tmp_path / "item.json").read_text())
    # The shipped chalcocite begins at 0.4 µm.
    lost = item["properties"]["gossan:bands_left_out"]
    assert lost == [f"B{n:03d}" for n in range(len(lost))] and 1 <= len(lost) <= 10


def test_the_real_mosaic_with_the_real_library(shared_data, tmp_path):
    path = shared_data("enmap/enmap_L2A_potsdam_20220724_mosaic18.tif")
    library = shared_data("usgs_splib07/native_ascii_splib07a")
    with rasterio.open(path) as dataset:
        tags = [dataset.tags(place) for place in dataset.indexes]
    product = tmp_path / "product"
    product.mkdir()
    (product / "SPECTRAL_IMAGE.tif").symlink_to(path)
    text = metadata_text([t["wavelength"] for t in tags], [t["fwhm"] for t in tags])
    (product / "METADATA.XML").write_text(text)
    done = run_tool(
        "preprocess_scene",
        *("--sensor", "enmap", "--product", product, "--mask", "--atmosphere", "none"),
        *("--normalisation", "clip", "--cube", tmp_path / "cube.tif"),
        *("--record", tmp_path / "cube.json"),
    )
    assert done.returncode == 0, done.stderr
    notes = json.loads((tmp_path / "cube.json").read_text())["notes"]
    assert "bands left out (no data): B130-B135 (1.331-1.391 µm)" in notes
    write_classes(tmp_path)
    codes = map_cube(tmp_path, library)
    assert (codes != 255).mean() == pytest.approx(0.6, abs=0.01)
    assert len(read_references(tmp_path / "references.csv").band) == 218
