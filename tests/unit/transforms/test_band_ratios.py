import numpy as np
import pytest

from gossan.errors import InputError
from gossan.transforms.band_ratios import (
    RATIOS,
    band_ratio,
    list_ratios,
    log_ratios,
    zone_ratios,
)

NAMES = ("4", "5", "6", "7", "8", "9")
BY_NAME = {ratio.name: ratio for ratio in RATIOS}


def block(*values):
    return np.array(values, "float32").reshape(-1, 1, 1)


def test_ratios_are_those_of_the_literature():
    formulas = {ratio.name: ratio.formula for ratio in RATIOS}
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
    assert [ratio.name for ratio in zone_ratios(NAMES, "phyllic")] == ["al_oh", "muscovite"]
    assert {ratio.name for ratio in zone_ratios(NAMES, "propylitic")} == {
        "mg_oh",
        "carbonate",
        "epidote_chlorite",
    }
    assert zone_ratios(NAMES, "skarn") == list_ratios(NAMES)
    assert all(set(ratio.bands) <= set(NAMES) for ratio in list_ratios(NAMES))


def test_logarithms_are_zero_for_a_flat_spectrum_and_bounded_for_a_dark_one():
    flat = {name: np.full((2, 2), 0.3, "float32") for name in NAMES}
    assert np.allclose(log_ratios(flat, list_ratios(NAMES), 0.01), 0, atol=1e-6)
    dark = flat | {"6": np.full((2, 2), -0.2, "float32")}
    assert np.isfinite(log_ratios(dark, list_ratios(NAMES), 0.01)).all()
