"""References of minerals measured in the scene itself, under points or polygons of known ground."""

from collections.abc import Sequence
from functools import reduce
from pathlib import Path

import numpy as np

from gossan.accuracy.truth import open_truth
from gossan.errors import InputError
from gossan.legend import NODATA, MapClass
from gossan.library.follow import relative_steps
from gossan.library.scene_spectra import SceneSpectra
from gossan.minerals.class_statistics import Moments, count_codes, measure_classes, merge_moments
from gossan.paths import split_layer
from gossan.raster import iter_blocks, read_info
from gossan.vector_files import is_vector


def measure_references(
    cube: Path, points: Path, classes: Sequence[MapClass], *, block_px: int, threads: int
) -> SceneSpectra:
    """Mean spectra of a cube's pixels under the features of each class that a file names.

    `points` is a vector file of points or polygons with the attribute `class`: names or labels of
    `classes`. A pixel counts that is clear in all bands and that one class alone claims. Raises
    InputError as `open_truth` does, for a cube that is no reflectance or has no wavelengths, and
    for a class without a pixel.
    """
    info = read_info(cube)
    steps = relative_steps(info.tags)
    if steps:
        raise InputError(
            f"{cube}: is relative, after {steps[0]}, so that its pixels are no reference spectra; "
            f"make the cube without {steps[0]}, or leave minerals.from_scene out"
        )
    if not len(info.bands.names) == len(info.bands.centre_um) == len(info.bands.fwhm_um):
        raise InputError(
            f"{cube}: its bands have no wavelengths and widths; tell them, or leave "
            "minerals.from_scene out"
        )
    if not is_vector(points):
        raise InputError(
            f"{points}: no vector file; give points or polygons with the attribute 'class'"
        )
    truth = open_truth(points, info.grid, classes)
    wanted = [item for item in classes if item.code in truth.named]
    if not wanted:
        raise InputError(
            f"{points}: names no mineral of the references; they are "
            f"{', '.join(item.name for item in classes)}"
        )
    codes = [item.code for item in wanted]

    def measure(block: np.ndarray, known: np.ndarray) -> tuple[Moments, np.ndarray]:
        claimed = np.where(known[0] > 0, known[0], NODATA).astype(np.uint8)
        return measure_classes(block, claimed, codes), count_codes(claimed)

    parts = [
        part
        for _, part in iter_blocks(
            measure, [cube, truth.read], block_px=block_px, threads=threads, progress="references"
        )
    ]
    moments = reduce(merge_moments, (own for own, _ in parts))
    covered = sum(counts for _, counts in parts)
    for item, clear in zip(wanted, moments.count, strict=True):
        if not covered[item.code]:
            raise InputError(
                f"{points}: {item.name} has no pixel of the scene to itself; draw it larger, "
                "within the scene and apart from other classes"
            )
        if not clear:
            raise InputError(
                f"{points}: {item.name} lies on pixels that are masked or lack a band "
                f"({covered[item.code]}); place it on clear ground"
            )
    single = (moments.count == 1)[:, np.newaxis]
    return SceneSpectra(
        file=split_layer(points)[0].name,
        names=tuple(item.name for item in wanted),
        pixels=moments.count,
        bands=info.bands,
        mean=moments.mean,
        deviation=np.where(single, np.nan, moments.std),
    )
