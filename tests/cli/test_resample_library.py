"""resample_library: references of a study's classes at the bands of a cube."""

import csv
import subprocess
import sys

import numpy as np
import pytest
import rasterio
from affine import Affine

from gossan.library.readers import read_references

BANDS = {
    "B1": (0.443, 0.016),
    "B2": (0.482, 0.060),
    "B3": (0.561, 0.057),
    "B4": (0.655, 0.037),
    "B5": (0.865, 0.028),
    "B6": (1.609, 0.085),
    "B7": (2.201, 0.187),
}
CLASSES = """code,name,label,kind,colour,record,max_angle_rad
12,feldspar,Feldspar,mineral,#FE00FE,Microcline_NMNH135231,0.1
6,calcite,Calcite,mineral,#4FC3F7,Calcite_WS272,0.1
"""


def write_cube(path, sensor="Landsat-8 OLI_TIRS", spectral=True):
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=2,
        height=2,
        count=len(BANDS),
        dtype="int16",
        crs="EPSG:32643",
        transform=Affine(30, 0, 0, 0, -30, 0),
    ) as dataset:
        dataset.update_tags(SENSOR=sensor)
        for index, (name, (centre, fwhm)) in enumerate(BANDS.items(), start=1):
            dataset.set_band_description(index, name)
            if spectral:
                dataset.update_tags(index, ns="IMAGERY", CENTRAL_WAVELENGTH_UM=centre, FWHM_UM=fwhm)


@pytest.fixture
def resample(root, tmp_path):
    """Run the tool; returns the finished process and the path of its output."""

    def run(*libraries, classes=CLASSES, per_class="one", spread=None, more=(), **cube):
        write_cube(tmp_path / "cube.tif", **cube)
        (tmp_path / "classes.csv").write_text(classes)
        output = tmp_path / "references.csv"
        command = [sys.executable, root / "scripts/resample_library.py"]
        command += ["--library", *libraries, "--classes", tmp_path / "classes.csv"]
        command += ["--cube", tmp_path / "cube.tif", "--references", output]
        command += ["--records", tmp_path / "records.csv", "--records-per-class", per_class]
        command += ["--spread", spread or root / "resources/static/record_spread.csv"]
        command += ["--separable", tmp_path / "separable.csv", *more]
        command = [str(part) for part in command]
        return subprocess.run(command, capture_output=True, text=True), output

    return run


def write_library(folder, calcite_until=2.6):
    rows = ["wavelength_um,Microcline NMNH135231,Calcite WS272"]
    for wavelength in np.arange(0.35, 2.6, 0.005):
        calcite = 0.2 * wavelength if wavelength < calcite_until else float("nan")
        rows.append(f"{wavelength:.4f},0.5,{calcite:.5f}")
    (folder / "library.csv").write_text("\n".join(rows) + "\n")
    return folder / "library.csv"


def failed_line(finished, output):
    assert finished.returncode == 1
    assert "Traceback" not in finished.stderr
    assert not output.exists()
    return finished.stderr.strip().splitlines()[-1]


def test_references_of_the_shipped_library(resample, root):
    finished, output = resample(root / "resources/static/analytic_library.csv")
    assert finished.returncode == 0, finished.stderr
    references = read_references(output)
    assert references.names == ("feldspar", "calcite")
    assert references.band == tuple(BANDS)
    np.testing.assert_allclose(references.fwhm_um, [fwhm for _, fwhm in BANDS.values()])
    assert np.all((references.reflectance > 0.4) & (references.reflectance < 1))
    records = output.with_name("records.csv").read_text().splitlines()
    assert records == [
        "name,library,record,missed",
        "feldspar,analytic,feldspar,",
        "calcite,analytic,calcite,",
    ]


def test_response_functions_and_gaussians(resample, tmp_path):
    library = write_library(tmp_path)
    measured, output = resample(library)
    assert measured.returncode == 0, measured.stderr
    by_response = read_references(output).reflectance
    assumed, output = resample(library, sensor="a spectrometer")
    assert assumed.returncode == 0, assumed.stderr
    by_gaussian = read_references(output).reflectance
    np.testing.assert_allclose(by_response[0], 0.5, atol=1e-6)
    np.testing.assert_allclose(by_gaussian[0], 0.5, atol=1e-6)
    centres = [centre for centre, _ in BANDS.values()]
    np.testing.assert_allclose(by_response[1] / 0.2, centres, atol=2e-3)
    np.testing.assert_allclose(by_gaussian[1] / 0.2, centres, atol=1e-4)


def test_several_libraries_are_one(resample, tmp_path, root):
    own = tmp_path / "own.csv"
    own.write_text(write_library(tmp_path).read_text().replace("Calcite WS272", "slag heap"))
    classes = CLASSES + "50,slag,Slag,mineral,#000000,slag_heap,0.1\n"
    finished, output = resample(
        root / "resources/static/analytic_library.csv", own, classes=classes.replace("Micro", "no")
    )
    assert finished.returncode == 0, finished.stderr
    assert read_references(output).names == ("feldspar", "calcite", "slag")


def test_a_gap_over_a_band_names_class_spectrum_and_band(resample, tmp_path):
    line = failed_line(*resample(write_library(tmp_path, calcite_until=2.2)))
    assert "'Calcite WS272' has no data over band B7" in line
    assert "record of 'calcite'" in line


def test_an_unknown_mineral_names_close_ones(resample, tmp_path):
    classes = CLASSES.replace(
        "calcite,Calcite,mineral,#4FC3F7,Calcite_WS272", "calcit,C,mineral,#4FC3F7,"
    )
    line = failed_line(*resample(write_library(tmp_path), classes=classes))
    assert "'calcit'" in line
    assert "close names: calcite" in line


def test_classes_that_no_library_has_may_be_left_out_but_not_all(resample, tmp_path, root):
    ore = (root / "resources/static/ore_references.csv").read_text()
    library = write_library(tmp_path)
    library.write_text(library.read_text().replace("Calcite WS272", "Itabirite"))
    finished, output = resample(library, classes=ore, more=["--skip-absent"])
    assert finished.returncode == 0, finished.stderr
    assert read_references(output).names == ("itabirite",)
    output.unlink()
    line = failed_line(*resample(write_library(tmp_path), classes=ore, more=["--skip-absent"]))
    assert "no spectrum is called hematite, itabirite, quartz, soil, vegetation" in line


def test_a_cube_without_wavelengths_is_named(resample, tmp_path):
    library = write_library(tmp_path)
    line = failed_line(*resample(library, sensor="a spectrometer", spectral=False))
    assert "cube.tif" in line
    assert "no centre wavelengths" in line


def test_real_usgs_library(resample, shared_data):
    finished, output = resample(shared_data("usgs_splib07/native_ascii_splib07a"))
    assert finished.returncode == 0, finished.stderr
    assert read_references(output).reflectance.shape == (2, 7)


def test_every_record_of_the_shipped_table_covers_landsat(resample, shared_data, root):
    table = (root / "resources/static/minerals.csv").read_text().splitlines()
    # What is constructed has no record.
    constructed = (",cover,", "modelled 1:1")
    minerals = [line for line in table if not any(mark in line for mark in constructed)]
    minerals = "\n".join(minerals) + "\n"
    libraries = [
        shared_data("usgs_splib07/native_ascii_splib07a"),
        shared_data("usgs_splib07/envi_sli/s07_AV95_envi.hdr"),
        shared_data("jpl_beckman/chalcocite"),
    ]
    finished, output = resample(*libraries, classes=minerals)
    assert finished.returncode == 0, finished.stderr
    real = read_references(output)
    finished, output = resample(root / "resources/static/analytic_library.csv", classes=minerals)
    assert finished.returncode == 0, finished.stderr
    modelled = read_references(output)
    cosine = np.sum(real.reflectance * modelled.reflectance, axis=1) / (
        np.linalg.norm(real.reflectance, axis=1) * np.linalg.norm(modelled.reflectance, axis=1)
    )
    angles = np.arccos(np.clip(cosine, -1, 1))
    assert np.all(angles < 0.02), dict(zip(real.names, angles, strict=True))


def test_all_records_of_a_class_stand_beside_one_another(resample, tmp_path, root):
    wavelength = np.arange(0.35, 2.6, 0.005)
    spectra = {
        "Calcite HS48": 0.1 * wavelength,
        "Calcite WS272": 0.2 * wavelength,
        "Calcite+Dolomite GDS1": 0.3 * wavelength,
        "Calcite CO2004": np.where(wavelength < 2.0, 0.25 * wavelength, np.nan),
    }
    rows = [",".join(["wavelength_um", *spectra])]
    rows += [
        ",".join(f"{value:.5f}" for value in row)
        for row in zip(wavelength, *spectra.values(), strict=True)
    ]
    (tmp_path / "library.csv").write_text("\n".join(rows) + "\n")
    analytic = root / "resources/static/analytic_library.csv"
    finished, output = resample(tmp_path / "library.csv", analytic, per_class="all")
    assert finished.returncode == 0, finished.stderr
    references = read_references(output)
    assert references.names == ("feldspar", "calcite", "calcite")
    np.testing.assert_allclose(references.reflectance[1], 2 * references.reflectance[2], rtol=1e-4)
    assert output.with_name("records.csv").read_text().splitlines() == [
        "name,library,record,missed",
        "feldspar,analytic,feldspar,",
        "calcite,library.csv,Calcite WS272,",
        "calcite,library.csv,Calcite HS48,",
    ]


def test_minerals_that_the_bands_cannot_tell_apart_are_in_a_table(resample, root, tmp_path):
    table = (root / "resources/static/minerals.csv").read_text().splitlines()
    wanted = ("calcite", "dolomite", "hematite", "soil")
    classes = "\n".join([table[0], *(row for row in table if row.split(",")[1] in wanted)]) + "\n"
    finished, _ = resample(root / "resources/static/analytic_library.csv", classes=classes)
    assert finished.returncode == 0, finished.stderr
    with (tmp_path / "separable.csv").open(newline="") as stream:
        rows = {row["mineral"]: row for row in csv.DictReader(stream)}
    assert list(rows) == ["calcite", "dolomite", "hematite"]
    assert (rows["calcite"]["one_with"], rows["dolomite"]["one_with"]) == ("dolomite", "calcite")
    assert rows["hematite"]["one_with"] == ""
    assert rows["calcite"]["note"] == "with these 7 bands one with dolomite"


def test_a_table_without_minerals_has_nothing_to_tell_apart(resample, root, tmp_path):
    classes = "code,name,label,kind,colour\n103,soil,Soil,cover,#A1887F\n"
    finished, _ = resample(root / "resources/static/analytic_library.csv", classes=classes)
    assert finished.returncode == 0, finished.stderr
    assert len((tmp_path / "separable.csv").read_text().splitlines()) == 1


def test_a_damaged_table_of_spread_is_named_and_nothing_is_left(resample, root, tmp_path):
    library = root / "resources/static/analytic_library.csv"
    (tmp_path / "spread.csv").write_text("wavelength_um,pattern1\n0.5,x\n")
    finished, output = resample(library, spread=tmp_path / "spread.csv")
    assert "spread.csv: not a table of spread" in failed_line(finished, output)


@pytest.mark.parametrize("per_class", ["one", "all"])
def test_a_record_that_was_taken_out_of_a_folder_is_missed(resample, tmp_path, per_class):
    """The table of classes names it, so another one that stands in is not taken for it."""
    folder = tmp_path / "library"
    folder.mkdir()
    wavelengths = np.arange(0.35, 2.6, 0.005)
    for name, level in (("Calcite WS272", 0.3), ("Calcite CO2004", 0.6), ("Microcline A1", 0.5)):
        lines = [f"{wavelength:.4f},{level}" for wavelength in wavelengths]
        text = "\n".join([f"wavelength_um,{name}", *lines])
        (folder / f"{name}.csv").write_text(text + "\n")
    header, *rows = CLASSES.splitlines()
    columns = header.split(",")
    named = []
    for row in rows:
        cells = dict(zip(columns, row.split(","), strict=True))
        cells["record"] = "WS272" if cells["name"] == "calcite" else "Microcline_A1"
        named.append(",".join(cells[column] for column in columns))
    table = "\n".join([header, *named]) + "\n"
    finished, output = resample(folder, classes=table, per_class=per_class)
    assert finished.returncode == 0, finished.stderr
    assert all(row.endswith(",") for row in records_of(output))
    (folder / "Calcite WS272.csv").unlink()
    finished, output = resample(folder, classes=table, per_class=per_class)
    assert finished.returncode == 0, finished.stderr
    assert "calcite: no library holds the record WS272" in finished.stderr
    assert "calcite,library,Calcite CO2004,WS272" in records_of(output)


def records_of(output):
    return output.with_name("records.csv").read_text().splitlines()[1:]


def write_scene_table(path, classes=("slag",), bands=BANDS):
    rows = ["name,file,pixels,band,wavelength_um,fwhm_um,mean,deviation"]
    for name in classes:
        for place, (band, (centre, fwhm)) in enumerate(bands.items()):
            rows.append(f"{name},points.gpkg,4,{band},{centre},{fwhm},{0.1 + place / 100},0.01")
    path.write_text("\n".join(rows) + "\n")
    return path


def test_spectra_of_the_scene_stand_in_for_those_of_libraries(resample, tmp_path):
    library = write_library(tmp_path)
    scene = write_scene_table(tmp_path / "scene.csv", ("slag", "calcite"))
    classes = CLASSES + "200,slag,Slag,mineral,#000000,,0.1\n"
    finished, output = resample(library, classes=classes, more=["--from-scene", scene])
    assert finished.returncode == 0, finished.stderr
    references = read_references(output)
    assert references.names == ("feldspar", "calcite", "slag")
    np.testing.assert_allclose(references.reflectance[0], 0.5, atol=1e-6)
    for row in (1, 2):
        np.testing.assert_allclose(references.reflectance[row], 0.1 + np.arange(7) / 100)
    with output.with_name("records.csv").open() as stream:
        records = list(csv.DictReader(stream))
    assert [(row["name"], row["library"]) for row in records] == [
        ("feldspar", "library.csv"),
        ("calcite", "points.gpkg"),
        ("slag", "points.gpkg"),
    ]
    told = "mean of 4 pixels of the scene (standard deviation 0.010 to 0.010)"
    assert [row["record"] for row in records[1:]] == [told, told]
    with output.with_name("separable.csv").open() as stream:
        assert [row["mineral"] for row in csv.DictReader(stream)] == [*references.names]


def test_a_scene_may_give_all_references(resample, tmp_path):
    scene = write_scene_table(tmp_path / "scene.csv", ("feldspar", "calcite"))
    finished, output = resample(write_library(tmp_path), more=["--from-scene", scene])
    assert finished.returncode == 0, finished.stderr
    assert read_references(output).band == tuple(BANDS)


def test_a_mineral_that_neither_scene_nor_library_has_is_told(resample, tmp_path):
    scene = write_scene_table(tmp_path / "scene.csv", ("calcite",))
    classes = CLASSES + "200,slag,Slag,mineral,#000000,,0.1\n"
    finished, output = resample(
        write_library(tmp_path), classes=classes, more=["--from-scene", scene]
    )
    assert "'slag' is not in the library" in failed_line(finished, output)
