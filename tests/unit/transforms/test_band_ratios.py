import numpy as np
import pytest

from gossan.errors import InputError
from gossan.raster import BandTable
from gossan.transforms.band_ratios import (
    RATIOS,
    SHOWN_RATIOS,
    band_ratio,
    list_ratios,
    log_ratios,
    missing_ratios,
    zone_ratios,
)
from gossan.transforms.composites import PICTURES

ASTER = BandTable(
    ("1", "2", "3N", "4", "5", "6", "7", "8", "9"),
    (0.556, 0.661, 0.807, 1.656, 2.167, 2.209, 2.262, 2.336, 2.400),
    (0.09, 0.06, 0.1, 0.092, 0.035, 0.04, 0.047, 0.07, 0.068),
)
SHORTWAVE = BandTable(ASTER.names[3:], ASTER.centre_um[3:], ASTER.fwhm_um[3:])
NAMES = SHORTWAVE.names
BY_NAME = {ratio.name: ratio for ratio in list_ratios(ASTER)}


def block(*values):
    return np.array(values, "float32").reshape(-1, 1, 1)


def test_ratios_are_those_of_the_literature():
    formulas = {ratio.name: ratio.formula for ratio in list_ratios(ASTER)}
    assert formulas["al_oh"] == "(5+7)/6"
    assert formulas["kaolinite_alunite"] == "(4+6)/5"
    assert formulas["mg_oh"] == "(6+9)/8"
    assert formulas["carbonate"] == "(7+9)/8"
    assert formulas["epidote_chlorite"] == "(6+9)/(7+8)"
    assert formulas["ferric_iron"] == "2/1"
    assert formulas["ferric_oxide"] == "4/3N"
    assert all(ratio.source and ratio.marks for ratio in RATIOS)


def test_a_ratio_is_the_sums_quotient_and_ignores_brightness():
    spectrum = block(0.4, 0.3, 0.2, 0.3, 0.25, 0.2)
    value = band_ratio(spectrum, NAMES, BY_NAME["al_oh"])
    assert value.item() == pytest.approx(3.0)
    assert band_ratio(spectrum * 0.3, NAMES, BY_NAME["al_oh"]).item() == pytest.approx(3.0)


def test_a_ratio_over_nothing_is_nothing():
    for values in ((0.4, 0.3, 0.0, 0.3, 0.2, 0.2), (0.4, -0.5, 0.2, 0.3, 0.2, 0.2)):
        assert np.isnan(band_ratio(block(*values), NAMES, BY_NAME["al_oh"])).all()
    gap = block(0.4, 0.3, np.nan, 0.3, 0.2, 0.2)
    assert np.isnan(band_ratio(gap, NAMES, BY_NAME["al_oh"])).all()


def test_a_missing_band_is_named():
    with pytest.raises(InputError, match="band 2 is not in the cube"):
        band_ratio(block(*range(1, 7)), NAMES, BY_NAME["ferric_iron"])


def test_zones_have_their_ratios_and_other_zones_have_all():
    assert [ratio.name for ratio in zone_ratios(SHORTWAVE, "phyllic")] == ["al_oh", "muscovite"]
    assert {ratio.name for ratio in zone_ratios(SHORTWAVE, "propylitic")} == {
        "mg_oh",
        "carbonate",
        "epidote_chlorite",
    }
    assert zone_ratios(SHORTWAVE, "skarn") == list_ratios(SHORTWAVE)
    assert all(set(ratio.bands) <= set(NAMES) for ratio in list_ratios(SHORTWAVE))


def table(*bands):
    """Bands of (name, centre, width)."""
    return BandTable(*map(tuple, zip(*bands, strict=True)))


LANDSAT = table(
    *(("B2", 0.483, 0.06), ("B3", 0.561, 0.057), ("B4", 0.655, 0.037)),
    *(("B5", 0.865, 0.028), ("B6", 1.609, 0.085), ("B7", 2.201, 0.187)),
)
SENTINEL2 = table(
    *(("B03", 0.56, 0.035), ("B04", 0.665, 0.031), ("B05", 0.704, 0.014), ("B07", 0.783, 0.019)),
    *(("B08", 0.833, 0.105), ("B8A", 0.865, 0.02), ("B11", 1.614, 0.09), ("B12", 2.202, 0.175)),
)
WORLDVIEW3 = table(
    *(("G", 0.547, 0.07), ("R", 0.66, 0.06), ("N", 0.827, 0.12), ("S3", 1.661, 0.07)),
    *(("S5", 2.165, 0.04), ("S6", 2.205, 0.04), ("S7", 2.26, 0.05), ("S8", 2.33, 0.07)),
)


def formulas(bands):
    return {ratio.name: ratio.formula for ratio in list_ratios(bands)}


def test_every_sensor_has_the_ratios_that_its_bands_allow():
    assert formulas(LANDSAT) == {
        "ferric_iron": "B4/B3",
        "ferric_oxide": "B6/B5",
        "gossan": "B6/B4",
        "clay": "B6/B7",
    }
    assert formulas(SENTINEL2) == {
        "ferric_iron": "B04/B03",
        "ferric_oxide": "B11/B08",
        "gossan": "B11/B04",
        "clay": "B11/B12",
    }
    wide = formulas(WORLDVIEW3)
    assert wide["al_oh"] == "(S5+S7)/S6"
    assert "clay" not in wide
    assert missing_ratios(WORLDVIEW3) == ["mg_oh", "carbonate", "epidote_chlorite", "clay"]
    assert missing_ratios(ASTER) == ["clay"]
    assert missing_ratios(LANDSAT) == [
        ratio.name for ratio in RATIOS if ratio.name not in formulas(LANDSAT)
    ]
    assert [ratio.name for ratio in zone_ratios(LANDSAT, "phyllic")] == ["ferric_iron", "clay"]
    assert list_ratios(BandTable(("4", "5", "6", "7"))) == []


def test_of_many_narrow_bands_the_nearest_to_the_place_are_taken():
    centres = np.arange(0.40, 2.50, 0.0074)
    bands = BandTable(
        tuple(f"B{n:03}" for n in range(len(centres))), tuple(centres), (0.0085,) * len(centres)
    )
    assert missing_ratios(bands) == ["clay"]
    place = dict(zip(bands.names, centres, strict=True))
    (ratio,) = (item for item in list_ratios(bands) if item.name == "al_oh")
    for name, ideal in zip(ratio.bands, (2.167, 2.262, 2.209), strict=True):
        assert abs(place[name] - ideal) <= 0.0037


def test_a_ratio_of_a_stack_stays_within_one_sensor():
    bands = BandTable(
        (
            *(f"landsat:{name}" for name in LANDSAT.names),
            *(f"aster:{name}" for name in ASTER.names),
        ),
        (*LANDSAT.centre_um, *ASTER.centre_um),
        (*LANDSAT.fwhm_um, *ASTER.fwhm_um),
    )
    found = formulas(bands)
    assert found["al_oh"] == "(aster:5+aster:7)/aster:6"
    assert found["ferric_iron"] == "landsat:B4/landsat:B3"
    assert missing_ratios(bands) == []


def test_logarithms_are_zero_for_a_flat_spectrum_and_bounded_for_a_dark_one():
    flat = {name: np.full((2, 2), 0.3, "float32") for name in NAMES}
    assert np.allclose(log_ratios(flat, list_ratios(SHORTWAVE), 0.01), 0, atol=1e-6)
    dark = flat | {"6": np.full((2, 2), -0.2, "float32")}
    assert np.isfinite(log_ratios(dark, list_ratios(SHORTWAVE), 0.01)).all()


def test_indices_are_products_and_want_positive_bands():
    shown = {ratio.name: ratio for ratio in list_ratios(ASTER, SHOWN_RATIOS)}
    assert shown["alunite_index"].formula == "(7×7)/(5×8)"
    assert shown["calcite_index"].formula == "(6×9)/(8×8)"
    assert shown["kaolinite_index"].formula == "(4×8)/(5×6)"
    assert shown["oh_index"].formula == "(7×4)/(6×6)"
    value = band_ratio(block(0.4, 0.3, 0.2, 0.3, 0.25, 0.2), NAMES, shown["alunite_index"])
    assert value.item() == pytest.approx(0.3 * 0.3 / (0.3 * 0.25))
    both_below = block(0.4, -0.3, 0.2, 0.3, -0.25, 0.2)
    assert np.isnan(band_ratio(both_below, NAMES, shown["alunite_index"])).all()


def test_images_show_more_ratios_than_zones_are_scored_by():
    assert set(RATIOS) < set(SHOWN_RATIOS)
    assert len({ratio.name for ratio in SHOWN_RATIOS}) == len(SHOWN_RATIOS)
    on_landsat = {ratio.name: ratio.formula for ratio in list_ratios(LANDSAT, SHOWN_RATIOS)}
    assert on_landsat["iron_oxide"] == "B4/B2"
    assert on_landsat["clay"] == "B6/B7"
    assert on_landsat["ferric_oxide"] == "B6/B5"
    assert not {"al_oh_depth", "alunite_index"} & set(on_landsat)


def test_depths_are_of_channels_of_a_spectrometer():
    centres = np.arange(0.4, 2.5, 0.0075)
    names = tuple(f"B{number:03d}" for number in range(1, len(centres) + 1))
    bands = BandTable(names, tuple(centres.tolist()), (0.0085,) * len(centres))
    found = {ratio.name: ratio for ratio in list_ratios(bands, SHOWN_RATIOS)}
    assert {"al_oh_depth", "mg_oh_depth", "iron_depth", "al_oh"} <= set(found)
    absorbed = 0.4 - 0.1 * np.exp(-0.5 * ((centres - 2.205) / 0.015) ** 2)
    depth = band_ratio(absorbed.reshape(-1, 1, 1), names, found["al_oh_depth"]).item()
    assert depth == pytest.approx(2 * 0.4 / 0.3, rel=0.03)
    assert band_ratio(
        absorbed.reshape(-1, 1, 1), names, found["mg_oh_depth"]
    ).item() == pytest.approx(2.0, rel=1e-3)


def test_the_page_of_images_lists_ratios_and_composites(root):
    text = (root / "docs/reference/images.md").read_text(encoding="utf-8")
    for ratio in SHOWN_RATIOS:
        row = f"| `{ratio.name}` | {ratio.formula} | {ratio.marks} | {ratio.source} |"
        assert row in text
    rows = [line.split(" |")[0] for line in text.splitlines() if line.startswith("| `")]
    listed = [*(f"| `{one.name}.tif`" for one in PICTURES)]
    listed += [f"| `{ratio.name}`" for ratio in SHOWN_RATIOS]
    assert rows == listed
