"""Test maps of alteration zones against polygons of the zones: zone or not zone, with intervals.

Every record counts both kinds of pixels, so the precision of the few pixels that a rule finds
never stands without its recall and without the number of pixels behind it.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rasterio.windows import Window

from gossan.accuracy.blocks import BlockWindow, Bootstrap
from gossan.accuracy.class_map import SPLIT
from gossan.accuracy.record import RULES, TruthSource, make_record
from gossan.accuracy.scores import EXCLUDED, count_blocks
from gossan.accuracy.truth import (
    CONFLICT,
    NO_TRUTH,
    OTHER_NAMES,
    Truth,
    open_truth,
)
from gossan.errors import InputError
from gossan.legend import CLASS_ATTRIBUTE, NODATA, UNCLASSIFIED, MapClass
from gossan.raster import Grid, is_synthetic, iter_blocks, read_info
from gossan.vector_files import read_vector
from gossan.zones.anomalies import ANOMALOUS
from gossan.zones.confidence import HIGH, MEDIUM
from gossan.zones.zone_labels import ANOMALY

OUTSIDE = ("other", "untested")
"""What a pixel outside all polygons is: ground that is known to be no zone, or unknown ground."""

SOURCE_ATTRIBUTE = "source"
SIMULATED_BY = "simulated by gossan"

LEVELS: Mapping[str, tuple[int, ...]] = {
    "medium": (MEDIUM,),
    "high": (HIGH,),
    "either": (MEDIUM, HIGH),
}
"""Name of a level -> codes of a confidence raster that count as the zone."""

ANOMALY_LEVELS: Mapping[str, tuple[int, ...]] = {ANOMALY: (ANOMALOUS,)}
"""The same for a raster of anomalies."""

ESTIMATES = ("precision", "recall", "f1", "kappa", "overall_accuracy")
TABLE_COLUMNS = (
    "zone",
    "method",
    "band",
    "level",
    "n",
    "n_reference",
    "found",
    "right",
    *(f"{name}{part}" for name in ESTIMATES for part in ("", "_low", "_high")),
    "n_blocks",
    "synthetic",
)

ZONE_RULES = {
    "two_classes": (
        "Each record compares one zone with everything else. 'found' is the number of pixels that "
        "the map gives to the zone, 'right' those of them that the truth gives to it. "
        "Precision says how many of the found pixels are right and nothing about the zone's "
        "pixels that were missed; recall says how many of the zone's pixels were found."
    ),
    "interval": RULES["interval"],
}


@dataclass(frozen=True)
class ZoneTruth:
    """Zones on the grid of a map.

    `names` are the classes of the truth, in the order of their codes 1, 2, …; `read` returns
    the (1, rows, columns) int32 codes of a window: 0 other ground, NO_TRUTH, CONFLICT.
    `note` says how the truth came onto the grid; `file` is the file's name.
    """

    file: str
    names: tuple[str, ...]
    note: str
    kind: str
    read: Callable[[Window], np.ndarray]
    synthetic: bool | None

    def code(self, zone: str) -> int:
        """The code of a zone, matched without regard to case; InputError when it has none."""
        known = [name.casefold() for name in self.names]
        if zone.casefold() not in known:
            raise InputError(
                f"{self.file}: no feature has the class '{zone}' (it has: "
                f"{', '.join(self.names) or 'only other ground'}); correct the zone's name or the "
                "ground truth"
            )
        return known.index(zone.casefold()) + 1


def open_zones(path: str | Path, grid: Grid, outside: str = "other") -> ZoneTruth:
    """Open a vector file of zones on a grid, reprojected if need be.

    Its attribute `class` names the zones; "other" names ground that is no zone. A pixel belongs
    to the polygon that its centre lies in; pixels that two classes claim are left out. `outside`
    "other" takes the polygons as a complete map: all ground outside them is no zone.

    Raises InputError for a missing or unreadable file, one that is a raster, lacks the attribute
    or a coordinate system, or does not overlap the grid.
    """
    if outside not in OUTSIDE:
        raise InputError(f"outside: {outside!r} is unknown; choose {' or '.join(OUTSIDE)}")
    path = Path(path)
    names, synthetic = _read_attributes(path)
    classes = _number(names)
    opened: Truth = open_truth(path, grid, classes)

    def read(window: Window) -> np.ndarray:
        codes = opened.read(window)
        codes[codes == NO_TRUTH] = UNCLASSIFIED
        return codes

    complete = outside == "other"
    what = (
        "ground outside all polygons counts as no zone"
        if complete
        else "ground outside all polygons is not tested"
    )
    return ZoneTruth(
        file=path.name,
        names=names,
        note=f"{opened.note}; {what}",
        kind=opened.kind,
        read=read if complete else opened.read,
        synthetic=synthetic,
    )


def read_zone_classes(path: str | Path) -> list[MapClass]:
    """The zones that a vector file names in its attribute `class`, numbered in their order.

    Raises InputError as `open_zones` does for the file.
    """
    return _number(_read_attributes(Path(path))[0])


def _number(names: Sequence[str]) -> list[MapClass]:
    return [MapClass(code, name, name, "#000000") for code, name in enumerate(names, start=1)]


def _read_attributes(path: Path) -> tuple[tuple[str, ...], bool | None]:
    """Class names of a vector file in alphabetical order, and whether it is simulated.

    "other" is left out. The attribute `source` of simulated ground truth says so; None where the
    file has no such attribute.
    """
    features, _ = read_vector(path, "polygons of the zones", geometry=False)
    if CLASS_ATTRIBUTE not in features.columns:
        raise InputError(
            f"{path}: the truth lacks the attribute '{CLASS_ATTRIBUTE}' "
            f"(it has: {', '.join(map(str, features.columns)) or 'none'})"
        )
    found = {str(name) for name in features[CLASS_ATTRIBUTE] if name is not None}
    names = tuple(sorted(name for name in found if name.casefold() not in OTHER_NAMES))
    if SOURCE_ATTRIBUTE not in features.columns:
        return names, None
    said = [str(value).casefold() for value in features[SOURCE_ATTRIBUTE]]
    return names, any(SIMULATED_BY in value for value in said)


def zone_labels(zone: str, code: int) -> list[dict]:
    """The two classes of a zone's confusion matrix: not the zone, the zone."""
    title = zone.replace("-", " ")
    return [
        {"code": 0, "name": "other", "label": f"Not {title}"},
        {"code": code, "name": zone, "label": title.capitalize()},
    ]


def zone_record(
    blocks: np.ndarray,
    *,
    scene: str,
    method: str,
    zone: str,
    code: int,
    truth: ZoneTruth,
    synthetic: bool,
    conflicts: int,
    bootstrap: Bootstrap,
    split: str = SPLIT,
) -> dict:
    """The accuracy record of one map of a zone.

    `blocks` (n, 2, 2) are confusion counts per spatial block: rows truth, columns map; index
    0 other ground, 1 the zone. The record is a `record` of workflow/schemas/accuracy.schema.json.
    """
    return make_record(
        blocks,
        zone_labels(zone, code),
        scene=scene,
        method=method,
        synthetic=synthetic,
        truth=TruthSource(truth.file, truth.kind, truth.note, truth.synthetic, conflicts),
        split=split,
        bootstrap=bootstrap,
        rules=ZONE_RULES,
    )


@dataclass(frozen=True)
class ZoneMap:
    """A raster of confidence, or of anomalies, and what it says of itself.

    `levels` are names of what is tested -> codes that count as the zone; `of` is what a
    confidence was read of, "" where of the whole bands.
    """

    path: Path
    zone: str
    bands: tuple[str, ...]
    synthetic: bool
    levels: Mapping[str, tuple[int, ...]] = field(default_factory=lambda: LEVELS)
    of: str = ""

    def method(self, band: str, level: str) -> str:
        """What a record calls the map of a band at a level."""
        if level == ANOMALY:
            return f"Anomalies, {self.zone}, band {band}"
        read = f"Fixed ranges of {self.of}" if self.of else "Fixed ranges"
        return f"{read}, {self.zone}, band {band}, {level} confidence"


def read_anomalies(path: str | Path, zone: str) -> ZoneMap:
    """Describe a raster of map_anomalies.py as a map of a zone; InputError when it is none."""
    info = read_info(path)
    if info.dtype != "uint8" or "MAD_N" not in info.tags:
        raise InputError(f"{path}: holds no anomalies; give a raster of map_anomalies.py")
    synthetic = is_synthetic(info.tags)
    return ZoneMap(Path(path), zone, info.bands.names, synthetic, ANOMALY_LEVELS)


def read_zone_map(path: str | Path) -> ZoneMap:
    """Describe a confidence raster of map_confidence.py; InputError when it is none."""
    info = read_info(path)
    if info.dtype != "uint8":
        raise InputError(f"{path}: {info.dtype}, not uint8; give a raster of map_confidence.py")
    return ZoneMap(
        Path(path),
        info.tags.get("ZONE", Path(path).stem),
        info.bands.names,
        is_synthetic(info.tags),
        of="anomalies" if "WAVELET_OF" in info.tags else "",
    )


def _require_levels(confidence: np.ndarray, path: Path) -> None:
    other = confidence[(confidence > HIGH) & (confidence != NODATA)]
    if other.size:
        raise InputError(
            f"{path}: code {other[0]} is no level of confidence (0, {MEDIUM}, {HIGH} or {NODATA}); "
            "give a raster of map_confidence.py"
        )


def count_confidence(
    confidence: np.ndarray,
    truth: np.ndarray,
    code: int,
    window: BlockWindow,
    levels: Mapping[str, tuple[int, ...]] = LEVELS,
) -> np.ndarray:
    """Confusion counts of every band and level in the spatial blocks of a window.

    `confidence` (bands, rows, columns) holds codes 0, 1, 2 and 255; `truth` (rows, columns) the
    truth's codes, of which `code` is the zone; `levels` as those of a ZoneMap. Returns counts
    (block rows, block columns, bands, levels, 2, 2), int64, of the blocks of `window`.
    """
    untested = (truth == NO_TRUTH) | (truth == CONFLICT)
    inside = np.where(untested, EXCLUDED, (truth == code).astype(np.int64))
    counts = []
    for band in confidence:
        mapped = np.where(band == NODATA, EXCLUDED, band.astype(np.int64))
        blocks = count_blocks(inside, mapped, HIGH + 1, window)
        tested = blocks[..., :2, :].sum(axis=-1)
        for codes in levels.values():
            found = blocks[..., :2, list(codes)].sum(axis=-1)
            counts.append(np.stack([tested - found, found], axis=-1))
    stacked = np.stack(counts, axis=2)
    return stacked.reshape(*window.shape, len(confidence), len(levels), 2, 2)


def assess_confidence(
    zone_map: ZoneMap,
    truth: ZoneTruth,
    *,
    scene: str,
    bootstrap: Bootstrap,
    window_px: int = 512,
    threads: int = 1,
) -> dict[tuple[str, str], dict]:
    """Accuracy records of a map of a zone by (band, level).

    Raises InputError for other codes in the raster, ground truth without the zone, and a zone
    without a tested pixel.
    """
    code = truth.code(zone_map.zone)
    grid = read_info(zone_map.path).grid
    spatial = bootstrap.over(grid.shape)
    shape = (*spatial.counts, len(zone_map.bands), len(zone_map.levels), 2, 2)
    counts = np.zeros(shape, np.int32)
    conflicts = 0

    def tally(confidence: np.ndarray, known: np.ndarray, window: Window) -> tuple:
        _require_levels(confidence, zone_map.path)
        place = spatial.window(known[0].shape, int(window.row_off), int(window.col_off))
        found = count_confidence(confidence, known[0], code, place, zone_map.levels)
        clear = (confidence != NODATA).any(axis=0)
        return place, found, int(((known[0] == CONFLICT) & clear).sum())

    for _, (place, found, lost) in iter_blocks(
        tally,
        [zone_map.path, truth.read, lambda window: window],
        grid=grid,
        block_px=window_px,
        threads=threads,
        scaled=False,
    ):
        counts[place.slices] += found.astype("i4")
        conflicts += lost
    flat = counts.reshape(-1, *shape[2:])
    require_zone(int(flat[:, 0, 0, 1].sum()), int(flat[:, 0, 0].sum()), zone_map.zone, truth)
    return {
        (band, level): zone_record(
            flat[:, band_place, level_place],
            scene=scene,
            method=zone_map.method(band, level),
            zone=zone_map.zone,
            code=code,
            truth=truth,
            synthetic=zone_map.synthetic,
            conflicts=conflicts,
            bootstrap=bootstrap,
        )
        for band_place, band in enumerate(zone_map.bands)
        for level_place, level in enumerate(zone_map.levels)
    }


def require_zone(n_zone: int, n: int, zone: str, truth: ZoneTruth) -> None:
    """Raise InputError unless both the zone and other ground have tested pixels."""
    if not n:
        raise InputError(f"{truth.file}: no clear pixel of the map has ground truth; check both")
    if not n_zone:
        raise InputError(
            f"{truth.file}: no clear pixel lies in the zone '{zone}'; correct its polygons or "
            "leave the zone out"
        )
    if n_zone == n:
        raise InputError(
            f"{truth.file}: every tested pixel lies in the zone '{zone}', so nothing can be "
            "told apart; add polygons of other ground, or take ground outside them as other"
        )


def record_name(zone: str, *parts: str) -> str:
    """File name of a record, such as phyllic-4-medium.json."""
    return f"{'-'.join(re.sub(r'[^A-Za-z0-9]+', '-', part) for part in (zone, *parts))}.json"


def table_row(record: Mapping, zone: str, method: str, band: str = "", level: str = "") -> dict:
    """A row of the table of zones from an assessed record; empty cells where undefined."""
    scores = record["scores"]
    own = scores["classes"][1]
    row = {
        "zone": zone,
        "method": method,
        "band": band,
        "level": level,
        "n": record["n"],
        "n_reference": own["n_reference"],
        "found": own["n_map"],
        "right": record["confusion_matrix"]["counts"][1][1],
        "n_blocks": scores["n_blocks"],
        "synthetic": "yes" if record["synthetic"] else "no",
    }
    for name in ESTIMATES:
        value = own[name] if name in own else scores[name]
        row |= {name: value["value"], f"{name}_low": value["low"], f"{name}_high": value["high"]}
    return row


def count_levels(path: str | Path, *, window_px: int = 512, threads: int = 1) -> np.ndarray:
    """Pixels of each band and code of a confidence raster: (bands, 3) for none, medium, high.

    Raises InputError for other codes.
    """

    def tally(confidence: np.ndarray) -> np.ndarray:
        _require_levels(confidence, Path(path))
        return np.stack(
            [np.bincount(band.ravel(), minlength=256)[: HIGH + 1] for band in confidence]
        )

    blocks = iter_blocks(tally, [path], block_px=window_px, threads=threads, scaled=False)
    return sum(found for _, found in blocks)
