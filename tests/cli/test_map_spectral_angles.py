"""map_spectral_angles: class, angle and margin rasters, their styles, the STAC item, bad input."""

import json
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import rasterio
from samples import CENTRES_UM, CLASSES, FWHM_UM, run_command, run_tool, write_raster

from gossan.minerals.spectral_angle import map_angles

SPECTRA = {
    "chalcocite": (0.075, 0.072, 0.067, 0.064, 0.063, 0.056, 0.057),
    "feldspar": (0.628, 0.673, 0.703, 0.666, 0.793, 0.824, 0.832),
    "calcite": (0.912, 0.933, 0.942, 0.947, 0.958, 0.957, 0.844),
}
CODES = {"chalcocite": 2, "feldspar": 12, "calcite": 6}
LIMITS = (0.1, 0.1, 0.2)
TAGS = {
    "SENSOR": "Landsat-8 OLI_TIRS",
    "ACQUIRED": "2024-07-19T05:38:12Z",
    "PRODUCT_ID": "LC08_TEST",
    "SYNTHETIC": "yes",
}
OUTPUTS = ("class.tif", "class.qml", "class.tif.aux.xml", "angle.tif", "angle.qml")
OUTPUTS += ("margin.tif", "margin.qml", "item.json")


def write_cube(path, cube, tags=TAGS, names=tuple(f"B{n}" for n in range(1, 8))):
    write_raster(path, cube, nodata=-32768, scale=1e-4, tags=tags)
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = names
        for band, (centre, fwhm) in enumerate(zip(CENTRES_UM, FWHM_UM, strict=True), start=1):
            dataset.update_tags(
                band, ns="IMAGERY", CENTRAL_WAVELENGTH_UM=str(centre), FWHM_UM=str(fwhm)
            )


def write_references(path, spectra=SPECTRA):
    lines = ["band,wavelength_um,fwhm_um," + ",".join(spectra)]
    for band in range(7):
        values = ",".join(str(values[band]) for values in spectra.values())
        lines.append(f"B{band + 1},{CENTRES_UM[band]},{FWHM_UM[band]},{values}")
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def folder(tmp_path):
    """A cube of noisy mixtures with a hole, its references and its class table."""
    generator = np.random.default_rng(2)
    spectra = np.array(list(SPECTRA.values()))
    share = generator.dirichlet([0.3, 0.3, 0.3], (40, 70))
    mixed = np.einsum("yxr,rb->byx", share, spectra) + generator.normal(0, 0.01, (7, 40, 70))
    cube = np.rint(mixed * 1e4).astype(np.int16)
    cube[:, 5:9, 10:30] = -32768
    write_cube(tmp_path / "cube.tif", cube)
    write_references(tmp_path / "references.csv")
    (tmp_path / "classes.csv").write_text(CLASSES)
    return tmp_path


def arguments(folder, output, *more):
    return (
        *("--cube", folder / "cube.tif", "--references", folder / "references.csv"),
        *("--classes", folder / "classes.csv", "--class-map", output / "class.tif"),
        *("--angle", output / "angle.tif", "--margin", output / "margin.tif"),
        *("--item", output / "item.json", *more),
    )


def read(path):
    with rasterio.open(path) as dataset:
        return dataset.read()


def read_rad(path):
    with rasterio.open(path) as dataset:
        stored = dataset.read(masked=True)
        return stored.astype("f8").filled(np.nan) * dataset.scales[0] + dataset.offsets[0]


def test_rasters_hold_what_the_kernel_computes(folder):
    output = folder / "sam"
    done = run_tool(
        "map_spectral_angles",
        *arguments(folder, output, "--angles", output / "all.tif", "--block-px", 16),
    )
    assert done.returncode == 0, done.stderr
    cube = read(folder / "cube.tif")
    *expected, every = map_angles(
        cube,
        np.array(list(SPECTRA.values())),
        LIMITS,
        list(CODES.values()),
        -32768,
        every_angle=True,
    )
    classes = read(output / "class.tif")[0]
    assert np.array_equal(classes, expected[0])
    assert np.nanmin(expected[2]) < 0, "a nearer reference was beyond its threshold"
    for name, values in zip(("angle", "margin", "all"), (*expected[1:], every), strict=True):
        # Half a step, and what single precision leaves open.
        kept = read_rad(output / f"{name}.tif")
        assert np.allclose(kept, values, rtol=0, atol=5.1e-5, equal_nan=True)
    assert np.all(classes[5:9, 10:30] == 255)
    assert set(np.unique(classes)) == {0, 2, 6, 12, 255}


def test_rasters_say_what_they_are(folder):
    assert run_tool("map_spectral_angles", *arguments(folder, folder)).returncode == 0
    for name in OUTPUTS:
        assert (folder / name).stat().st_size > 0
    with rasterio.open(folder / "class.tif") as dataset:
        assert (dataset.dtypes, dataset.nodata) == (("uint8",), 255)
        assert dataset.tags()["SYNTHETIC"] == "yes"
        assert dataset.tags()["METHOD"] == "Spectral Angle Mapper"
        assert dataset.colormap(1)[2] == (0, 254, 0, 255)
    with rasterio.open(folder / "angle.tif") as dataset:
        assert (dataset.dtypes, dataset.nodata) == (("int16",), -32768)
        assert (dataset.scales, dataset.offsets, dataset.units) == ((1e-4,), (0,), ("rad",))
        assert dataset.crs.to_epsg() == 32643
    entries = ET.parse(folder / "class.qml").iter("paletteEntry")
    assert [entry.get("value") for entry in entries] == ["0", "2", "12", "6"]
    assert ET.parse(folder / "angle.qml").find(".//rasterrenderer") is not None
    item = json.loads((folder / "item.json").read_text())
    assert item["id"] == "LC08_TEST-sam"
    assert item["properties"]["datetime"].startswith("2024-07-19T05:38:12")
    assert item["properties"]["gossan:synthetic"] is True
    assert item["properties"]["gossan:classes"][2]["max_angle_rad"] == 0.2
    assert {asset["href"] for asset in item["assets"].values()} == {
        "./class.tif",
        "./angle.tif",
        "./margin.tif",
    }


def test_one_and_two_threads_give_the_same_bytes(folder):
    for threads in (1, 2):
        output = folder / str(threads)
        more = ("--threads", threads, "--block-px", 16)
        done = run_tool("map_spectral_angles", *arguments(folder, output, *more))
        assert done.returncode == 0, done.stderr
    for name in OUTPUTS:
        assert (folder / "1" / name).read_bytes() == (folder / "2" / name).read_bytes(), name


def test_a_class_without_threshold_takes_every_pixel(folder):
    (folder / "classes.csv").write_text(CLASSES.replace(",0.1\n", ",\n").replace(",0.2\n", ",\n"))
    assert run_tool("map_spectral_angles", *arguments(folder, folder)).returncode == 0
    assert not (read(folder / "class.tif") == 0).any()


def test_bands_are_matched_by_name(folder):
    assert run_tool("map_spectral_angles", *arguments(folder, folder / "first")).returncode == 0
    header, *lines = (folder / "references.csv").read_text().splitlines()
    (folder / "references.csv").write_text("\n".join([header, *lines[::-1]]) + "\n")
    assert run_tool("map_spectral_angles", *arguments(folder, folder / "second")).returncode == 0
    assert (folder / "first/class.tif").read_bytes() == (folder / "second/class.tif").read_bytes()


def test_stored_numbers_with_an_offset_are_decoded_first(folder):
    assert run_tool("map_spectral_angles", *arguments(folder, folder / "first")).returncode == 0
    cube = read(folder / "cube.tif")
    cube[cube != -32768] += 1000
    write_cube(folder / "cube.tif", cube)
    with rasterio.open(folder / "cube.tif", "r+") as dataset:
        dataset.offsets = [-0.1] * 7
    assert run_tool("map_spectral_angles", *arguments(folder, folder / "second")).returncode == 0
    first, second = (read(folder / name / "class.tif") for name in ("first", "second"))
    assert np.mean(first == second) > 0.999


def test_a_scene_of_all_nodata_is_refused_and_leaves_nothing(folder):
    write_cube(folder / "cube.tif", np.full((7, 40, 70), -32768, np.int16))
    output = folder / "sam"
    done = run_tool("map_spectral_angles", *arguments(folder, output, "--block-px", 16))
    assert done.returncode == 1
    assert "cube.tif: all pixels are nodata" in done.stderr
    assert not output.exists()


def test_a_cube_of_no_known_date_is_mapped_and_its_item_spans_all_time(folder):
    write_cube(folder / "cube.tif", np.full((7, 4, 4), 3000, np.int16), tags={})
    done = run_tool("map_spectral_angles", *arguments(folder, folder / "sam"))
    assert done.returncode == 0, done.stderr
    properties = json.loads((folder / "sam" / "item.json").read_text())["properties"]
    assert properties["datetime"] is None
    assert properties["start_datetime"] < "1000" < "9000" < properties["end_datetime"]


def test_a_date_that_is_none_is_refused(folder):
    write_cube(folder / "cube.tif", np.full((7, 4, 4), 3000, np.int16), tags={"ACQUIRED": "July"})
    done = run_tool("map_spectral_angles", *arguments(folder, folder / "sam"))
    assert done.returncode == 1
    assert "acquired 'July' is not ISO 8601" in done.stderr


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace("calcite", "calcit"), "has no spectrum 'calcite'"),
        (lambda text: text.replace("B7,", "B8,"), "lacks band B7"),
        (lambda text: text.replace("2.201", "2.5"), "band B7 is at 2.5 µm"),
        (lambda text: text.replace("0.844", ""), "without reflectance"),
        (lambda text: text.replace("0.844", "much"), "references.csv"),
    ],
)
def test_references_that_do_not_fit_are_named(folder, change, message):
    path = folder / "references.csv"
    path.write_text(change(path.read_text()))
    done = run_tool("map_spectral_angles", *arguments(folder, folder / "sam"))
    assert done.returncode == 1
    assert "references.csv: " in done.stderr
    assert message in done.stderr
    assert not (folder / "sam").exists()


def test_the_tool_runs_as_a_command(folder):
    done = run_command("map_spectral_angles", *arguments(folder, folder, "--threads", 1))
    assert done.returncode == 0, done.stderr
    (folder / "cube.tif").unlink()
    done = run_command("map_spectral_angles", *arguments(folder, folder))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert "cube.tif" in done.stderr.splitlines()[-1]
