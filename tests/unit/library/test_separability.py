"""Which minerals bands can tell apart: distances, groups, the spread of records, its table."""

import numpy as np
import pytest

from gossan.errors import InputError
from gossan.library.readers import References, read_library
from gossan.library.resample import resample_classes, resample_records
from gossan.library.separability import (
    COLUMNS,
    LEAST_SEPARATION,
    NOISE,
    SPREAD_COUNTS_AS,
    SPREAD_GRID_UM,
    Spread,
    measure_spread,
    read_spread,
    separable_rows,
    separate,
    write_spread,
)
from gossan.library.spectrum import Spectrum
from gossan.raster import BandTable

LANDSAT = BandTable(
    ("B1", "B2", "B3", "B4", "B5", "B6", "B7"),
    (0.443, 0.482, 0.561, 0.655, 0.865, 1.609, 2.201),
    (0.016, 0.060, 0.057, 0.037, 0.028, 0.085, 0.187),
)
EMIT_UM = tuple(np.linspace(0.3886, 2.4856, 284).tolist())
EMIT = BandTable(tuple(f"B{n}" for n in range(1, 285)), EMIT_UM, (0.0085,) * 284)
NO_SPREAD = Spread(SPREAD_GRID_UM, np.zeros((1, SPREAD_GRID_UM.size)))


def references(reflectance, names=None):
    reflectance = np.asarray(reflectance, dtype=float)
    count = reflectance.shape[1]
    return References(
        tuple(names or [f"m{row}" for row in range(len(reflectance))]),
        tuple(f"B{band}" for band in range(count)),
        np.linspace(0.5, 2.3, count),
        np.full(count, 0.05),
        reflectance,
    )


@pytest.fixture(scope="module")
def shipped(root):
    """The shipped spread, and a function: the groups that a sensor's bands make of minerals."""
    library = {s.name: s for s in read_library(root / "resources/static/analytic_library.csv")}
    spread = read_spread(root / "resources/static/record_spread.csv")

    def groups(bands, sensor, *names):
        chosen = {name: library[name] for name in names}
        found = separate(resample_classes(chosen, bands, sensor), spread)
        return [{found.names[place] for place in group} for group in found.groups]

    return groups


def test_landsat_sees_calcite_and_dolomite_as_one_and_a_spectrometer_does_not(shipped):
    names = ("alunite", "calcite", "dolomite", "goethite", "hematite", "muscovite")
    seven = shipped(LANDSAT, "Landsat-8 OLI_TIRS", *names)
    assert {"calcite", "dolomite"} in seven
    assert len(seven) == len(names) - 1
    assert len(shipped(EMIT, None, *names)) == len(names)


def test_records_of_usgs_say_the_same(shared_data, root):
    usgs = read_library(shared_data("usgs_splib07/native_ascii_splib07a"))
    chosen = {
        name: [s for s in usgs if s.name.lower().startswith(name)]
        for name in ("calcite", "dolomite", "muscovite")
    }
    spread = read_spread(root / "resources/static/record_spread.csv")
    seven, _ = resample_records(chosen, LANDSAT, "Landsat-8 OLI_TIRS")
    assert seven.names.count("calcite") == 3
    assert separate(seven, spread).groups == ((0, 1), (2,))
    many, _ = resample_records(chosen, EMIT, None)
    assert separate(many, spread).groups == ((0,), (1,), (2,))


def test_without_spread_the_distance_is_that_of_noise_alone():
    one = np.array([0.5, 0.4, 0.5, 0.6])
    other = np.array([0.5, 0.42, 0.49, 0.58])
    found = separate(references([one, other]), NO_SPREAD)
    shapes = np.log([one, other])
    shapes -= shapes.mean(axis=1, keepdims=True)
    noise = NOISE**2 * (1 / one**2 + 1 / other**2) / 2
    expected = np.sqrt(((shapes[0] - shapes[1]) ** 2 / noise).sum())
    assert found.separation[0, 1] == pytest.approx(expected)
    assert found.separation[1, 0] == found.separation[0, 1]
    # Brightness is no difference.
    assert separate(references([one, one / 2]), NO_SPREAD).separation[0, 1] == pytest.approx(0)


def test_a_difference_that_records_of_one_mineral_have_too_counts_little():
    slope = np.linspace(-0.5, 0.5, 6)
    feature = np.array([0.0, 0.0, -0.5, 0.0, 0.0, 0.0])
    base = np.full(6, 0.4)
    names = ("a", "a", "a", "b", "b", "b", "c")
    spectra = [
        *(base * np.exp(slope * s) for s in (-1, 0, 1)),
        *(base * np.exp(slope * (s + 0.6)) for s in (-1, 0, 1)),
        base * np.exp(feature),
    ]
    few = np.interp(SPREAD_GRID_UM, (0.5, 2.3), (-0.5, 0.5))[None]
    found = separate(references(spectra, names), Spread(SPREAD_GRID_UM, few))
    assert found.separation[0, 1] < LEAST_SEPARATION < found.separation[0, 2]
    assert found.groups == ((0, 1), (2,))
    assert (found.angle_rad == found.angle_rad.T).all()
    (apart,) = {row["note"] for row in separable_rows(found) if row["mineral"] == "c"}
    assert apart == "these 6 bands tell it from the other minerals"
    first = separable_rows(found)[0]
    assert tuple(first) == COLUMNS
    assert (first["mineral"], first["bands"], first["one_with"]) == ("a", 6, "b")
    assert first["note"] == "with these 6 bands one with b"


def test_many_factors_and_bands_follow_the_covariance_written_out():
    generator = np.random.default_rng(3)
    reflectance = generator.uniform(0.2, 0.6, (7, 9))
    names = ("a", "a", "b", "b", "b", "c", "c")
    patterns = generator.normal(0, 0.1, (4, SPREAD_GRID_UM.size))
    table = references(reflectance, names)
    found = separate(table, Spread(SPREAD_GRID_UM, patterns))
    shapes = np.log(reflectance) - np.log(reflectance).mean(axis=1, keepdims=True)
    own = [np.array(names) == name for name in "abc"]
    means = [shapes[rows].mean(axis=0) for rows in own]
    level = [reflectance[rows].mean(axis=0) for rows in own]
    sigma = 0.05 / (2 * np.sqrt(2 * np.log(2)))
    weight = np.exp(-0.5 * ((SPREAD_GRID_UM - table.wavelength_um[:, None]) / sigma) ** 2)
    seen = patterns @ (weight / weight.sum(axis=1, keepdims=True)).T
    seen -= seen.mean(axis=1, keepdims=True)
    inner = [shapes[rows] - mean for rows, mean in zip(own, means, strict=True)]
    scatter = sum(part.T @ part for part in inner) + SPREAD_COUNTS_AS * seen.T @ seen
    noise = NOISE**2 * (1 / level[0] ** 2 + 1 / level[1] ** 2) / 2
    covariance = scatter / (4 + SPREAD_COUNTS_AS) + np.diag(noise)
    difference = means[0] - means[1]
    expected = np.sqrt(difference @ np.linalg.solve(covariance, difference))
    assert found.separation[0, 1] == pytest.approx(expected, rel=1e-6)


def test_one_mineral_is_a_row_without_a_neighbour():
    (row,) = separable_rows(separate(references([[0.4, 0.5, 0.6]]), NO_SPREAD))
    assert (row["one_with"], row["nearest"], row["separation"]) == ("", "", "")


def spectrum(values, name="x"):
    grid = np.append(SPREAD_GRID_UM, 2.6)
    return Spectrum(name, grid, np.append(values, values[-1]), "x.txt")


def test_the_spread_of_records_is_found_again():
    pattern = np.sin(6 * SPREAD_GRID_UM)
    pattern -= pattern.mean()
    steps = (-0.2, 0.0, 0.2)
    records = {
        "a": [spectrum(0.4 * np.exp(step * pattern)) for step in steps],
        "b": [spectrum(0.2 * np.exp(step * pattern)) for step in steps],
        "alone": [spectrum(0.3 * np.exp(5 * pattern))],
    }
    spread = measure_spread(records)
    assert len(spread.patterns) == 6
    np.testing.assert_allclose(np.abs(spread.patterns[0]), np.abs(0.2 * pattern), atol=1e-9)
    np.testing.assert_allclose(spread.patterns[1:], 0, atol=1e-9)
    short = Spectrum("s", SPREAD_GRID_UM[:50], np.full(50, 0.3), "s.txt")
    with pytest.raises(InputError, match="no mineral has two records"):
        measure_spread({"a": [records["a"][0], short]})


def test_a_spread_comes_back_and_a_wrong_table_is_named(tmp_path):
    path = tmp_path / "spread.csv"
    write_spread(path, Spread(SPREAD_GRID_UM, np.array([SPREAD_GRID_UM / 10])))
    back = read_spread(path)
    np.testing.assert_allclose(back.wavelength_um, SPREAD_GRID_UM)
    np.testing.assert_allclose(back.patterns[0], SPREAD_GRID_UM / 10, atol=1e-5)
    for text in (
        "",
        "wavelength_um\n0.4\n0.5\n",
        "name,a\n0.4,1\n0.5,2\n",
        "wavelength_um,a\nx,1\n",
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=r"spread\.csv: not a table of spread; make it with"):
            read_spread(path)
    path.write_text("wavelength_um,a\n0.5,1\n0.4,2\n")
    with pytest.raises(InputError, match=r"spread\.csv: wavelengths must ascend"):
        read_spread(path)
    with pytest.raises(InputError, match=r"none\.csv: No such file"):
        read_spread(tmp_path / "none.csv")
