"""Readers of spectral libraries: one small golden file per format, and damaged ones."""

import re
from dataclasses import replace

import numpy as np
import pytest

from gossan.errors import InputError
from gossan.legend import read_classes
from gossan.library.readers import (
    References,
    read_envi_wavelengths,
    read_library,
    read_references,
    select_all,
    select_from_libraries,
    select_spectrum,
    write_references,
)
from gossan.library.spectrum import Spectrum

DELETED = "-1.2300000e+034"


def write_usgs(folder, count=4):
    """A miniature splib07: two spectrometers, records in a sub-folder."""
    chapter = folder / "ChapterM_Minerals"
    chapter.mkdir(parents=True)

    def put(path, title, values):
        path.write_text(f" splib07a Record=1: {title}\r\n" + "".join(f" {v}\r\n" for v in values))

    beckman = [0.5 + 0.5 * i for i in range(count)]
    put(folder / "splib07a_Wavelengths_BECK_x.txt", "Wavelengths BECK Beckman", beckman)
    put(folder / "splib07a_Wavelengths_ASD_x.txt", "Wavelengths ASD 0.35-2.5", [0.5, 1.0, 2.0])
    put(folder / "splib07a_Bandpass_(FWHM)_BECK_x.txt", "Bandpass (FWHM) BECK", [0.01] * count)
    put(
        chapter / "splib07a_Alunite_GDS82_BECKb_AREF.txt",
        "Alunite GDS82            BECKb AREF",
        [DELETED, 0.25, 0.5, 0.75][:count],
    )
    put(chapter / "splib07a_Calcite_WS272_ASDFRa.txt", "Calcite WS272 ASDFRa AREF", [0.1, 0.2, 0.3])
    put(chapter / "errorbars_for_alunite.txt", "error bars to previous", [0.01] * count)
    return chapter


def write_envi(folder, values, names, wavelength, extra="", dtype="<f4", kind=4):
    values = np.asarray(values, dtype=dtype)
    (folder / "lib.sli").write_bytes(values.tobytes())
    header = (
        f"ENVI\nsamples = {values.shape[1]}\nlines = {values.shape[0]}\nbands = 1\n"
        f"header offset = 0\nfile type = ENVI Spectral Library\ndata type = {kind}\n"
        f"byte order = {int(dtype.startswith('>'))}\n{extra}"
        f"spectra names = {{\n {', '.join(names)}}}\n"
        f"wavelength = {{\n {', '.join(map(str, wavelength))}}}\n"
    )
    (folder / "lib.hdr").write_text(header)
    return folder / "lib.sli"


ECOSTRESS = """Name: Chalcocite Cu_2S
Type: mineral
X Units: Wavelength (micrometers)
Y Units: Reflectance (percent)
Number of X Values: 3

2.5\t30.0
1.5\t20.0
0.4\t10.0
"""


def test_usgs_folder_takes_the_record_spectrometers_wavelengths(tmp_path):
    write_usgs(tmp_path)
    alunite, calcite = read_library(tmp_path)
    assert alunite.name == "Alunite GDS82 BECKb AREF"
    np.testing.assert_allclose(alunite.wavelength_um, [0.5, 1.0, 1.5, 2.0])
    np.testing.assert_allclose(alunite.reflectance, [np.nan, 0.25, 0.5, 0.75])
    np.testing.assert_allclose(calcite.wavelength_um, [0.5, 1.0, 2.0])


def test_one_usgs_file_finds_its_wavelengths_in_the_folder_above(tmp_path):
    chapter = write_usgs(tmp_path)
    (found,) = read_library(chapter / "splib07a_Calcite_WS272_ASDFRa.txt")
    assert found.name == "Calcite WS272 ASDFRa AREF"


def test_usgs_damage_is_named(tmp_path):
    chapter = write_usgs(tmp_path)
    file = chapter / "splib07a_Alunite_GDS82_BECKb_AREF.txt"
    whole = file.read_text()
    for damaged, message in [
        (whole + "0.5\n", "5 channels"),
        (whole.replace("0.25", "0.2x5"), "not a number"),
        (whole.replace("0.25", "0.25 0.3"), "more than one column"),
        (whole.split("\n")[0] + "\n", "no channels"),
        (whole.replace("0.25", "25.0"), "fraction"),
        ("", "empty"),
        (whole[:60] + "\0\0\0" + whole[60:], "not a text file"),
        (" splib07a Record=1: Alunite BECKb\n" + f"{DELETED}\n" * 4, "no valid channel"),
    ]:
        file.write_text(damaged)
        with pytest.raises(InputError, match=f"{file.name}.*{message}"):
            read_library(file)


def test_usgs_without_wavelengths_says_what_is_missing(tmp_path):
    chapter = write_usgs(tmp_path)
    for file in tmp_path.glob("*Wavelengths*"):
        file.unlink()
    with pytest.raises(InputError, match="no wavelength file"):
        read_library(chapter)


def test_envi_masks_sorts_converts_and_drops_what_is_no_spectrum(tmp_path):
    path = write_envi(
        tmp_path,
        [[700, 500, 600, 800], [0.3, 0.1, -2e33, 0.4], [0.01] * 4, [0.6, 0.5, 0.0, -1.23e34]],
        ["Wavelengths in nm", "Alunite  GDS82 BECKb", "error bars to preceding", "Calcite WS272"],
        [700, 500, 600, 800],
        extra="wavelength units = Nanometers\n",
    )
    for source in (path, tmp_path / "lib.hdr", tmp_path):
        alunite, calcite = read_library(source)
        assert alunite.name == "Alunite GDS82 BECKb"
        np.testing.assert_allclose(alunite.wavelength_um, [0.5, 0.6, 0.7, 0.8])
        np.testing.assert_allclose(alunite.reflectance, [0.1, np.nan, 0.3, 0.4])
        np.testing.assert_allclose(calcite.reflectance, [0.5, 0.0, 0.6, np.nan])


def test_envi_zero_is_deleted_where_nothing_else_is(tmp_path):
    path = write_envi(
        tmp_path, [[0.0, 0.2, 0.4]], ["alunite1.spc Alunite GDS84"], [0.4, 0.5, 0.6], dtype=">f4"
    )
    (alunite,) = read_library(path)
    np.testing.assert_allclose(alunite.reflectance, [np.nan, 0.2, 0.4])
    assert select_spectrum([alunite], "alunite") is alunite


def test_envi_scale_and_ignore_value(tmp_path):
    path = write_envi(
        tmp_path,
        [[1000, 9999, 4000]],
        ["A"],
        [0.4, 0.5, 0.6],
        extra="reflectance scale factor = 10000\ndata ignore value = 9999\n",
        dtype="<i2",
        kind=2,
    )
    (spectrum,) = read_library(path)
    np.testing.assert_allclose(spectrum.reflectance, [0.1, np.nan, 0.4])


def test_envi_damage_is_named(tmp_path):
    path = write_envi(tmp_path, [[0.1, 0.2, 0.4]], ["A"], [0.4, 0.5, 0.6])
    header = (tmp_path / "lib.hdr").read_text()
    for old, new, message in [
        ("ENVI\n", "VNIE\n", "ENVI"),
        ("samples = 3", "samples = three", "samples"),
        ("samples = 3\n", "", "samples"),
        ("lines = 1", "lines = 2", "spectra names"),
        ("0.4, 0.5, 0.6", "0.4, 0.5", "wavelengths"),
        ("0.4, 0.5, 0.6", "0.4, x, 0.6", "repair"),
        ("data type = 4", "data type = 6", "data type"),
        ("data type = 4", "data type = 5", "bytes"),
    ]:
        (tmp_path / "lib.hdr").write_text(header.replace(old, new))
        with pytest.raises(InputError, match=f"lib.*{message}"):
            read_library(path)
    (tmp_path / "lib.hdr").unlink()
    with pytest.raises(InputError, match=r"header lib.hdr is missing"):
        read_library(path)


RAMP_UM = np.array([0.4, 0.5, 1.25, 2.5])
RAMP = np.array([0.1, 0.2, 0.3, 0.4])


@pytest.mark.parametrize(
    ("unit", "numbers"),
    [
        ("Micrometers", RAMP_UM),
        ("um", RAMP_UM),
        ("Micrometres", RAMP_UM),
        ("Nanometers", RAMP_UM * 1e3),
        ("nm", RAMP_UM * 1e3),
        ("Angstroms", RAMP_UM * 1e4),
        ("Millimeters", RAMP_UM / 1e3),
        ("Meters", RAMP_UM / 1e6),
        ("Wavenumber", 1e4 / RAMP_UM),
        ("cm-1", 1e4 / RAMP_UM),
        ("GHz", 299_792.458 / RAMP_UM),
        ("MHz", 299_792_458.0 / RAMP_UM),
        ("Unknown", RAMP_UM * 1e3),
        ("", RAMP_UM),
    ],
)
def test_wavelengths_of_every_unit_that_envi_knows_come_out_in_micrometres(tmp_path, unit, numbers):
    path = write_envi(tmp_path, [RAMP], ["A"], list(numbers))
    header = tmp_path / "lib.hdr"
    text = re.sub(r"(?m)^wavelength units.*\n", "", header.read_text())
    header.write_text(text + f"wavelength units = {unit}\n")
    (spectrum,) = read_library(path)
    np.testing.assert_allclose(spectrum.wavelength_um, RAMP_UM, rtol=1e-12)
    np.testing.assert_allclose(spectrum.reflectance, RAMP)
    # Some writers join the key's words.
    header.write_text(text + f"wavelength_units = {unit}\n")
    np.testing.assert_allclose(read_library(path)[0].wavelength_um, RAMP_UM, rtol=1e-12)


@pytest.mark.parametrize("unit", ["Index", "Furlongs", "Band number"])
def test_a_unit_of_an_envi_library_that_is_no_wavelength_is_refused(tmp_path, unit):
    path = write_envi(tmp_path, [RAMP], ["A"], [1.0, 2.0, 3.0, 450.0])
    header = tmp_path / "lib.hdr"
    text = re.sub(r"(?m)^wavelength units.*\n", "", header.read_text())
    header.write_text(text + f"wavelength units = {unit}\n")
    with pytest.raises(InputError, match=rf"lib\.hdr: wavelength units: .* unit '{unit.lower()}'"):
        read_library(path)


@pytest.mark.parametrize(
    ("title", "numbers"),
    [("Wavelength (nm)", RAMP_UM * 1e3), ("Wavenumber [cm-1]", 1e4 / RAMP_UM)],
)
def test_the_unit_in_the_title_of_a_plot_or_an_ecostress_file_is_converted(
    tmp_path, title, numbers
):
    rows = [f"{x!r} {y!r}" for x, y in zip(numbers.tolist(), RAMP.tolist(), strict=True)]
    plot = tmp_path / "plot.txt"
    head = f"ENVI ASCII Plot File\nColumn 1: {title}\nColumn 2: A\n"
    plot.write_text(head + "\n".join(rows) + "\n")
    text = tmp_path / "a.spectrum.txt"
    head = f"Name: A\nX Units: {title}\nY Units: Reflectance (fraction)\n\n"
    text.write_text(head + "\n".join(rows) + "\n")
    for path in (plot, text):
        (spectrum,) = read_library(path)
        np.testing.assert_allclose(spectrum.wavelength_um, RAMP_UM, rtol=1e-12)
        np.testing.assert_allclose(spectrum.reflectance, RAMP)


def test_the_unit_in_the_title_of_usgs_wavelengths_is_converted(tmp_path):
    chapter = write_usgs(tmp_path)
    file = next(tmp_path.glob("*Wavelengths_BECK*"))
    rows = file.read_text().split("\n")[1:]
    numbers = [f"{float(row) * 1e3:.6f}" for row in rows if row.strip()]
    title = " splib07a Record=1: Wavelengths BECK 200-399 nanometers"
    file.write_text("\n".join([title, *numbers]) + "\n")
    (found,) = read_library(chapter / "splib07a_Alunite_GDS82_BECKb_AREF.txt")
    np.testing.assert_allclose(found.wavelength_um, [0.5, 1.0, 1.5, 2.0])


def test_limits_of_reflectance_hold_after_the_scale(tmp_path):
    """Noise a little below 0 in a dark record; -9999 marks a gap though no key says so."""
    path = write_envi(
        tmp_path,
        [[-6, 5, -9999, 0], [1000, -30, 4000, 0], [1000, 0, 4000, 0]],
        ["A", "B", "C"],
        [0.4, 0.5, 0.6, 0.7],
        extra="reflectance scale factor = 10000.0\n",
        dtype="<i2",
        kind=2,
    )
    dark, other, zero = read_library(path)
    np.testing.assert_allclose(dark.reflectance, [-0.0006, 0.0005, np.nan, np.nan])
    np.testing.assert_allclose(other.reflectance, [0.1, -0.003, 0.4, np.nan])
    np.testing.assert_allclose(zero.reflectance, [0.1, 0.0, 0.4, np.nan])


def test_one_odd_file_is_told_and_left_out_of_a_folder(tmp_path, caplog):
    write_usgs(tmp_path)
    (tmp_path / "b.spectrum.txt").write_text(ECOSTRESS)
    odd = {
        "a.ancillary.txt": "",
        "leaf.spectrum.txt": ECOSTRESS.replace("Reflectance", "Transmittance"),
        "junk.csv": "wavelength_um,a\n0.5,x\n",
        "binary.txt": "\0\0\0",
    }
    whole = [spectrum.name for spectrum in read_library(tmp_path)]
    assert not caplog.records
    for name, text in odd.items():
        (tmp_path / name).write_text(text)
    assert [spectrum.name for spectrum in read_library(tmp_path)] == whole
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == len(odd)
    assert all(any(name in line for line in told) for name in odd)
    assert any("Transmittance" in line for line in told)


def test_a_folder_of_odd_files_alone_is_refused_by_the_first(tmp_path):
    (tmp_path / "a.txt").write_text("")
    (tmp_path / "b.csv").write_text("wavelength_um,a\n")
    with pytest.raises(InputError, match=r"a\.txt: the file is empty.*and 1 further files"):
        read_library(tmp_path)


def test_ecostress_percent_descending(tmp_path):
    (tmp_path / "a.spectrum.txt").write_text(ECOSTRESS)
    (tmp_path / "a.ancillary.txt").write_text("Sample collected in a mine\n")
    (chalcocite,) = read_library(tmp_path)
    assert chalcocite.name == "Chalcocite Cu_2S"
    np.testing.assert_allclose(chalcocite.wavelength_um, [0.4, 1.5, 2.5])
    np.testing.assert_allclose(chalcocite.reflectance, [0.1, 0.2, 0.3])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("1.5\t20.0", "1.5\t20.0\t3.0", "line 8: 3 columns"),
        ("1.5\t20.0", "1.5\ttwenty", "line 8"),
        ("0.4\t10.0\n", "", "2 rows"),
        ("Reflectance (percent)", "Transmittance (percent)", "Transmittance"),
        ("Wavelength (micrometers)", "Channel (number)", "X units: .* unit 'channel .number.'"),
        ("Wavelength (micrometers)", "Wavelength (nanometers)", "unit 'nm', look wrong"),
        ("2.5\t30.0\n1.5\t20.0\n0.4\t10.0\n", "", "no data"),
        ("0.4\t", "nan\t", "wavelengths must be finite"),
    ],
)
def test_ecostress_damage_is_named(tmp_path, old, new, message):
    file = tmp_path / "a.spectrum.txt"
    file.write_text(ECOSTRESS.replace(old, new))
    with pytest.raises(InputError, match=f"a.spectrum.txt.*{message}"):
        read_library(tmp_path)


PLOT = """ENVI ASCII Plot File [Wed Jan 07 23:05:22 2026]
Column 1: Wavelength
Column 2: Reflectance (scene.nc) (248,269)~~2##255,0,0
Column 3: dolomit2.spc  Dolomite COD2005~~1
   381.005585   0.375461   0.5
   388.409210   -1.23e34   0.6
"""


def test_envi_plot_holds_a_spectrum_per_column(tmp_path):
    path = tmp_path / "plot.txt"
    path.write_text(PLOT.replace("\n", "\r\n"))
    pixel, dolomite = read_library(path)
    assert pixel.name == "Reflectance (scene.nc) (248,269)"
    assert dolomite.name == "dolomit2.spc Dolomite COD2005"
    assert pixel.wavelength_um == pytest.approx([0.381005585, 0.38840921])
    assert pixel.reflectance == pytest.approx([0.375461, np.nan], nan_ok=True)
    assert dolomite.reflectance.tolist() == [0.5, 0.6]
    path.write_text(PLOT.replace("381.0", "0.3810").replace("388.4", "0.3884"))
    assert read_library(path)[0].wavelength_um == pytest.approx([0.381005585, 0.388409210])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("0.375461   0.5", "0.375461", "line 5: 2 numbers for 3 columns"),
        ("0.375461", "abc", "line 5: could not convert"),
        ("   381.005585   0.375461   0.5\n   388.409210   -1.23e34   0.6\n", "", "without spectra"),
        ("0.5\n", "50\n", "must be a fraction"),
    ],
)
def test_envi_plot_damage_is_named(tmp_path, old, new, message):
    path = tmp_path / "plot.txt"
    path.write_text(PLOT.replace(old, new))
    with pytest.raises(InputError, match=rf"plot\.txt.*{message}"):
        read_library(path)


def test_envi_wavelengths_keep_the_order_of_the_channels(tmp_path):
    path = tmp_path / "lib.hdr"
    path.write_text("ENVI\nsamples = 3\nwavelength = {400, 700, 650}\n")
    assert read_envi_wavelengths(path).tolist() == [0.4, 0.7, 0.65]
    path.write_text("ENVI\nsamples = 4\nwavelength = {400, 700, 650}\n")
    with pytest.raises(InputError, match=r"lib\.hdr: 3 wavelengths for 4 samples"):
        read_envi_wavelengths(path)
    path.write_text("ENVI\nsamples = 2\nwavelength = {400, x}\n")
    with pytest.raises(InputError, match=r"lib\.hdr: could not convert"):
        read_envi_wavelengths(path)


def test_csv_with_several_spectra_gaps_and_comments(tmp_path):
    file = tmp_path / "own.csv"
    file.write_text("# mine\nwavelength_um,fwhm_um,a b,c\n0.6,0.1,0.3,0.4\n0.5,0.1,,0.2\n")
    first, second = read_library(file)
    assert (first.name, second.name) == ("a b", "c")
    np.testing.assert_allclose(first.wavelength_um, [0.5, 0.6])
    np.testing.assert_allclose(first.reflectance, [np.nan, 0.3])
    np.testing.assert_allclose(second.reflectance, [0.2, 0.4])


@pytest.mark.parametrize(
    ("column", "numbers"),
    [
        ("wavelength_um", RAMP_UM),
        ("Wavelength (µm)", RAMP_UM),
        ("wavelength_nm", RAMP_UM * 1e3),
        ("Wavelength [nm]", RAMP_UM * 1e3),
        ("wavelength nanometers", RAMP_UM * 1e3),
        ("Wavenumber (cm-1)", 1e4 / RAMP_UM),
        ("wavenumber", 1e4 / RAMP_UM),
    ],
)
def test_the_unit_of_a_csv_column_is_converted(tmp_path, column, numbers):
    path = tmp_path / "own.csv"
    rows = [f"{x!r},{y!r}" for x, y in zip(numbers.tolist(), RAMP.tolist(), strict=True)]
    path.write_text("\n".join([f"{column},a", *rows]) + "\n", encoding="utf-8")
    (spectrum,) = read_library(path)
    np.testing.assert_allclose(spectrum.wavelength_um, RAMP_UM, rtol=1e-12)
    np.testing.assert_allclose(spectrum.reflectance, RAMP)


def test_columns_in_percent_become_fractions(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text("wavelength_um,dark (%),Alunite 50%\n0.5,1.5,0.4\n0.6,1.2,0.5\n")
    dark, mixture = read_library(path)
    assert (dark.name, mixture.name) == ("dark", "Alunite 50%")
    np.testing.assert_allclose(dark.reflectance, [0.015, 0.012])
    np.testing.assert_allclose(mixture.reflectance, [0.4, 0.5])
    path.write_text("wavelength_um,reflectance_percent\n0.5,1.5\n0.6,1.2\n")
    (only,) = read_library(path)
    assert only.name == "own"
    np.testing.assert_allclose(only.reflectance, [0.015, 0.012])


def test_csv_of_one_reflectance_takes_the_files_name(tmp_path):
    (tmp_path / "sulfide.none.s08a.csv").write_text("wavelength_um,reflectance\n0.5,0.1\n0.6,0.2\n")
    (spectrum,) = read_library(tmp_path)
    assert spectrum.name == "sulfide.none.s08a"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("wavelength_um,a\n0.5,0.1,0.2\n", "line 2: 3 columns"),
        ("wavelength_um,a\n0.5,x\n", "column 'a'"),
        ("wavelength_um,a\n", "without rows"),
        ("wavelength_um,a,a\n0.5,0.1,0.2\n", "stands twice"),
        ("wavelength_um\n0.5\n", "no column of reflectance"),
        ("wavelength_um,a\n0.5,\n0.6,nan\n", "no valid channel"),
        ("wavelength_um,a\n-0.5,0.1\n", "above 0"),
        ("wavelength_um,a\n0.5,37\n", "percent"),
        ("nanometres,a\n500,0.1\n", "not a spectrum"),
        ("wavelength,a\n500,0.1\n", "column 'wavelength' tells no unit"),
        ("wavelength_index,a\n500,0.1\n", "column 'wavelength_index': .* unit 'index'"),
        ("wavelength_nm,a\n0.5,0.1\n", "unit 'nm', look wrong"),
        ("wavelength_um,a\n500,0.1\n", "look like nanometres"),
        ("", "empty"),
    ],
)
def test_csv_damage_is_named(tmp_path, text, message):
    (tmp_path / "own.csv").write_text(text)
    with pytest.raises(InputError, match=f"own.csv.*{message}"):
        read_library(tmp_path / "own.csv")


def test_binary_junk_and_missing_libraries_are_named(tmp_path):
    (tmp_path / "junk.txt").write_bytes(np.random.default_rng(0).bytes(400))
    with pytest.raises(InputError, match=r"junk.txt.*not a text file"):
        read_library(tmp_path)
    (tmp_path / "junk.txt").write_text("only a note\n")
    with pytest.raises(InputError, match="no spectrum found"):
        read_library(tmp_path)
    with pytest.raises(InputError, match=r"absent.*no such file"):
        read_library(tmp_path / "absent")


def named(*names):
    values = np.array([0.1, 0.2])
    return [
        Spectrum(n, np.array([0.5, 0.6]), values, f"lib/{n.replace(' ', '_')}.txt") for n in names
    ]


def test_select_prefers_record_then_exact_name_then_first_word():
    spectra = named("Alunite GDS82 Na82 BECKb", "Alunite GDS83", "calcite", "Calcite WS272")
    assert select_spectrum(spectra, "x", "alunite_gds82_na82").name == "Alunite GDS82 Na82 BECKb"
    assert select_spectrum(spectra, "calcite").name == "calcite"
    assert select_spectrum(spectra, "calcite", "not there").name == "calcite"
    assert select_spectrum(spectra[:1], "alunite").name == "Alunite GDS82 Na82 BECKb"
    sizes = named("Epidote GDS26.a 75-200um", "Epidote GDS26.b <75um BECKb")
    assert select_spectrum(sizes, "epidote", "GDS26.b_lt75um") is sizes[1]


def test_select_lists_what_there_is():
    spectra = named("Alunite GDS82", "Alunite GDS83", "Calcite WS272")
    with pytest.raises(InputError, match=r"alunite.*fits 2.*GDS82.*GDS83"):
        select_spectrum(spectra, "alunite")
    with pytest.raises(InputError, match=r"record 'alunite'.*fits 2"):
        select_spectrum(spectra, "alunite", "alunite")
    with pytest.raises(InputError, match=r"'calcit'.*close names: calcite"):
        select_spectrum(spectra, "calcit")
    with pytest.raises(InputError, match=r"record 'GDS99'\) fits 2"):
        select_spectrum(spectra, "alunite", "GDS99")


def test_the_first_library_that_has_a_mineral_gives_it():
    own, usgs = named("alunite"), named("Alunite GDS82 Na82", "Alunite GDS83", "Calcite WS272")
    assert select_from_libraries([own, usgs], "alunite", "GDS82") == (0, own[0])
    assert select_from_libraries([usgs, own], "alunite", "GDS82") == (0, usgs[0])
    assert select_from_libraries([own, usgs], "calcite") == (1, usgs[2])
    with pytest.raises(InputError, match="fits 2"):
        select_from_libraries([usgs, own], "alunite")
    with pytest.raises(InputError, match=r"'quartz' is not in the library of 4 spectra"):
        select_from_libraries([own, usgs], "quartz")


def test_all_records_of_a_class_are_found_once_each_in_a_fixed_order():
    usgs = named("Alunite GDS82 Na82", "Alunite GDS83", "Alunite_NH4+Jaro GDS1", "Alunite+Pyro X")
    more = named("Alunogen GDS5", "Alunite GDS83", "Alunite HS295", "alunite")
    found = select_all([usgs, more], "alunite", "GDS83")
    assert [(place, spectrum.name) for place, spectrum in found] == [
        (0, "Alunite GDS83"),
        (0, "Alunite GDS82 Na82"),
        (1, "Alunite HS295"),
        (1, "alunite"),
    ]
    # A copy of a record in the same library counts once; files of one name do not.
    twice = [*named("Alunite 1"), *named("Alunite 1")]
    other = Spectrum("Alunite 1", twice[0].wavelength_um, np.array([0.3, 0.4]), "lib/b.txt")
    assert [s for _, s in select_all([[*twice, other]], "alunite")] == [twice[0], other]


def test_all_records_of_a_mixture_are_those_of_its_name_or_record():
    spectra = named("Kaolinite CM3", "kaolinite+muscovite", "Kaol.5+Musc AMX13", "Iron Fe3+")
    found = select_all([spectra], "kaolinite+muscovite", "AMX13")
    assert [s.name for _, s in found] == ["Kaol.5+Musc AMX13", "kaolinite+muscovite"]
    assert [s.name for _, s in select_all([spectra], "kaolinite")] == ["Kaolinite CM3"]
    assert [s.name for _, s in select_all([spectra], "iron")] == ["Iron Fe3+"]
    with pytest.raises(InputError, match=r"'calcit' is not in the library of 4 spectra"):
        select_all([spectra], "calcit")


def test_a_modelled_spectrum_stands_in_where_nothing_is_measured():
    modelled = [replace(s, modelled=True) for s in named("alunite", "calcite")]
    usgs = named("Alunite GDS82", "Alunite GDS83")
    assert [s.name for _, s in select_all([modelled, usgs], "alunite")] == [
        "Alunite GDS82",
        "Alunite GDS83",
    ]
    assert select_all([usgs, modelled], "calcite") == [(1, modelled[1])]


def test_references_of_several_records_come_back_under_their_class(tmp_path):
    references = References(
        names=("alunite", "alunite", "calcite", "alunite"),
        band=("B1", "B2"),
        wavelength_um=np.array([0.5, 0.6]),
        fwhm_um=np.array([0.1, 0.1]),
        reflectance=np.array([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6], [0.7, 0.8]]),
    )
    write_references(tmp_path / "r.csv", references)
    header = (tmp_path / "r.csv").read_text().splitlines()[0]
    assert header == "band,wavelength_um,fwhm_um,alunite,alunite#2,calcite,alunite#3"
    back = read_references(tmp_path / "r.csv")
    assert back.names == references.names
    np.testing.assert_array_equal(back.reflectance, references.reflectance)


def test_wavelengths_in_nanometres_are_told(tmp_path):
    path = tmp_path / "field.csv"
    path.write_text("wavelength_um,alunite\n350,0.2\n351,0.3\n")
    with pytest.raises(InputError, match="look like nanometres"):
        read_library(path)


def test_references_come_back_in_the_order_of_the_bands(tmp_path):
    references = References(
        names=("alunite", "calcite"),
        band=("B9", "B1"),
        wavelength_um=np.array([1.0, 0.9]),
        fwhm_um=np.array([0.01, 0.02]),
        reflectance=np.array([[0.1, 0.2], [0.3, 0.4]]),
    )
    write_references(tmp_path / "r.csv", references)
    back = read_references(tmp_path / "r.csv")
    assert (back.names, back.band) == (references.names, references.band)
    np.testing.assert_array_equal(back.wavelength_um, references.wavelength_um)
    np.testing.assert_array_equal(back.fwhm_um, references.fwhm_um)
    np.testing.assert_array_equal(back.reflectance, references.reflectance)
    assert [s.name for s in read_library(tmp_path / "r.csv")] == ["alunite", "calcite"]
    (tmp_path / "r.csv").write_text("band,wavelength_um,fwhm_um,a\nB1,0.5,0.1,\n")
    with pytest.raises(InputError, match=r"r.csv.*'a'"):
        read_references(tmp_path / "r.csv")


def test_shipped_library_has_every_class(root):
    spectra = read_library(root / "resources/static/analytic_library.csv")
    table = (root / "resources/static/minerals.csv").read_text().splitlines()[1:]
    names = [line.split(",")[1] for line in table]
    assert [s.name for s in spectra] == names
    for spectrum in spectra:
        valid = spectrum.wavelength_um >= 0.4
        assert np.isfinite(spectrum.reflectance[valid]).all(), spectrum.name
        assert np.nanmin(spectrum.reflectance) > 0, spectrum.name
        assert np.nanmax(spectrum.reflectance) < 1.05, spectrum.name


@pytest.mark.parametrize(
    ("name", "count", "first"),
    [
        ("usgs_splib07/native_ascii_splib07a", 199, "Actinolite HS116.3B BECKb AREF"),
        ("usgs_splib07/envi_sli/s07_AV95_envi.sli", 2457, "Acmite NMNH133746 Pyroxene BECKa AREF"),
        ("usgs_splib07/envi_sli/USGS_Mineral_Spectral_Library.sli", 481, "a-alunit.spc"),
        ("jpl_beckman", 6, "sulfide.none.coarse.s09a"),
    ],
)
def test_real_libraries(shared_data, name, count, first):
    spectra = read_library(shared_data(name))
    assert len(spectra) == count
    assert spectra[0].name.startswith(first)
    for spectrum in spectra:
        assert np.all(np.diff(spectrum.wavelength_um) > 0)
        assert np.nanmin(spectrum.reflectance) > -0.01
        assert np.nanmax(spectrum.reflectance) < 1.3


def test_all_records_of_real_libraries_are_pure_and_counted_once(shared_data, root):
    native = read_library(shared_data("usgs_splib07/native_ascii_splib07a"))
    convolved = read_library(shared_data("usgs_splib07/envi_sli/s07_AV95_envi.hdr"))
    classes = read_classes(root / "resources/static/minerals.csv")
    records = {item.name: item.record for item in classes}
    for name, count in (("alunite", 6), ("kaolinite", 8), ("hematite", 11), ("calcite", 3)):
        found = select_all([native, convolved], name, records[name])
        names = [spectrum.name for _, spectrum in found]
        assert [place for place, _ in found].count(0) == count
        assert len(set(names)) == len(names) > count
        assert all(re.match(rf"{name}[ _]", one, re.IGNORECASE) for one in names)
        assert not any(re.search("error|[+]", one) for one in names)
        assert records[name].replace("_", " ").split(" BECK")[0] in names[0]
    ((place, mixture),) = select_all(
        [native, convolved], "alunite+kaolinite", records["alunite+kaolinite"]
    )
    assert (place, mixture.name) == (1, "Alunite0.5+Kaol_KGa-1 AMX3 BECKb AREF")


def test_ascii_and_envi_hold_the_same_alunite(shared_data):
    ascii_record = select_spectrum(
        read_library(shared_data("usgs_splib07/native_ascii_splib07a")), "", "Alunite_GDS82_Na82"
    )
    envi = select_spectrum(
        read_library(shared_data("usgs_splib07/envi_sli/USGS_Mineral_Spectral_Library.sli")),
        "",
        "Alunite GDS82",
    )
    at = envi.wavelength_um
    there = np.interp(at, ascii_record.wavelength_um, ascii_record.reflectance)
    np.testing.assert_allclose(there, envi.reflectance, atol=2e-3)


def test_references_beyond_any_reflectance_are_refused(tmp_path):
    path = tmp_path / "references.csv"
    path.write_text("band,wavelength_um,fwhm_um,chlorite\nB1,0.5,0.02,0.3\nB2,0.6,0.02,-1e30\n")
    with pytest.raises(InputError, match=r"references\.csv: 'chlorite' has a number beyond 1000"):
        read_references(path)
