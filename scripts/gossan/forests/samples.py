"""Labelled points for a forest, as pixels of a grid."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gossan.accuracy.blocks import SpatialBlocks
from gossan.accuracy.truth import Truth
from gossan.delimited import plain_text
from gossan.errors import InputError
from gossan.forests.plans import SHARES
from gossan.legend import NODATA, UNCLASSIFIED, MapClass
from gossan.outlines import outline, reproject, why_apart
from gossan.raster import Grid, iter_blocks
from gossan.sampling import pixel_priorities, smallest_of_each
from gossan.tables import read_table
from gossan.vector_files import MOST_LONGITUDE, read_vector

SPLITS = ("train", "test")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Samples:
    """Labelled pixels in order of row and column: (n,) rows, columns, class codes, test or not.

    `notes` say what was left out.
    """

    rows: np.ndarray
    columns: np.ndarray
    codes: np.ndarray
    is_test: np.ndarray
    notes: tuple[str, ...] = ()

    def take(self, chosen: np.ndarray, *notes: str) -> "Samples":
        """Some of the pixels, by a mask or by places."""
        for note in notes:
            logger.info("%s", note)
        return replace(
            self,
            rows=self.rows[chosen],
            columns=self.columns[chosen],
            codes=self.codes[chosen],
            is_test=self.is_test[chosen],
            notes=(*self.notes, *notes),
        )

    def blocks(self, spatial_block_px: int, grid: Grid) -> np.ndarray:
        """Number of the spatial block that each point lies in."""
        return SpatialBlocks(grid.shape, spatial_block_px).number(self.rows, self.columns)


def read_samples(
    path: str | Path,
    grid: Grid,
    classes: Sequence[MapClass],
    label: str = "class",
    test: str | Path | None = None,
) -> Samples:
    """Labelled points as pixels of a grid.

    `path` is a vector file of points in any coordinate system, as which a CSV with longitude and
    latitude counts, or a CSV with the columns x and y (in capitals or not) in the grid's. Its
    attribute `label` holds names, labels or codes of `classes`; points without one are left out.
    Where there is an attribute `split`, it says train or test. With `test`, another such file, all
    points of `path` train and those of `test` are tested, but for pixels that train.

    Points beyond the grid and pixels that points of two classes claim are left out, and points in
    one pixel count once; `notes` say so. Raises InputError for a missing or unreadable file, a
    missing column, an unknown class or split, and where no point is left.
    """
    samples = _read_points(Path(path), grid, classes, label)
    if test is None:
        return samples
    tested = _read_points(Path(test), grid, classes, label)
    training = samples.rows * grid.width + samples.columns
    own = ~np.isin(tested.rows * grid.width + tested.columns, training)
    notes = list(tested.notes)
    if not own.all():
        notes.append(f"{Path(test).name}: {(~own).sum()} points lie in training pixels; left out")
        logger.info("%s", notes[-1])
    if not own.any():
        raise InputError(f"{test}: all points lie in training pixels; give points to test")
    joined = [
        np.concatenate([getattr(samples, name), getattr(tested, name)[own]])
        for name in ("rows", "columns", "codes")
    ]
    is_test = np.repeat([False, True], [len(training), own.sum()])
    order = np.lexsort((joined[1], joined[0]))
    return Samples(*(part[order] for part in joined), is_test[order], (*samples.notes, *notes))


def _read_points(path: Path, grid: Grid, classes: Sequence[MapClass], label: str) -> Samples:
    label = plain_text(label)
    in_csv = path.suffix.lower() == ".csv"
    rows = read_table(path, [label]) if in_csv else []
    names = {name.casefold() for row in rows[:1] for name in row}
    on_grid = not names.isdisjoint({"x", "y"})
    x, y, labels, splits = (
        _read_csv(path, rows, label) if on_grid else _read_vector(path, grid, label)
    )
    known = {str(item.code): item.code for item in classes}
    known |= {item.label.casefold(): item.code for item in classes}
    known |= {item.name.casefold(): item.code for item in classes}
    named = np.array([bool(text) for text in labels], bool)
    unknown = sorted({text for text in labels if text and text.casefold() not in known})
    if unknown:
        raise InputError(
            f"{path}: unknown classes in {label}: {', '.join(unknown[:5])}; the study has "
            f"{', '.join(item.name for item in classes)}; correct them, or give a table of your "
            "own classes (prospects.points.classes)"
        )
    for text in splits:
        if text not in SPLITS:
            raise InputError(f"{path}: split {text!r} is neither train nor test; correct it")
    inverse = ~grid.transform
    column = np.floor(inverse.a * x + inverse.b * y + inverse.c)
    row = np.floor(inverse.d * x + inverse.e * y + inverse.f)
    inside = (row >= 0) & (row < grid.height) & (column >= 0) & (column < grid.width)
    codes = np.array([known.get(text.casefold(), 0) for text in labels], np.int64)
    kept = inside & named
    codes = codes[kept]
    rows, columns = row[kept].astype(np.int64), column[kept].astype(np.int64)
    is_test = np.array([text == "test" for text in splits], bool)[kept]
    notes = []
    if not named.all():
        notes.append(f"{path.name}: {(~named).sum()} points without a class; left out")
    if not inside.all():
        notes.append(f"{path.name}: {(~inside).sum()} points beyond the cube; left out")
    # Training comes first among the points of a pixel, so that no training pixel is tested.
    order = np.lexsort((is_test, columns, rows))
    rows, columns, codes, is_test = (part[order] for part in (rows, columns, codes, is_test))
    pixel, first, place = np.unique(
        rows * grid.width + columns, return_index=True, return_inverse=True
    )
    disputed = np.zeros(len(pixel), bool)
    disputed[place[codes != codes[first][place]]] = True
    if disputed.any():
        notes.append(f"{path.name}: {disputed.sum()} pixels hold points of two classes; left out")
    first = first[~disputed]
    if not len(first):
        as_degrees = grid.crs is not None and not grid.crs.is_geographic
        as_degrees = as_degrees and max(abs(x).max(), abs(y).max()) <= MOST_LONGITUDE
        raise InputError(
            f"{path}: no labelled point lies on the cube; "
            + (
                f"x and y look like degrees, and are due in the cube's {grid.crs}"
                if as_degrees
                else "check place and CRS of both"
            )
        )
    return Samples(rows, columns, codes, is_test).take(first, *notes)


def draw_labels(
    path: str | Path,
    classes: Sequence[MapClass],
    per_class: int,
    seed: int,
    *,
    block_px: int = 512,
    threads: int = 1,
) -> Samples:
    """Training pixels drawn at random from a class raster, `per_class` of each class at most.

    Read block by block; the draw depends on the seed alone. A class of a single pixel is left
    out, and `notes` say so. Raises InputError for a raster that cannot be read, for a class that
    `classes` lack, and where less than two classes are left.
    """
    known = [item.code for item in classes]

    def draw(codes: np.ndarray) -> tuple[np.ndarray, ...]:
        row, column = np.nonzero((codes[0] != NODATA) & (codes[0] != UNCLASSIFIED))
        return row, column, codes[0][row, column].astype(np.int64)

    parts = [np.empty((4, 0), np.uint64)]
    blocks = iter_blocks(
        draw, [path], block_px=block_px, threads=threads, scaled=False, progress="labels"
    )
    for window, (row, column, code) in blocks:
        unknown = np.setdiff1d(code, known)
        if len(unknown):
            raise InputError(
                f"{path}: class {unknown[0]} is not in the class table; give the map's own"
            )
        row, column = row + window.row_off, column + window.col_off
        priority = pixel_priorities(row, column, seed)
        kept = smallest_of_each(priority, code, per_class)
        parts.append(np.stack([row[kept], column[kept], code[kept], priority[kept]]).astype("u8"))
    row, column, code, priority = np.concatenate(parts, axis=1)
    kept = smallest_of_each(priority, code, per_class)
    found, counts = np.unique(code[kept], return_counts=True)
    lonely = found[counts < 2]
    if len(found) - len(lonely) < 2:
        raise InputError(f"{path}: has less than two classes of two pixels; nothing to learn")
    kept = np.sort(kept[~np.isin(code[kept], lonely)])
    order = kept[np.lexsort((column[kept], row[kept]))]
    names = ", ".join(item.name for item in classes if item.code in lonely)
    notes = (f"{Path(path).name}: only one pixel is {names}; left out",) if len(lonely) else ()
    return Samples(
        *(values[order].astype(np.int64) for values in (row, column, code)),
        np.zeros(len(order), bool),
        notes,
    )


def draw_truth(
    truth: Truth,
    grid: Grid,
    classes: Sequence[MapClass],
    count: int,
    test_share: float,
    seed: int,
    *,
    block_px: int = 512,
    threads: int = 1,
) -> Samples:
    """`count` pixels at most of what is known of a scene, each class at its own share.

    A simple random sample of the pixels of `classes`; of each class, `test_share` are test points.
    Read block by block; the draw depends on the seed alone. Pixels of other classes, and classes
    of a single pixel, are left out, and `notes` say so.
    """
    known = [item.code for item in classes]

    def draw(codes: np.ndarray) -> tuple[np.ndarray, int]:
        row, column = np.nonzero(np.isin(codes[0], known))
        others = (codes[0] > UNCLASSIFIED) & ~np.isin(codes[0], known)
        found = np.stack([row, column, codes[0][row, column]]).astype(np.uint64)
        return found, int(others.sum())

    drawn, left_out = np.empty((4, 0), np.uint64), 0
    blocks = iter_blocks(
        draw, [truth.read], grid=grid, block_px=block_px, threads=threads, progress="truth"
    )
    for window, (found, others) in blocks:
        left_out += others
        row, column = found[0] + np.uint64(window.row_off), found[1] + np.uint64(window.col_off)
        priority = pixel_priorities(row, column, seed)
        drawn = np.concatenate([drawn, np.stack([row, column, found[2], priority])], axis=1)
        # Columns break ties of priority, so that no order of blocks shows.
        drawn = drawn[:, np.lexsort((drawn[1], drawn[0], drawn[3]))[:count]]
    row, column, codes = (values.astype(np.int64) for values in drawn[:3])
    order = np.lexsort((column, row))
    row, column, codes = row[order], column[order], codes[order]
    _, place, counts = np.unique(codes, return_inverse=True, return_counts=True)
    tests = np.minimum((counts * test_share).round().astype(int), np.maximum(counts - 2, 0))
    is_test = np.zeros(len(codes), bool)
    is_test[smallest_of_each(pixel_priorities(row, column, seed + 1), place, tests)] = True
    lonely = counts[place] < 2
    names = ", ".join(item.name for item in classes if item.code in codes[lonely])
    notes = [
        f"{drawn.shape[1]} pixels drawn, each class at its own share; {truth.note}",
        *([f"{left_out} pixels of other classes; left out"] if left_out else []),
        *([f"only one pixel was drawn of {names}; left out"] if names else []),
    ]
    return Samples(row, column, codes, is_test).take(~lonely, *notes)


def _read_csv(
    path: Path, rows: Sequence[Mapping[str, str]], label: str
) -> tuple[np.ndarray, np.ndarray, list[str], list[str]]:
    found = {name.casefold(): name for name in rows[0] if name}
    for name in {"x", "y"} - set(found):
        raise InputError(
            f"{path}: lacks the column {name}; give x and y in the cube's system, or longitude and "
            f"latitude in decimal degrees"
        )
    try:
        x, y = (np.array([float(row[found[name]]) for row in rows]) for name in ("x", "y"))
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: a coordinate is no number ({error}); correct it") from error
    splits = [row["split"] for row in rows] if "split" in rows[0] else ["train"] * len(rows)
    return x, y, [row[label] for row in rows], splits


def _read_vector(
    path: Path, grid: Grid, label: str
) -> tuple[np.ndarray, np.ndarray, list[str], list[str]]:
    also = ", or x and y in the cube's system" if path.suffix.lower() == ".csv" else ""
    points, _ = read_vector(path, f"samples{also}")
    if label not in points.columns:
        raise InputError(
            f"{path}: lacks the attribute {label} (it has: "
            f"{', '.join(points.columns.drop('geometry', errors='ignore')) or 'none'})"
        )
    if getattr(points, "crs", None) is None or grid.crs is None:
        raise InputError(f"{path}: it or the cube has no coordinate system; assign one")
    points = points[points.geometry.notna() & ~points.geometry.is_empty]
    kinds = set(points.geometry.geom_type)
    if kinds != {"Point"}:
        raise InputError(f"{path}: holds {', '.join(sorted(kinds)) or 'nothing'}; give points")
    told, points = points, reproject(points, grid.crs, path)
    if not points.intersects(outline(grid)).any():
        raise InputError(f"{path}: no labelled point lies on the cube; {why_apart(told, grid)}")
    splits = points["split"].astype(str) if "split" in points.columns else ["train"] * len(points)
    named = points[label].notna()
    labels = points[label].where(named, "").map(_plain)
    return points.geometry.x.to_numpy(), points.geometry.y.to_numpy(), list(labels), list(splits)


def _plain(value: object) -> str:
    """A label as text; whole numbers without decimals, as columns with gaps hold floats."""
    if isinstance(value, (float, np.floating)) and float(value).is_integer():
        return str(int(value))
    return str(value).strip()


def require_train(samples: Samples, classes: Sequence[MapClass], what: str) -> Samples:
    """The training points; InputError, naming `what`, for a class with only one of them."""
    train = samples.take(~samples.is_test)
    names = {item.code: item.name for item in classes}
    found, counts = np.unique(train.codes, return_counts=True)
    for code, count in zip(found, counts, strict=True):
        if count < 2:
            raise InputError(
                f"{what}: class {names[int(code)]} has one training point; give it two or more, "
                "or leave it out"
            )
    if len(found) < 2:
        raise InputError(f"{what}: training points of fewer than two classes; give more")
    return train


def teaching_places(
    codes: np.ndarray, places: np.ndarray, shares: str, most: int, seed: int
) -> np.ndarray:
    """Which of `places` among the points teach a forest: `most` at most, ascending.

    `codes` (n,) are the classes of all points. Classes get the shares of a plan (`Plan.shares`)
    as far as they have points. A class of two points or more keeps two. The same seed draws the
    same points from any ground that holds them.
    """
    _, place, counts = np.unique(codes[places], return_inverse=True, return_counts=True)
    weights = counts ** SHARES[shares]
    # What is added keeps a whole number whole.
    quota = (min(most, len(places)) * weights / weights.sum() + 1e-6).astype(int)
    priority = np.random.default_rng(seed).random(len(codes))[places]
    return np.sort(places[smallest_of_each(priority, place, np.maximum(quota, 2))])
