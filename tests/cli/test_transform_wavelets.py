"""transform_wavelets: sub-bands on the grid, the profile, gaps, memory, bad input."""

import csv
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
import rasterio
from samples import ORIGIN, PIXEL_M, ROOT, run_command, run_tool, write_raster
from whole_bands import make_transform, split_band

NAMES = ("3N", "4", "6")
TAGS = {"SENSOR": "ASTER", "SYNTHETIC": "yes"}
WAVELET = (
    *("--wavelet", "sym4", "--level", 1, "--mode", "symmetric"),
    *("--transform", "dwt", "--gaps", "fill"),
)
OUTPUTS = ("subbands.tif", "subbands.qml", "profile.csv")


def write_cube(path, cube, names=NAMES, **options):
    write_raster(path, cube, nodata=-32768, scale=1e-4, tags=TAGS, **options)
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = names
    return path


def make_cube():
    cube = np.random.default_rng(3).integers(500, 6000, (3, 87, 147)).astype("int16")
    cube[:, 5:9, 10:30] = -32768
    cube[2, 60] = -32768
    return cube


@pytest.fixture
def folder(tmp_path):
    write_cube(tmp_path / "cube.tif", make_cube())
    return tmp_path


def arguments(folder, output, *more):
    return (
        *("--cube", folder / "cube.tif", "--output", output / "subbands.tif"),
        *("--profile", output / "profile.csv", *WAVELET, *more),
    )


def decoded(band):
    values = band.astype(np.float32)
    values *= np.float32(1e-4)
    values[band == -32768] = np.nan
    return values


@pytest.mark.parametrize(
    ("more", "transform"),
    [
        ((), make_transform()),
        (
            ("--wavelet", "db2", "--level", 2, "--mode", "reflect"),
            make_transform("db2", 2, "reflect"),
        ),
        (("--transform", "swt", "--gaps", "nodata"), make_transform(kind="swt", gaps="nodata")),
    ],
)
def test_the_raster_holds_the_subbands_of_the_whole_bands(folder, more, transform):
    more = (*more, "--block-px", 32, "--threads", 2)
    done = run_tool("transform_wavelets", *arguments(folder, folder, *more))
    assert done.returncode == 0, done.stderr
    with rasterio.open(folder / "subbands.tif") as dataset:
        assert set(dataset.dtypes) == {"float32"}
        assert np.isnan(dataset.nodata)
        assert dataset.crs.to_epsg() == 32643
        assert dataset.transform.c == ORIGIN[0]
        names = [f"{band} {part}" for band in NAMES for part in transform.subbands]
        assert list(dataset.descriptions) == names
        tags = dataset.tags()
        assert (tags["WAVELET"], tags["WAVELET_LEVEL"]) == (transform.wavelet, str(transform.level))
        assert (tags["WAVELET_TRANSFORM"], tags["SYNTHETIC"]) == (transform.kind, "yes")
        found = dataset.read()
    cube = make_cube()
    expected = [split_band(decoded(cube[place]), transform) for place in range(3)]
    np.testing.assert_array_equal(found, np.concatenate(expected))


def test_the_profile_is_the_mean_of_the_horizontal_detail_down_the_image(folder):
    more = ("--block-px", 32)
    done = run_tool("transform_wavelets", *arguments(folder, folder, *more))
    assert done.returncode == 0, done.stderr
    with (folder / "profile.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["band"], row["subband"], int(row["row"])) for row in rows] == [
        (band, "LH", row) for band in NAMES for row in range(87)
    ]
    with rasterio.open(folder / "subbands.tif") as dataset:
        for place, band in ((2, "3N"), (6, "4"), (10, "6")):
            detail = dataset.read(place).astype(float)
            own = [row for row in rows if row["band"] == band]
            assert [int(row["pixels"]) for row in own] == (~np.isnan(detail)).sum(axis=1).tolist()
            for row, values in zip(own, detail, strict=True):
                if np.isnan(values).all():
                    assert (row["mean"], row["mean_magnitude"]) == ("", "")
                    continue
                assert float(row["mean"]) == pytest.approx(np.nanmean(values), abs=1e-8)
                assert float(row["mean_magnitude"]) == pytest.approx(
                    np.nanmean(abs(values)), rel=1e-6
                )
    assert float(rows[0]["y"]) == ORIGIN[1] - PIXEL_M / 2
    assert float(rows[86]["y"]) == ORIGIN[1] - PIXEL_M * 86.5


def test_the_style_spans_the_first_band(folder):
    assert run_tool("transform_wavelets", *arguments(folder, folder)).returncode == 0
    with rasterio.open(folder / "subbands.tif") as dataset:
        smooth = dataset.read(1)
    renderer = ET.parse(folder / "subbands.qml").find(".//rasterrenderer")
    assert float(renderer.get("classificationMin")) == pytest.approx(float(np.nanmin(smooth)))
    assert float(renderer.get("classificationMax")) == pytest.approx(float(np.nanmax(smooth)))


def test_blocks_and_threads_do_not_change_a_byte(folder):
    for name, more in {
        "first": ("--block-px", 32, "--threads", 1),
        "second": ("--block-px", 32, "--threads", 2),
        "third": ("--block-px", 512, "--threads", 2),
    }.items():
        done = run_tool("transform_wavelets", *arguments(folder, folder / name, *more))
        assert done.returncode == 0, done.stderr
    for output in OUTPUTS:
        first = (folder / "first" / output).read_bytes()
        assert first == (folder / "second" / output).read_bytes(), output
        assert first == (folder / "third" / output).read_bytes(), output


def test_a_constant_band_has_no_detail(folder):
    write_cube(folder / "cube.tif", np.full((3, 40, 40), 2500, "int16"))
    done = run_tool("transform_wavelets", *arguments(folder, folder))
    assert done.returncode == 0, done.stderr
    with rasterio.open(folder / "subbands.tif") as dataset:
        parts = dataset.read().reshape(3, 4, 40, 40)
    np.testing.assert_allclose(parts[:, 0], 0.25, atol=1e-6)
    np.testing.assert_allclose(parts[:, 1:], 0, atol=1e-6)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--wavelet", "sym99"), "wavelet 'sym99' is unknown"),
        (("--mode", "periodization"), "mode 'periodization' is unknown"),
        (("--level", 0), "level 0"),
        (("--level", 4), "cube.tif: 147x87 pixels are too few for level 4 of sym4"),
    ],
)
def test_bad_settings_are_named_and_leave_nothing(folder, more, message):
    done = run_tool("transform_wavelets", *arguments(folder, folder / "out", *more))
    assert done.returncode == 1
    assert message in done.stderr
    assert not (folder / "out").exists()


def test_a_band_without_valid_pixels_is_named_and_leaves_nothing(folder):
    cube = make_cube()
    cube[1] = -32768
    write_cube(folder / "cube.tif", cube)
    output = folder / "out"
    done = run_tool("transform_wavelets", *arguments(folder, output, "--block-px", 32))
    assert done.returncode == 1
    assert "cube.tif, band 4: has no valid pixel" in done.stderr
    assert not output.exists()


def test_a_cube_of_too_many_bands_is_refused(folder):
    names = tuple(map(str, range(65)))
    write_cube(folder / "cube.tif", np.zeros((65, 20, 20), "int16"), names)
    done = run_tool("transform_wavelets", *arguments(folder, folder / "out"))
    assert "has 65 bands, and zones are found on 64 at most" in done.stderr
    assert not (folder / "out").exists()


def test_the_tool_runs_as_a_command(folder):
    done = run_command("transform_wavelets", *arguments(folder, folder, "--threads", 1))
    assert done.returncode == 0, done.stderr
    assert "within 7 pixels of nodata" in done.stderr
    done = run_command("transform_wavelets", *arguments(folder, folder, "--wavelet", "none"))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: wavelet 'none'")


def map_anomalies(folder, *more):
    done = run_tool(
        "map_anomalies",
        *("--cube", folder / "cube.tif", "--n", 1.5, "--centre", "median", "--side", "high"),
        *("--output", folder / "anomalies.tif", "--table", folder / "anomalies.csv", *more),
    )
    assert done.returncode == 0, done.stderr
    return folder / "anomalies.tif"


@pytest.mark.parametrize("kept", ["values", "marks"])
def test_of_the_anomalies_alone_the_sub_bands_are_those_of_the_masked_band(folder, tmp_path, kept):
    # A threshold that less than a quarter of evenly spread numbers exceed.
    marked = map_anomalies(folder)
    more = ("--anomalies", marked, "--keep", kept, "--block-px", 64)
    done = run_tool("transform_wavelets", *arguments(folder, tmp_path, *more))
    assert done.returncode == 0, done.stderr
    with rasterio.open(tmp_path / "subbands.tif") as dataset:
        found, tags = dataset.read(), dataset.tags()
    with rasterio.open(marked) as dataset:
        codes = dataset.read()
    assert tags["WAVELET_OF"] == f"anomalies, {kept}"
    for place, (band, code) in enumerate(zip(make_cube(), codes, strict=True)):
        values = decoded(band)
        alone = np.where(code == 1, values if kept == "values" else 1, 0).astype(np.float32)
        alone[np.isnan(values)] = np.nan
        wanted = split_band(alone, make_transform())
        np.testing.assert_allclose(found[4 * place : 4 * place + 4], wanted, atol=1e-6)


def test_anomalies_that_leave_nothing_or_are_of_other_bands_are_refused(folder, tmp_path):
    none = map_anomalies(folder, "--n", 50)
    done = run_tool("transform_wavelets", *arguments(folder, tmp_path, "--anomalies", none))
    assert "anomalies.tif, band 3N: has no anomaly" in done.stderr
    assert "zones.published.mad.n" in done.stderr
    with rasterio.open(none, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as dataset:
        dataset.descriptions = ("1", "2", "3")
    done = run_tool("transform_wavelets", *arguments(folder, tmp_path, "--anomalies", none))
    assert "has the bands 1, 2, 3 where" in done.stderr
    assert not (tmp_path / "subbands.tif").exists()


PEAK = """
import sys
from pathlib import Path
import toolkit, transform_wavelets
toolkit.run(transform_wavelets.build_parser(), transform_wavelets.main)
status = Path("/proc/self/status").read_text()
print(next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's /proc")
def test_peak_memory_is_set_by_the_block_not_by_the_scene(tmp_path):
    peaks = {}
    for size in (4096, 8192):
        ramp = np.add.outer(np.arange(size), np.arange(size)).astype("int16")
        folder = tmp_path / str(size)
        folder.mkdir()
        layout = {"tiled": True, "blockxsize": 512, "blockysize": 512, "compress": "deflate"}
        write_cube(folder / "cube.tif", np.stack([ramp]), names=("4",), **layout)
        more = map(str, arguments(folder, folder, "--block-px", 256, "--threads", 2))
        run = subprocess.run(
            [sys.executable, "-c", PEAK, *more],
            env={"PYTHONPATH": str(ROOT / "scripts"), "OPENBLAS_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
            check=True,
        )
        peaks[size] = int(run.stdout) / 1024
    print({size: f"{peak:.0f} MiB" for size, peak in peaks.items()})
    # The sub-bands grow by 768 MiB; what peaks may add is memory that the C library has kept.
    assert peaks[8192] < peaks[4096] + 120
