import numpy as np
import pytest
from mixed_ground import BANDS, CENTRES_UM, mixed_ground, records

from gossan.errors import InputError
from gossan.legend import MapClass
from gossan.minerals.answers import describe_answers
from gossan.minerals.groups import group_bands, members_of
from gossan.minerals.merging import merge_groups
from gossan.minerals.scene_angle import (
    COMMON,
    SHARE,
    choose_nearest,
    direct_references,
    map_scene_angles,
    measure_mean,
    surety,
)
from gossan.raster import BandTable

LANDSAT_UM = (0.443, 0.482, 0.561, 0.655, 0.865, 1.609, 2.201)


def bands_at(*centres):
    names = tuple(f"B{number}" for number in range(1, len(centres) + 1))
    return BandTable(names, centres, (0.02,) * len(centres))


def places_of(group):
    return group_bands(BandTable(BANDS, CENTRES_UM, (0.03,) * len(BANDS)), group)


def mapped(group, cube, **options):
    places = places_of(group)
    part = cube[places]
    mean = measure_mean(part.reshape(len(places), -1).T)
    known = {code: own[:, places] for code, own in records(group).items()}
    directions = direct_references(known, mean, **options)
    return map_scene_angles(part, mean, directions, [np.pi / 2] * len(known))


# Every pixel holds one of two iron oxides, so all that these have in common is in the mean, and
# where half of it is left in, some pixels lie at more than a right angle from both.
@pytest.mark.parametrize(
    ("group", "common", "least"), [("1um", COMMON, 0.8), ("1um", 1.0, 0.97), ("2um", COMMON, 0.97)]
)
def test_the_mineral_that_lies_in_a_pixel_comes_out(group, common, least):
    cube, truth = mixed_ground()
    classes, angle, margin, _ = mapped(group, cube, common=common)
    assert (classes == truth[group]).mean() > least
    assert np.nanmedian(angle) < 1
    right = classes == truth[group]
    assert np.median(margin[right]) > np.median(margin[~right])


def test_angles_are_those_of_a_plain_formula():
    cube, _ = mixed_ground(8, 12)
    places = places_of("2um")
    pixels = cube[places].reshape(len(places), -1)
    logs = np.log(pixels)
    mean = logs.mean(axis=1)
    ground = np.exp(mean)

    def shape(reflectance):
        apart = np.log(reflectance) - mean
        return apart - apart.mean()

    apart = [
        shape((1 - SHARE) * ground + SHARE * own[0, places]) for own in records("2um").values()
    ]
    apart = [own - COMMON * np.mean(apart, axis=0) for own in apart]
    angles = np.array(
        [
            [
                np.arccos(own @ shape(pixel) / np.linalg.norm(own) / np.linalg.norm(shape(pixel)))
                for pixel in pixels.T
            ]
            for own in apart
        ]
    )
    classes, angle, margin, contrast = (part.ravel() for part in mapped("2um", cube))
    codes = np.array(list(records("2um")))
    beyond = angles > np.pi / 2
    assert np.array_equal(classes, np.where(beyond.all(axis=0), 0, codes[angles.argmin(axis=0)]))
    assert angle == pytest.approx(angles.min(axis=0), abs=1e-6)
    second = np.sort(angles, axis=0)[1]
    assert margin == pytest.approx(second - angles.min(axis=0), abs=1e-6)
    rms = [np.sqrt((shape(pixel) ** 2).mean()) for pixel in pixels.T]
    assert contrast == pytest.approx(rms, rel=1e-6)


def test_gains_of_bands_and_of_pixels_drop_out():
    cube, _ = mixed_ground(12, 12)
    gains = np.linspace(0.5, 1.5, len(cube))[:, None, None]
    places = places_of("2um")
    first = mapped("2um", cube)
    part = (cube * gains)[places]
    mean = measure_mean(part.reshape(len(places), -1).T)
    known = {code: own[:, places] * gains[places, 0, 0] for code, own in records("2um").items()}
    limits = [np.pi / 2] * 3
    second = map_scene_angles(part, mean, direct_references(known, mean), limits)
    assert np.array_equal(first[0], second[0])
    assert np.allclose(first[1], second[1], atol=1e-6)
    dimmed = mapped("2um", cube * np.linspace(0.6, 1.0, 12))
    assert np.array_equal(first[0], dimmed[0])


def test_of_several_records_of_a_mineral_the_nearest_wins():
    cube, truth = mixed_ground()
    places = places_of("2um")
    part = cube[places]
    mean = measure_mean(part.reshape(len(places), -1).T)
    known = {code: own[:, places] for code, own in records("2um").items()}
    flat = np.full((1, len(places)), 0.4)
    known[17] = np.concatenate([flat, known[17]])
    directions = direct_references(known, mean)
    assert directions.starts.tolist() == [0, 2, 3]
    classes, *_ = map_scene_angles(part, mean, directions, [np.pi / 2] * 3)
    assert (classes == truth["2um"]).mean() > 0.6
    assert set(np.unique(classes)) <= {0, 6, 7, 17}


def test_pixels_without_a_value_are_nodata_and_dark_ones_are_not():
    cube, _ = mixed_ground(8, 8)
    cube[:, 0, 0] = np.nan
    cube[9, 0, 1] = -0.01
    places = places_of("2um")
    part = cube[places]
    mean = measure_mean(np.nan_to_num(part, nan=0.3).reshape(len(places), -1).T)
    known = {code: own[:, places] for code, own in records("2um").items()}
    classes, angle, margin, contrast = map_scene_angles(
        part, mean, direct_references(known, mean), [2.0] * 3
    )
    assert classes[0, 0] == 255 and np.isnan([angle[0, 0], margin[0, 0], contrast[0, 0]]).all()
    assert classes[0, 1] != 255 and np.isfinite(contrast[0, 1])


def test_a_pixel_beyond_all_limits_is_unclassified_with_its_angle():
    distances = np.array([[0.5, 0.2, np.nan], [0.3, 0.9, 1.0]], np.float32)
    classes, nearest, margin = choose_nearest(distances, np.array([4, 9], np.uint8), [0.1, 0.25])
    assert classes.tolist() == [0, 0, 255]
    assert nearest[:2] == pytest.approx([0.3, 0.2])
    assert margin[:2] == pytest.approx([0.2, 0.7])
    assert np.isnan([nearest[2], margin[2]]).all()
    classes, nearest, margin = choose_nearest(distances, np.array([4, 9], np.uint8), [0.6, 0.25])
    assert classes.tolist() == [4, 4, 255]
    assert margin[0] == pytest.approx(-0.2)


def test_equal_distances_go_to_the_first_and_one_mineral_has_no_margin():
    equal = np.array([[0.5], [0.5]])
    assert choose_nearest(equal, np.array([4, 9], np.uint8), [1, 1])[0].tolist() == [4]
    assert np.isnan(choose_nearest(equal[:1], np.array([4], np.uint8), [1])[2]).all()


def test_a_reference_that_is_the_scene_itself_is_refused():
    mean = measure_mean(np.full((5, 4), 0.3))
    assert mean.contrast < 1e-9
    with pytest.raises(InputError, match="what the scene is on average"):
        direct_references({1: np.full((1, 4), 0.6)}, mean)
    with pytest.raises(InputError, match="no pixel"):
        measure_mean(np.empty((0, 4)))


def test_surety_falls_with_any_distance_and_grows_with_contrast():
    distances = np.array([-3.0, 0.0, 0.5, 1.5, 3.0, 40.0])
    sure = surety(distances, np.full(6, 0.2))
    assert (np.diff(sure) <= 0).all()
    assert sure[1] == pytest.approx(0.2)
    assert surety(np.array([0.5]), np.array([0.4])) > sure[2]


# ---- which bands speak of which group -------------------------------------------------------


@pytest.mark.parametrize(
    ("centres", "group", "expected"),
    [
        (LANDSAT_UM, "1um", [0, 1, 2, 3, 4]),
        (LANDSAT_UM, "2um", [3, 4, 5, 6]),
        (CENTRES_UM, "2um", [7, 8, 9, 10, 11, 12, 13]),
        (CENTRES_UM, "1um", [0, 1, 2, 3, 4, 5]),
        ((2.165, 2.205, 2.26, 2.33), "1um", []),
        ((0.45, 0.56, 0.66), "2um", []),
        ((0.56, 0.66, 0.81), "1um", [0, 1, 2]),
    ],
)
def test_bands_of_a_group(centres, group, expected):
    assert group_bands(bands_at(*centres), group) == expected


def test_members_of_a_group_keep_their_order():
    def entry(code, group):
        return MapClass(code=code, name=f"m{code}", label="", colour="#000000", group=group)

    classes = [entry(3, "2um"), entry(1, "1um"), entry(2, "2um"), entry(4, "")]
    assert [item.code for item in members_of(classes, "2um")] == [3, 2]


# ---- groups brought to one map --------------------------------------------------------------


def layers(classes, angle, contrast):
    margin = np.full(np.shape(angle), 0.1)
    parts = (np.array(classes, np.uint8), np.array(angle), margin, np.array(contrast))
    return tuple(np.atleast_2d(part) for part in parts)


def test_the_surest_group_wins_in_units_of_its_own_spread():
    one = layers([14, 14, 0, 14, 255, 0], [0.1, 0.1, 0.1, 0.1, np.nan, np.nan], [0.2] * 6)
    two = layers([17, 17, 17, 255, 255, 17], [0.1, 1.4, 1.5, np.nan, np.nan, 0.2], [0.5] * 6)
    classes, angle, margin = merge_groups([one, two], [0.1, 0.5])
    assert classes.tolist() == [[14, 14, 17, 14, 255, 17]]
    assert angle[0, 5] == pytest.approx(0.2)
    assert margin.shape == (1, 6)
    swapped, *_ = merge_groups([one, two], [0.5, 0.1])
    assert swapped[0, 0] == 17


def test_a_group_that_was_left_out_never_wins():
    left_out = layers([0, 0], [np.nan, np.nan], [np.nan, np.nan])
    two = layers([17, 0], [0.3, 1.2], [0.1, 0.1])
    classes, angle, _ = merge_groups([left_out, two], [0.0, 0.1])
    assert classes.tolist() == [[17, 0]]
    assert angle[0].tolist() == [0.3, 1.2]


# ---- what a map answers ---------------------------------------------------------------------


def test_answers_count_what_is_there():
    classes = np.array([6, 6, 6, 7, 0, 255, 255], np.uint8)
    distances = np.array([0.1, 0.2, 0.3, 0.6, 3.0, np.nan, np.nan])
    told = describe_answers(classes, {6: "calcite", 7: "alunite", 17: "kaolinite"}, distances)
    assert told == {
        "pixels": 5,
        "unclassified": 0.2,
        "shares": {"calcite": 0.6, "alunite": 0.2, "kaolinite": 0.0},
        "median_distance": 0.25,
    }
    nothing = describe_answers(np.array([0, 255], np.uint8), {6: "calcite"}, np.full(2, np.nan))
    assert nothing["median_distance"] is None
    assert nothing["unclassified"] == 1.0
    assert describe_answers(np.array([], np.uint8), {6: "calcite"})["pixels"] == 0
