"""Test one class map against one reference, block by block, into one record."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rasterio.windows import Window

from gossan.accuracy.scores import (
    EXCLUDED,
    Sample,
    assess_blocks,
    count_blocks,
    describe_stratified,
    draw_sample,
    encode_classes,
    estimate_stratified,
    merge_samples,
)
from gossan.accuracy.truth import CONFLICT, NO_REFERENCE, open_reference
from gossan.errors import InputError
from gossan.legend import MapClass
from gossan.raster import is_synthetic, iter_blocks, read_info

SPLIT = "none: the method has no training pixels; every clear reference pixel is tested"
SPLIT_SAMPLE = (
    "none: the method has no training pixels; a random sample of the clear reference pixels of "
    "each map class is tested"
)


def assess_map(
    class_map: str | Path,
    reference_path: str | Path,
    classes: Sequence[MapClass],
    *,
    scene: str,
    method: str,
    block_px: int,
    replicates: int,
    seed: int,
    per_class: int | None = None,
    window_px: int = 512,
    threads: int = 1,
    others: Sequence[MapClass] = (),
    split: str | None = None,
) -> dict:
    """The accuracy record of a class map (`record` in workflow/schemas/accuracy.schema.json).

    `per_class` None tests every pixel that both the map and the reference cover; a number
    tests that many pixels of each map class, drawn at random, and adds the area-weighted
    estimates. A reference that names one of `others` counts as other ground. `split` says how
    training was kept apart from testing, for a method that learned.

    Raises InputError for unusable numbers, a map with codes outside `classes`, or a reference
    that shares no clear pixel with the map.
    """
    for name, number, least in (
        ("block-px", block_px, 1),
        ("bootstrap", replicates, 100),
        ("per-class", 2 if per_class is None else per_class, 2),
        ("seed", seed, 0),
    ):
        if number < least:
            raise InputError(f"{name}: {number} is too small; give at least {least}")
    info = read_info(class_map)
    grid = info.grid
    reference = open_reference(reference_path, grid, classes, others)
    codes = [item.code for item in classes]
    size = len(classes) + 1
    counts = np.zeros((-(-grid.height // block_px), -(-grid.width // block_px), size, size), "i4")
    samples: list[Sample] = []
    conflicts = 0

    def tally(mapped: np.ndarray, truth: np.ndarray, window: Window) -> tuple:
        mapped, truth = mapped[0], truth[0]
        nodata = np.zeros(mapped.shape, bool) if info.nodata is None else mapped == info.nodata
        unknown = np.setdiff1d(mapped[~nodata], [0, *codes])
        if unknown.size:
            raise InputError(
                f"{class_map}: class {unknown[0]} is not in the table of classes; give the "
                "classes.csv that the map was made with"
            )
        row, column = int(window.row_off), int(window.col_off)
        truth_index = encode_classes(truth, codes, (truth == NO_REFERENCE) | (truth == CONFLICT))
        map_index = encode_classes(mapped, codes, nodata)
        blocks = count_blocks(truth_index, map_index, size, block_px, row, column)
        sample = None
        if per_class is not None:
            sample = draw_sample(truth_index, map_index, per_class, seed, row, column)
        lost = int(((truth == CONFLICT) & (map_index != EXCLUDED)).sum())
        return blocks, sample, lost

    results = iter_blocks(
        tally,
        [class_map, reference.read, lambda window: window],
        grid=grid,
        block_px=window_px,
        threads=threads,
        scaled=False,
    )
    for _, ((row, column, blocks), sample, lost) in results:
        counts[row : row + blocks.shape[0], column : column + blocks.shape[1]] += blocks.astype(
            "i4"
        )
        conflicts += lost
        if sample is not None:
            samples = [merge_samples([*samples, sample], per_class)]
    blocks = counts.reshape(-1, size, size)
    if not blocks.any():
        raise InputError(
            f"{reference_path}: no clear pixel of {class_map} has a reference; check both"
        )

    labels = [
        {"code": 0, "name": "other", "label": "Other / unclassified"},
        *({"code": item.code, "name": item.name, "label": item.label} for item in classes),
    ]
    mapped_pixels = blocks.sum(axis=(0, 1))
    weights = stratified = None
    if per_class is not None:
        blocks = _count_sample(samples[0], block_px, counts.shape[1], size)
        sampled = blocks.sum(axis=(0, 1))
        weights = np.divide(mapped_pixels, sampled, out=np.zeros(size), where=sampled > 0)
        estimates = estimate_stratified(blocks.sum(axis=0), mapped_pixels)
        stratified = describe_stratified(
            estimates, labels, mapped_pixels, sampled, grid.pixel_area_m2
        )
    study_blocks = blocks.copy()
    study_blocks[:, 0, :] = 0
    study = assess_blocks(study_blocks, labels, replicates, seed, weights)
    study["classes"] = study["classes"][1:]
    synthetic = is_synthetic(info.tags)
    return {
        "scene": scene,
        "method": method,
        "assessed": True,
        "synthetic": synthetic or bool(reference.synthetic),
        "reference": {
            "file": Path(reference_path).name,
            "kind": reference.kind,
            "note": reference.note,
            "synthetic": synthetic if reference.synthetic is None else reference.synthetic,
            "n_conflicting": conflicts,
        },
        "n": int(blocks.sum()),
        "split": split or (SPLIT if per_class is None else SPLIT_SAMPLE),
        "design": "census" if per_class is None else "stratified",
        "per_class": per_class,
        "seed": seed,
        "bootstrap": replicates,
        "block_px": block_px,
        "rules": RULES,
        "confusion_matrix": {
            "rows": "reference",
            "columns": "map",
            "labels": labels,
            "counts": blocks.sum(axis=0).tolist(),
        },
        "scores": assess_blocks(blocks, labels, replicates, seed, weights),
        "scores_study_classes": study,
        "stratified": stratified,
    }


RULES = {
    "other": (
        "Reference pixels whose class is none of the study's classes count as 'other'; they are "
        "right where the map says 'unclassified'."
    ),
    "study_classes": (
        "scores_study_classes counts only reference pixels of the study's classes; a pixel of "
        "them that the map leaves unclassified is a miss."
    ),
    "macro_f1": (
        "The plain mean of F1 over the classes present in the reference, 'other' included where "
        "it is counted; a class of the reference that is never mapped has F1 = 0."
    ),
    "interval": (
        "2.5th to 97.5th percentile of a bootstrap that redraws whole spatial blocks; null where "
        "fewer than five blocks carry the value. Undefined values are null."
    ),
    "stratified": (
        "Area-weighted estimators and standard errors of Olofsson et al. (2014); the population "
        "is the clear map pixels that have a reference. A standard error of 0 means that no "
        "sampled pixel disagreed, not that none does."
    ),
}
"""How the numbers of a record are to be read; written into each record."""


def unassessed_record(class_map: str | Path, *, scene: str, method: str) -> dict:
    """The record of a class map without a reference."""
    return {
        "scene": scene,
        "method": method,
        "assessed": False,
        "synthetic": is_synthetic(read_info(class_map).tags),
        "reason": "The scene has no reference, so no accuracy can be stated.",
    }


def _count_sample(sample: Sample, block_px: int, block_columns: int, size: int) -> np.ndarray:
    """Confusion counts (n, size, size) of the blocks that hold sampled pixels."""
    block = sample.row // block_px * block_columns + sample.column // block_px
    used, place = np.unique(block, return_inverse=True)
    counts = np.zeros((len(used), size, size), dtype=np.int64)
    np.add.at(counts, (place, sample.reference, sample.stratum), 1)
    return counts
