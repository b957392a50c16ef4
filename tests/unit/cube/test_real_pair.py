"""dos1 on a real Level-1 clip against the Level-2 clip of the same scene, which LaSRC corrected."""

import numpy as np
import pytest
from rasterio.windows import Window

from gossan.cube.corrections import Scene
from gossan.cube.dark_objects import count_levels, solve_cost, solve_dos1
from gossan.products.landsat import open_product as open_landsat

CLIP = "landsat_c2_clips/LC08_{}_017051_20151205_20200908_02_T1-cropped.tar.gz"


@pytest.fixture(scope="module")
def pair(shared_data):
    """Top of the atmosphere (bands, land pixels), surface, the blocks' counts, and the scene."""
    with open_landsat(shared_data(CLIP.format("L1TP"))) as first:
        top = first.read_reflectance(Window(0, 0, first.grid.width, first.grid.height))
        scene = Scene(first.bands, first.sun_elevation_deg)
        left, above = first.grid.place(0, 0)
    with open_landsat(shared_data(CLIP.format("L2SP"))) as second:
        surface = second.read_reflectance(Window(0, 0, second.grid.width, second.grid.height))
        x, y = second.grid.place(0, 0)
    column, row = round((x - left) / 30), round((above - y) / 30)
    counts = count_levels(top)
    top = top[:, row : row + surface.shape[1], column : column + surface.shape[2]]
    # Land: where green is darker than near infrared (McFeeters 1996), on LaSRC's reflectance.
    green, infrared = surface[1], surface[3]
    land = np.isfinite(top).all(axis=0) & np.isfinite(surface).all(axis=0)
    land &= green < infrared
    assert land.sum() > 100_000
    return top[:, land], surface[:, land], counts, scene


def compare(corrected, surface):
    """Mean difference of each band, and the median spectral angle (rad)."""
    lengths = np.linalg.norm(corrected, axis=0) * np.linalg.norm(surface, axis=0)
    angle = np.arccos(np.clip((corrected * surface).sum(axis=0) / lengths, -1, 1))
    return (corrected - surface).mean(axis=1), float(np.median(angle))


def test_dos1_comes_near_to_lasrc_on_land(pair):
    top, surface, counts, scene = pair
    corrected = solve_dos1(counts, scene).apply(top[:, None])[:, 0]
    difference, angle = compare(corrected, surface)
    assert np.abs(difference).max() < 0.015
    assert angle < 0.036
    before, angle_before = compare(top, surface)
    assert np.abs(before).max() > 0.07
    assert angle_before > 0.19


def test_cost_makes_the_near_infrared_of_this_scene_too_bright(pair):
    top, surface, counts, scene = pair
    difference, angle = compare(solve_cost(counts, scene).apply(top[:, None])[:, 0], surface)
    assert difference[3] > 0.1
    assert np.abs(difference[4:]).max() < 0.015
    assert angle > 0.1
