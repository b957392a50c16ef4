"""How pixels are compared with the minerals of a group: what `minerals.match` chooses."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from gossan.legend import MapClass
from gossan.library.follow import follow_cube
from gossan.library.readers import References
from gossan.minerals.detectors import (
    coherence_angles,
    information_divergence,
    matched_filter,
    measure_background,
)
from gossan.minerals.scene_angle import SceneMean, direct_references, scene_angles
from gossan.minerals.spectral_angle import align_records
from gossan.raster import BandTable

METHODS = {
    "scene": ("Spectral angle about the scene's mean", "rad", np.pi / 2),
    "sid": ("Spectral information divergence over the scene's mean", "", np.inf),
    "matched_filter": ("Matched filter in log reflectance", "", np.inf),
    "ace": ("Adaptive coherence estimator in log reflectance", "rad", np.pi / 2),
}
"""Title, unit of the distance, and the largest distance of a mineral that has no limit."""


def gather_records(
    references: References,
    cube_record: Mapping,
    members: Sequence[MapClass],
    bands: BandTable,
    usable: Sequence[int],
    places: Sequence[int],
    where: tuple[str, str],
) -> dict[int, np.ndarray]:
    """Records (records, bands) of each mineral by code, in the cube's units, at bands `places`.

    `usable` are the places of the cube's `bands` that the references have, `where` the files of
    the references and of the cube's record, for messages.
    """
    table = bands.take(usable)
    kept = [list(usable).index(place) for place in places]
    records = {}
    for item in members:
        spectra = align_records(references, item.name, table, where[0])
        records[item.code] = follow_cube(spectra, table.names, cube_record, where[1])[:, kept]
    return records


def make_comparison(
    match: str, sample: np.ndarray, mean: SceneMean, records: Mapping[int, np.ndarray]
) -> Callable[[np.ndarray], np.ndarray]:
    """What gives distances (minerals, n), in the order of `records`, of pixels (bands, n).

    `sample` is (n, bands) of the scene's pixels, `mean` their mean.
    """
    if match == "sid":
        return lambda pixels: information_divergence(pixels, mean, records)
    directions = direct_references(records, mean)
    if match == "scene":
        return lambda pixels: scene_angles(pixels, mean, directions)
    background = measure_background(sample, mean)
    detect = {"matched_filter": matched_filter, "ace": coherence_angles}[match]
    return lambda pixels: detect(pixels, background, directions)
