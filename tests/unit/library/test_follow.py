"""References follow the cube: maps of a corrected cube are those of the cube before it."""

import numpy as np
import pytest
from mixed_ground import BANDS, CENTRES_UM, mixed_ground, records

from gossan.cube.atmosphere import solve_corrections
from gossan.cube.corrections import Scene
from gossan.cube.normalisation import normalise_minmax
from gossan.errors import InputError
from gossan.library.follow import follow_cube, require_reflectance
from gossan.minerals.groups import group_bands
from gossan.minerals.scene_angle import direct_references, map_scene_angles, measure_mean
from gossan.raster import BandTable

TABLE = BandTable(BANDS, CENTRES_UM, (0.03,) * len(BANDS))


@pytest.fixture(scope="module")
def cube():
    return mixed_ground()[0].astype(np.float32)


def scene_of():
    return Scene(TABLE, True, 45.0)


def survey_of(cube):
    """One pass over the cube after some corrections, as a single block."""

    def survey(corrections, collect, merge):
        values = cube
        for correction in corrections:
            values = correction.apply(values)
        return collect(values, np.isfinite(values).all(axis=0))

    return survey


def corrected(cube, *methods):
    """The cube after these corrections, and what its record says of them."""
    corrections = solve_corrections(methods, scene_of(), survey_of(cube))
    for correction in corrections:
        cube = correction.apply(cube)
    told = [{"method": item.method, **item.parameters} for item in corrections]
    return cube, {"corrections": told, "atmosphere": " ".join(methods), "normalisation": "none"}


def stretched(cube, record):
    """The cube after minmax, and its record."""
    correction = normalise_minmax(
        scene_of(), lambda collect, merge: survey_of(cube)([], collect, merge)
    )
    more = {"normalisation": "minmax", "normalisation_range": correction.parameters}
    return correction.apply(cube), {**record, **more}


def answers(cube, record, group):
    places = group_bands(TABLE, group)
    known = {
        code: follow_cube(own, BANDS, record, "cube.json")[:, places]
        for code, own in records(group).items()
    }
    part = cube[places]
    mean = measure_mean(part.reshape(len(places), -1).T)
    return map_scene_angles(part, mean, direct_references(known, mean), [np.pi] * len(known))[0]


PLAIN = {"corrections": [], "normalisation": "clip"}


@pytest.mark.parametrize("group", ["1um", "2um"])
@pytest.mark.parametrize(
    ("methods", "least"), [(["iarr"], 0.999), (["log_residuals"], 0.97), (["iarr"] * 2, 0.999)]
)
def test_a_relative_cube_gives_the_answers_of_the_cube_before(cube, methods, least, group):
    relative, record = corrected(cube, *methods)
    before = answers(cube, PLAIN, group)
    assert (answers(relative, record, group) == before).mean() > least


# A stretch is no gain alone: its shift changes logarithms, so nearly is all that can be had.
@pytest.mark.parametrize(("group", "least"), [("1um", 0.93), ("2um", 0.99)])
@pytest.mark.parametrize("methods", [[], ["iarr"], ["log_residuals"]])
def test_a_stretched_cube_gives_nearly_the_answers_of_the_cube_before(cube, methods, group, least):
    relative, record = corrected(cube, *methods)
    before = answers(relative, record, group)
    assert (answers(*stretched(relative, record), group) == before).mean() > least


def test_what_was_done_to_the_cube_is_done_to_the_spectra(cube):
    spectra = np.concatenate(list(records("2um").values()))
    pixels = np.moveaxis(spectra[:, :, np.newaxis].astype(np.float32), 1, 0)
    for methods in (["iarr"], ["log_residuals"], ["iarr", "log_residuals"]):
        corrections = solve_corrections(methods, scene_of(), survey_of(cube))
        wanted = pixels
        for correction in corrections:
            wanted = correction.apply(wanted)
        told = [{"method": item.method, **item.parameters} for item in corrections]
        found = follow_cube(spectra, BANDS, {"corrections": told}, "cube.json")
        assert found == pytest.approx(wanted[:, :, 0].T, rel=1e-5)


def test_corrections_to_reflectance_leave_the_library_alone():
    spectra = records("1um")[14]
    record = {"corrections": [{"method": "dos1"}, {"method": "quac"}], "normalisation": "clip"}
    assert np.array_equal(follow_cube(spectra, BANDS, record, "cube.json"), spectra)
    assert np.array_equal(follow_cube(spectra, BANDS, {}, "cube.json"), spectra)


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"corrections": [{"method": "iarr"}]}, "what iarr did to band B1"),
        ({"corrections": [{"method": "iarr", "mean": {"B1": 0.2}}]}, "what iarr did to band B2"),
        ({"corrections": [{"method": "log_residuals"}]}, "make the cube without log_residuals"),
        ({"normalisation": "minmax"}, "what minmax did to band B1"),
        ({"atmosphere": "dos1 iarr, L2A", "corrections": []}, "names iarr and does not tell"),
        ({"atmosphere": "L2A", "normalisation": "clip, minmax"}, "make the cube without minmax"),
    ],
)
def test_a_library_that_cannot_follow_is_told(record, said):
    with pytest.raises(InputError, match=r"^cube\.json: ") as fault:
        follow_cube(records("1um")[14], BANDS, record, "cube.json")
    assert said in str(fault.value)


def test_quac_makes_reflectance_of_ratios_so_the_library_stays():
    record = {
        "corrections": [{"method": "iarr", "mean": {"a": 0.1, "b": 0.3}}, {"method": "quac"}],
        "normalisation": "none",
    }
    spectra = np.array([[0.2, 0.5]])
    assert np.array_equal(follow_cube(spectra, ["a", "b"], record, "cube.json"), spectra)


@pytest.mark.parametrize(
    ("atmosphere", "normalisation", "relative"),
    [
        ("L1TP dos1 iarr", "none", True),
        ("log_residuals", "none", True),
        ("L2SP", "minmax", True),
        ("L1TP iarr quac", "none", False),
        ("L2SP", "clip", False),
        ("", "", False),
    ],
)
def test_a_relative_cube_without_its_record_is_refused(atmosphere, normalisation, relative):
    tags = {"ATMOSPHERE": atmosphere, "NORMALISATION": normalisation}
    if relative:
        with pytest.raises(InputError, match="give the cube's record"):
            require_reflectance(tags, "cube.tif")
    else:
        require_reflectance(tags, "cube.tif")
