import json
import tracemalloc
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS
from samples import run_tool

from gossan.cube.bands import SENSORS, read_bands
from gossan.cube.cube import Cube, Pixels, Record
from gossan.raster import read_info

UTM, WGS84 = CRS.from_epsg(32611), CRS.from_epsg(4326)
EAST, NORTH = 480_000.0, 4_155_000.0
OUTPUTS = {
    "stack": "cube.tif",
    "sensors": "sensors.tif",
    "bands": "bands.csv",
    "record": "cube.json",
}
EXCLUDED = ("--exclude-um", 0.91, 1.0, "--exclude-um", 1.34, 1.55, "--exclude-um", 1.75, 2.05)


def write_cube(path, stored, pixel_m=30.0, crs=UTM, place=(EAST, NORTH), centres=None, **tags):
    """Write (bands, rows, columns) as a cube with the tags that every cube has."""
    path.parent.mkdir(parents=True, exist_ok=True)
    bands, height, width = stored.shape
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=bands,
        width=width,
        height=height,
        dtype="int16",
        nodata=-32768,
        crs=crs,
        transform=Affine(pixel_m, 0, place[0], 0, -pixel_m, place[1]),
        tiled=True,
        blockxsize=64,
        blockysize=64,
    ) as dataset:
        dataset.write(stored.astype("int16"))
        dataset.scales = [1e-4] * bands
        dataset.descriptions = [f"B{band:03d}" for band in range(1, bands + 1)]
        for band in range(0 if centres == () else bands):
            centre = 0.45 + 0.01 * band if centres is None else centres[band]
            dataset.update_tags(
                band + 1, ns="IMAGERY", CENTRAL_WAVELENGTH_UM=repr(centre), FWHM_UM="0.01"
            )
        dataset.update_tags(
            **{"SYNTHETIC": "no", "ATMOSPHERE": "L2A", "NORMALISATION": "clip"} | tags
        )
    return path


def write_notes(path, *notes):
    """Write the record of a cube beside it."""
    Record(Cube.of(read_info(path)), Pixels(1, 1, 1), notes=notes).write(path.with_suffix(".json"))


@pytest.fixture
def cubes(tmp_path):
    """EnMAP on its own grid, a quarter of it seen by EMIT in degrees, all by WorldView-3."""
    rng = np.random.default_rng(5)
    enmap = rng.integers(100, 9000, (4, 32, 40))
    enmap[:, :3, :3] = -32768
    fine = rng.integers(100, 9000, (2, 128, 160))
    fine[:, :12, :12] = -32768
    return {
        "enmap": write_cube(
            tmp_path / "enmap/cube.tif",
            enmap,
            centres=(0.5, 0.6, 0.95, 2.2),
            SENSOR="EnMAP HSI",
            ACQUIRED="2023-06-02T18:00:00Z",
            SUN_ELEVATION_DEG="60.0",
            PRODUCT_ID="ENMAP01",
        ),
        "worldview3": write_cube(
            tmp_path / "worldview3/cube.tif",
            fine,
            7.5,
            SENSOR="WorldView-3",
            ACQUIRED="2023-07-02T18:00:00Z",
            SUN_ELEVATION_DEG="70.0",
            SYNTHETIC="yes",
            ATMOSPHERE="none",
        ),
        "emit": write_cube(
            tmp_path / "emit/cube.tif",
            rng.integers(100, 9000, (3, 9, 12)),
            0.00054,
            WGS84,
            (-117.2270, 37.5445),
            SENSOR="EMIT",
            ACQUIRED="2023-06-20T18:00:00Z",
        ),
    }


def stack(folder, cubes, *more, excluded=EXCLUDED):
    flags = [part for sensor, path in cubes.items() for part in ("--cube", sensor, path)]
    outputs = [part for flag, name in OUTPUTS.items() for part in (f"--{flag}", folder / name)]
    grid = ("--pixel-m", 30, "--extent", "union")
    return run_tool("stack_sensors", *flags, *outputs, *grid, *excluded, *more)


def test_what_is_written(cubes, tmp_path):
    write_notes(cubes["emit"], "orthorectified")
    out = tmp_path / "out"
    done = stack(out, cubes, "--extent", "enmap")
    assert done.returncode == 0, done.stderr
    styles = {"cube.qml", "sensors.qml"}
    assert {path.name for path in out.iterdir()} == {*OUTPUTS.values(), *styles}
    renderer = ET.parse(out / "sensors.qml").find("pipe/rasterrenderer")
    legend = {item.get("value"): item.get("label") for item in renderer.iter("paletteEntry")}
    assert legend["19"] == "EMIT + EnMAP + WorldView-3"
    assert "0" not in legend
    info, bands = read_info(out / "cube.tif"), read_bands(out / "bands.csv")
    assert info.grid == read_info(cubes["enmap"]).grid
    assert (info.dtype, info.nodata, info.scale) == ("int16", -32768, 1e-4)
    assert bands.sensor == ("emit",) * 3 + ("enmap",) * 3 + ("worldview3",) * 2
    assert info.bands == bands.table()
    assert info.bands.names[3:6] == ("enmap:B001", "enmap:B002", "enmap:B004")
    with rasterio.open(out / "cube.tif") as dataset:
        values = dataset.read()
    with rasterio.open(out / "sensors.tif") as dataset:
        bits = dataset.read(1)
        assert dataset.nodata == 0
        assert dataset.dtypes == ("uint8",)
    with rasterio.open(cubes["enmap"]) as dataset:
        np.testing.assert_array_equal(values[3:6], dataset.read()[[0, 1, 3]])
    assert (bits[:3, :3] & 0b10010 == 0).all()
    assert (bits[3:] & 0b10010 == 0b10010).all()
    for bit, part in ((1, slice(0, 3)), (2, slice(3, 6)), (16, slice(6, 8))):
        np.testing.assert_array_equal((values[part] != -32768).all(axis=0), bits & bit > 0)
        np.testing.assert_array_equal((values[part] == -32768).all(axis=0), bits & bit == 0)


def test_the_record(cubes, tmp_path):
    write_notes(cubes["emit"], "orthorectified")
    assert stack(tmp_path / "out", cubes).returncode == 0
    record = json.loads((tmp_path / "out/cube.json").read_text())
    with rasterio.open(tmp_path / "out/sensors.tif") as dataset:
        bits, tags = dataset.read(1), dataset.tags()
    assert record["synthetic"] is True
    assert tags["SYNTHETIC"] == "yes"
    assert tags["SENSOR"] == "EMIT, EnMAP HSI, WorldView-3"
    assert tags["ACQUIRED"] == record["acquired"] == "2023-06-20T18:00:00Z"
    assert (tags["ACQUIRED_FIRST"], tags["ACQUIRED_LAST"]) == (
        "2023-06-02T18:00:00Z",
        "2023-07-02T18:00:00Z",
    )
    assert float(tags["SUN_ELEVATION_DEG"]) == 65.0
    sensors = {entry["sensor"]: entry for entry in record["sensors"]}
    assert list(sensors) == ["emit", "enmap", "worldview3"]
    assert [entry["resampling"] for entry in sensors.values()] == ["nearest", "nearest", "average"]
    assert [entry["synthetic"] for entry in sensors.values()] == [False, False, True]
    assert sensors["enmap"]["bands"] == 4
    assert sensors["enmap"]["kept_bands"] == 3
    assert sensors["enmap"]["excluded"] == [{"name": "B003", "centre_um": 0.95}]
    for bit, name in ((1, "emit"), (2, "enmap"), (16, "worldview3")):
        assert sensors[name]["pixels"] == (bits & bit > 0).sum()
    counted = {entry["bits"]: entry["pixels"] for entry in record["combinations"]}
    assert counted == {value: (bits == value).sum() for value in np.unique(bits)}
    assert record["pixels"]["valid"] == (bits > 0).sum()
    assert record["notes"][0] == "emit: orthorectified"
    assert any("nearest" in note for note in record["notes"])


def test_bytes_do_not_depend_on_threads(cubes, tmp_path):
    for threads in (1, 2):
        done = stack(tmp_path / str(threads), cubes, "--threads", threads, "--block-px", 16)
        assert done.returncode == 0
    for name in OUTPUTS.values():
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_memory_is_set_by_the_block(tmp_path):
    """Numbers of a scene twice as large take hardly more memory at a time."""
    peaks = []
    # Both have so many tiles that as many are packed at a time as ever are.
    for side in (1024, 1536):
        stored = np.full((10, side, side), 3000)
        cubes = {"enmap": write_cube(tmp_path / f"{side}.tif", stored)}
        del stored
        tracemalloc.start()
        done = stack(tmp_path / "out", cubes, "--block-px", 64, "--threads", 1)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert done.returncode == 0
    assert peaks[1] < 1.2 * peaks[0]


def test_bad_input_is_named_and_leaves_nothing(cubes, tmp_path):
    empty = write_cube(tmp_path / "empty.tif", np.full((2, 32, 40), -32768))
    back = write_cube(tmp_path / "back.tif", np.ones((2, 32, 40)), centres=(0.6, 0.5))
    wet = write_cube(tmp_path / "wet.tif", np.ones((2, 32, 40)), centres=(1.4, 1.9))
    bare = write_cube(tmp_path / "bare.tif", np.ones((2, 32, 40)), centres=())
    far = write_cube(tmp_path / "far.tif", np.ones((2, 9, 9)), place=(EAST, NORTH + 9000))
    for sensor, path, more, words in (
        ("prisma", empty, (), "take its row out of the table of scenes"),
        ("prisma", back, (), "wavelengths do not ascend"),
        ("prisma", wet, (), "no band is left"),
        ("prisma", far, ("--extent", "enmap"), "choose another extent"),
        ("prisma", far, ("--extent", "intersection"), "no ground in common"),
        ("prisma", tmp_path / "none.tif", (), "none.tif: no such raster file"),
        ("prisma", far, ("--extent", "aster"), "extent aster: is none of the cubes"),
        ("aviris", back, (), "'aviris' is unknown"),
        ("landsat", bare, (), "bare.tif: its bands have no wavelengths"),
        ("prisma", far, ("--pixel-m", 0), "pixel_m 0 is no size"),
    ):
        done = stack(tmp_path / "out", cubes | {sensor: path}, *more)
        assert done.returncode == 1
        assert words in done.stderr
        assert not list((tmp_path / "out").glob("*"))
    done = stack(tmp_path / "out", cubes, "--cube", "enmap", cubes["enmap"])
    assert "enmap: is given twice" in done.stderr


def test_without_ranges_no_band_is_left_out(cubes, tmp_path):
    assert stack(tmp_path / "out", cubes, excluded=()).returncode == 0
    assert len(read_bands(tmp_path / "out/bands.csv")) == 9
    assert json.loads((tmp_path / "out/cube.json").read_text())["excluded_um"] == []


def test_any_sensors_are_stacked_and_each_has_its_bit(tmp_path):
    rng = np.random.default_rng(3)
    cubes = {
        sensor: write_cube(tmp_path / sensor / "cube.tif", rng.integers(100, 9000, (2, 8, 9)))
        for sensor in SENSORS
    }
    done = stack(tmp_path / "out", dict(reversed(cubes.items())))
    assert done.returncode == 0, done.stderr
    assert read_bands(tmp_path / "out/bands.csv").sensors == SENSORS
    with rasterio.open(tmp_path / "out/sensors.tif") as dataset:
        assert (dataset.read() == 255).all()
    for place, sensor in enumerate(SENSORS):
        done = stack(tmp_path / sensor, {sensor: cubes[sensor]})
        assert done.returncode == 0, done.stderr
        with rasterio.open(tmp_path / sensor / "sensors.tif") as dataset:
            assert (dataset.read() == 1 << place).all()
        info = read_info(tmp_path / sensor / "cube.tif")
        assert info.grid == read_info(cubes[sensor]).grid
        assert info.tags["PRODUCT_ID"] == f"stack of {sensor}"


def test_numbers_without_wavelengths_make_the_stack_one_of_floats(cubes, tmp_path):
    heights = np.linspace(100, 2500, 32 * 40).reshape(1, 32, 40)
    cubes["rasters"] = write_cube(tmp_path / "rasters/cube.tif", heights, centres=())
    assert stack(tmp_path / "out", cubes, "--extent", "enmap").returncode == 0
    info, bands = read_info(tmp_path / "out/cube.tif"), read_bands(tmp_path / "out/bands.csv")
    assert (info.dtype, info.scale) == ("float32", 1.0)
    assert info.bands.centre_um == ()
    assert bands.numbers == ("rasters",)
    assert np.isnan(bands.centre_um[-1])
    with rasterio.open(tmp_path / "out/cube.tif") as dataset:
        values = dataset.read()
    with rasterio.open(cubes["rasters"]) as dataset:
        np.testing.assert_allclose(values[-1], dataset.read(1) * 1e-4, rtol=1e-6)
    with rasterio.open(cubes["enmap"]) as dataset:
        stored = dataset.read([1])[0]
    np.testing.assert_allclose(values[3], np.where(stored < 0, np.nan, stored * 1e-4), rtol=1e-6)
    record = json.loads((tmp_path / "out/cube.json").read_text())
    assert record["bands"][-1] == {"name": "rasters:B001"}
    assert any("numbers without wavelengths" in note for note in record["notes"])


def test_a_record_that_is_none_is_named(cubes, tmp_path):
    cubes["emit"].with_suffix(".json").write_text('{"notes": ["orthorectified"]}')
    done = stack(tmp_path / "out", cubes)
    assert done.returncode == 1
    assert "cube.json: is no record of a cube" in done.stderr
    assert not (tmp_path / "out").exists()
