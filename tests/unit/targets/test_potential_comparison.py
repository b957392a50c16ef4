import numpy as np
import pytest
from shapely.geometry import Point, box

from gossan.accuracy.blocks import Bootstrap
from gossan.prospects.potential import HIGH, LOW, MEDIUM, NONE
from gossan.targets.potential_comparison import compare_maps
from gossan.targets.sites import MapCounts, Sites, SiteTally


def make_tally(codes, score):
    pixels = np.zeros((len(codes), 5), np.int64)
    pixels[np.arange(len(codes)), codes] = 9
    return SiteTally(pixels, np.array(codes), np.array(score, np.float32))


def counts(low, medium, high, none):
    steps = np.zeros(1001, np.int64)
    steps[0], steps[900] = low + none, medium + high
    return MapCounts(np.array([0, low, medium, high, none]), steps, 100.0)


def test_two_maps_are_set_against_the_same_sites_with_paired_intervals():
    n = 40
    shapes = np.array([Point(place, 0) for place in range(n)], object)
    sites = Sites("claims", shapes, np.arange(n), np.zeros(n, int))
    generous = make_tally([HIGH] * 30 + [NONE] * 10, [0.9] * 30 + [0.0] * 10)
    strict = make_tally([MEDIUM] * 10 + [LOW] * 30, [0.9] * 10 + [0.0] * 30)
    mines = np.array([box(-1, -1, 4.5, 1)], object)
    rows = compare_maps(
        *(sites, [generous, strict], [counts(0, 10, 40, 50), counts(90, 10, 0, 0)]),
        *(mines, Bootstrap(2, 200, 1)),
    )
    told = {(row["sites"], row["measure"]): row for row in rows}
    share = told["claims", "share, medium or high"]
    assert (share["strata"], share["pixels"], share["difference"]) == (0.75, 0.25, 0.5)
    assert 0 < share["difference_low"] < 0.5 < share["difference_high"]
    area = told["claims", "area, medium or high"]
    assert (area["strata"], area["pixels"]) == ("0.500000", "0.100000")
    # No potential is below low potential, and no finding.
    assert told["claims", "share, low, medium or high"]["strata"] == 0.75
    assert told["claims outside mines", "share, medium or high"]["n"] == 35
    curve = told["claims", "area under the curve"]
    assert curve["strata"] == pytest.approx(0.75 * 0.75 + 0.25 * 0.25)
    assert curve["pixels"] == pytest.approx(0.25 * 0.95 + 0.75 * 0.45)
