"""Test one class map against ground truth, block by block, into one record."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rasterio.windows import Window

from gossan.accuracy.blocks import Bootstrap, require_least
from gossan.accuracy.record import TruthSource, class_labels, make_record, unassessed_record
from gossan.accuracy.scores import (
    EXCLUDED,
    Sample,
    count_blocks,
    count_pixels,
    describe_stratified,
    draw_sample,
    encode_classes,
    estimate_stratified,
    merge_samples,
)
from gossan.accuracy.truth import CONFLICT, NO_TRUTH, Truth, open_truth
from gossan.errors import InputError
from gossan.legend import MapClass
from gossan.raster import is_synthetic, iter_blocks, read_info

SPLIT = "none: the method has no training pixels; every clear pixel of the truth is tested"
SPLIT_SAMPLE = (
    "none: the method has no training pixels; a random sample of the clear pixels of the "
    "truth, of each map class, is tested"
)
SPLIT_TAUGHT = (
    "by pixel: pixels of the scene gave references their spectra; the {taught} of them that are "
    "clear and have a truth are left out of the test, their neighbours are not"
)
ALL_TAUGHT = (
    "All clear pixels that have a truth for this map ({taught}) gave the references their spectra, "
    "so none is left to test it on."
)


def assess_map(
    class_map: str | Path,
    truth_path: str | Path,
    classes: Sequence[MapClass],
    *,
    scene: str,
    method: str,
    bootstrap: Bootstrap,
    per_class: int | None = None,
    window_px: int = 512,
    threads: int = 1,
    others: Sequence[MapClass] = (),
    split: str | None = None,
    only_classes: bool = False,
    taught: Truth | None = None,
) -> dict | None:
    """The accuracy record of a class map (`record` in workflow/schemas/accuracy.schema.json).

    `per_class` None tests every pixel that both the map and the truth cover; a number
    tests that many pixels of each map class, drawn at random, and adds the area-weighted
    estimates. Ground that the truth calls one of `others` counts as other ground. `split` says how
    training was kept apart from testing, for a method that learned. With `only_classes`, ground
    that the truth calls none of `classes` is left out, and None is returned where nothing is left.
    Pixels that have a class in `taught` gave references their spectra: they are left out, and
    where they are all that there are, the record says that nothing was assessed.

    Raises InputError for unusable numbers, a map with codes outside `classes`, or ground
    truth that shares no clear pixel with the map.
    """
    if per_class is not None:
        require_least("per-class", per_class, 2)
    info = read_info(class_map)
    grid = info.grid
    truth = open_truth(truth_path, grid, classes, others)
    codes = [item.code for item in classes]
    size = len(classes) + 1
    spatial = bootstrap.over(grid.shape)
    counts = np.zeros((*spatial.counts, size, size), "i4")
    samples: list[Sample] = []
    conflicts = left_out = 0

    def read_taught(window: Window) -> np.ndarray:
        if taught is None:
            return np.zeros((int(window.height), int(window.width)), bool)
        return taught.read(window)[0] > 0

    def tally(mapped: np.ndarray, known: np.ndarray, teaching: np.ndarray, window: Window) -> tuple:
        mapped, known = mapped[0], known[0]
        nodata = np.zeros(mapped.shape, bool) if info.nodata is None else mapped == info.nodata
        unknown = np.setdiff1d(mapped[~nodata], [0, *codes])
        if unknown.size:
            raise InputError(
                f"{class_map}: class {unknown[0]} is not in the table of classes; give the "
                "classes.csv that the map was made with"
            )
        row, column = int(window.row_off), int(window.col_off)
        outside = (known == NO_TRUTH) | (known == CONFLICT)
        if only_classes:
            outside |= ~np.isin(known, codes)
        gone = int((teaching & ~outside & ~nodata).sum())
        truth_index = encode_classes(known, codes, outside | teaching)
        map_index = encode_classes(mapped, codes, nodata)
        place = spatial.window(mapped.shape, row, column)
        blocks = count_blocks(truth_index, map_index, size, place)
        sample = None
        if per_class is not None:
            sample = draw_sample(truth_index, map_index, per_class, bootstrap.seed, row, column)
        lost = int(((known == CONFLICT) & (map_index != EXCLUDED)).sum())
        return place, blocks, sample, lost, gone

    results = iter_blocks(
        tally,
        [class_map, truth.read, read_taught, lambda window: window],
        grid=grid,
        block_px=window_px,
        threads=threads,
        scaled=False,
    )
    for _, (place, blocks, sample, lost, gone) in results:
        counts[place.slices] += blocks.astype("i4")
        conflicts += lost
        left_out += gone
        if sample is not None:
            samples = [merge_samples([*samples, sample], per_class)]
    blocks = counts.reshape(-1, size, size)
    if left_out and not blocks.any():
        return unassessed_record(
            scene=scene,
            method=method,
            synthetic=is_synthetic(info.tags),
            reason=ALL_TAUGHT.format(taught=left_out),
        )
    if only_classes and not blocks.any():
        return None
    if not blocks.any():
        raise InputError(
            f"{truth_path}: no clear pixel of {class_map} has ground truth; check both"
        )

    labels = class_labels(classes)
    mapped_pixels = blocks.sum(axis=(0, 1))
    weights = stratified = None
    if per_class is not None:
        drawn = samples[0]
        number = spatial.number(drawn.row, drawn.column)
        blocks = count_pixels(number, drawn.truth, drawn.stratum, size)
        sampled = blocks.sum(axis=(0, 1))
        weights = np.divide(mapped_pixels, sampled, out=np.zeros(size), where=sampled > 0)
        estimates = estimate_stratified(blocks.sum(axis=0), mapped_pixels)
        stratified = describe_stratified(
            estimates, labels, mapped_pixels, sampled, grid.pixel_area_m2
        )
    note = truth.note
    if taught is not None:
        split = SPLIT_TAUGHT.format(taught=left_out)
        note += f"; pixels that gave the references their spectra are left out ({left_out})"
    return make_record(
        blocks,
        labels,
        scene=scene,
        method=method,
        synthetic=is_synthetic(info.tags),
        truth=TruthSource(
            Path(truth_path).name,
            truth.kind,
            note,
            truth.synthetic,
            conflicts,
        ),
        split=split or (SPLIT if per_class is None else SPLIT_SAMPLE),
        bootstrap=bootstrap,
        per_class=per_class,
        map_weights=weights,
        stratified=stratified,
    )
