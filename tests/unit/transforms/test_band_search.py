import pytest

from gossan.transforms.band_search import same_wavelength, sensor_parts


def test_the_bands_of_a_plain_cube_are_one_part_and_those_of_a_stack_one_per_sensor():
    assert sensor_parts(["B1", "B2"]) == [[0, 1]]
    assert sensor_parts(["aster:1", "aster:2", "emit:B001"]) == [[0, 1], [2]]
    assert sensor_parts([]) == []


@pytest.mark.parametrize(
    ("here", "there", "width", "same"),
    [
        (2.2024, 2.1857, 0.175, True),
        (0.665, 0.705, 0.031, False),
        (0.665, 0.66, None, True),
        (0.665, 0.68, None, False),
        (None, None, None, True),
        (None, 0.665, 0.03, False),
        (0.665, None, None, False),
    ],
)
def test_a_band_is_the_same_within_half_its_width(here, there, width, same):
    assert same_wavelength(here, there, width) is same
