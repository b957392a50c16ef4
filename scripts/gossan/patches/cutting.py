"""Patches of a class map and of its cube: where they lie, what they show, how they are labelled.

A store of patches is three files. `patches.csv` has one row per patch; `colour.npz` holds the map
of each patch painted in the classes' colours, `reflectance.npz` the cube under it. Both archives
have `images` (n, size, size, bands), in the order of the rows, `bands`, the bands' names, and
`centre_um` and `fwhm_um`, where they lie (empty for colours).
"""

import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rasterio.errors import RasterioError
from rasterio.windows import Window

from gossan.errors import InputError
from gossan.files import DAMAGED_ARCHIVE, staged
from gossan.legend import NODATA, UNCLASSIFIED, MapClass
from gossan.raster import (
    BandTable,
    Grid,
    RasterInfo,
    bound_gdal_cache,
    decode,
    is_synthetic,
    open_raster,
    read_info,
    verify_raster,
)
from gossan.tables import read_table

UNLABELLED = -1
"""Label of a patch in which no class is the largest."""

UNUSED = "unused"
"""Side of a patch that is neither trained on nor tested."""

SIDES = ("train", "validation", "test")
RGB = ("red", "green", "blue")
SHARE = "share_"
MOST_BANDS = 16
"""Bands of a cube that patches hold at most: all of a multispectral sensor.

Of an imaging spectrometer they lie evenly among its bands in the order of wavelengths; all of 285
would be a hundred megabytes a patch of the published size, and neighbours tell the same.
"""
COLUMNS = (
    *("patch", "row", "column", "x", "y", "size_px", "label", "label_share"),
    *("background_share", "block", "split", "synthetic"),
)


@dataclass(frozen=True)
class Recipe:
    """How a scene is cut and which patches are kept.

    `size_px` is the side of a patch, `stride_px` the step from one to the next. `labels` names
    the classes of which the largest is the label; () means every class. A patch is left out where
    the label covers less than `min_label_share` of its pixels, or pixels of no class more than
    `max_background_share`.
    """

    size_px: int
    stride_px: int
    labels: tuple[str, ...]
    min_label_share: float
    max_background_share: float

    def __post_init__(self):
        """Raise InputError for numbers and names that cannot be used."""
        for name, number in (("size-px", self.size_px), ("stride-px", self.stride_px)):
            if number < 1:
                raise InputError(f"{name}: {number} is too small; give at least 1")
        for name, share in (
            ("min-label-share", self.min_label_share),
            ("max-background-share", self.max_background_share),
        ):
            if not 0 <= share <= 1:
                raise InputError(f"{name}: {share:g} is not a share; give 0 to 1")
        if len(self.labels) == 1 or len(set(self.labels)) < len(self.labels):
            raise InputError("labels: give two or more different classes, or none for all of them")


class TooFewPatchesError(InputError):
    """A scene is too small, or its classes are too rare, for patches of this size."""


@dataclass(frozen=True, eq=False)
class PatchTable:
    """The patches of a scene, all arrays in their order; `rows`, `columns` are upper left pixels.

    `x`, `y` are the patches' centres in the scene's reference system. `labels` are places in
    `classes`, the names of the classes that label patches. `shares` (n, all classes) are the
    shares of a patch's pixels that `share_names` cover, `background` the share of no class.
    `blocks` are the spatial blocks in which the centres lie, `sides` one of SIDES or UNUSED.
    """

    size_px: int
    classes: tuple[str, ...]
    share_names: tuple[str, ...]
    rows: np.ndarray
    columns: np.ndarray
    x: np.ndarray
    y: np.ndarray
    labels: np.ndarray
    shares: np.ndarray
    background: np.ndarray
    blocks: np.ndarray
    sides: np.ndarray
    synthetic: bool

    def __len__(self) -> int:
        """Number of patches."""
        return len(self.rows)

    @property
    def label_names(self) -> np.ndarray:
        """Name of each patch's label, (n,)."""
        return np.array(self.classes)[self.labels]

    def take(self, places: np.ndarray, classes: Sequence[str] | None = None) -> "PatchTable":
        """The patches at `places`; `classes` are those that still label them, in their order."""
        kept = self.classes if classes is None else tuple(classes)
        picked = {
            name: getattr(self, name)[places]
            for name in ("rows", "columns", "x", "y", "shares", "background", "blocks", "sides")
        }
        order = np.array(
            [kept.index(name) if name in kept else UNLABELLED for name in self.classes]
        )
        return replace(self, classes=kept, labels=order[self.labels[places]], **picked)


def empty_table(class_map: str | Path, classes: Sequence[MapClass], size_px: int) -> PatchTable:
    """The table of a scene that has no patches to learn from."""
    none = np.zeros(0, np.int64)
    return PatchTable(
        size_px=size_px,
        classes=(),
        share_names=tuple(item.name for item in classes),
        rows=none,
        columns=none,
        x=none.astype(float),
        y=none.astype(float),
        labels=none,
        shares=np.zeros((0, len(classes))),
        background=none.astype(float),
        blocks=none,
        sides=np.zeros(0, "<U10"),
        synthetic=is_synthetic(read_info(class_map).tags),
    )


def colour_table(classes: Sequence[MapClass]) -> np.ndarray:
    """Colour of every class code, (256, 3) uint8; codes of no class are black."""
    table = np.zeros((256, 3), np.uint8)
    for item in classes:
        table[item.code] = item.rgb
    return table


def render_codes(codes: np.ndarray, classes: Sequence[MapClass]) -> np.ndarray:
    """Paint class codes (...) uint8 in the classes' colours, (..., 3) uint8.

    The background, which is unclassified ground and nodata, is black.
    """
    return colour_table(classes)[codes]


def fill_gaps(values: np.ndarray) -> np.ndarray:
    """Reflectance (bands, rows, columns), NaN = nodata -> (rows, columns, bands) without gaps.

    A pixel that lacks any band is 0 in all of them, as a network cannot be given NaN. Ground
    that reflects nothing in every band does not occur, so 0 stays a mark of missing pixels.
    """
    pixels = np.moveaxis(values, 0, -1).astype(np.float32)
    pixels[~np.isfinite(pixels).all(axis=-1)] = 0
    return pixels


def place_patches(grid: Grid, size_px: int, stride_px: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the upper left pixels of all whole patches of a grid, row by row.

    Raises InputError where the patch is larger than the grid.
    """
    if size_px > min(grid.shape):
        raise TooFewPatchesError(
            f"size-px: a patch of {size_px}x{size_px} pixels is larger than the scene of "
            f"{grid.width}x{grid.height}; make it smaller"
        )
    rows = np.arange(0, grid.height - size_px + 1, stride_px)
    columns = np.arange(0, grid.width - size_px + 1, stride_px)
    return np.repeat(rows, len(columns)), np.tile(columns, len(rows))


def dominant_class(shares: np.ndarray, members: Sequence[int]) -> np.ndarray:
    """The column of `members` that is largest in each row of shares (n, K); (n,) int64.

    The answer is a place in `members`, or UNLABELLED where two are equally large or all are 0.
    """
    own = shares[:, list(members)]
    largest = own.max(axis=1)
    unique = (own == largest[:, None]).sum(axis=1) == 1
    return np.where(unique & (largest > 0), own.argmax(axis=1), UNLABELLED)


def cut_patches(class_map: str | Path, classes: Sequence[MapClass], recipe: Recipe) -> PatchTable:
    """Locate and label the patches of a class map; all are in block 0 and unused until split.

    Raises InputError for fewer than two classes to label by, a patch larger than the scene, a
    label that is no class, codes that `classes` lacks, and fewer labelled patches than labels.
    """
    names = [item.name for item in classes]
    unknown = [name for name in recipe.labels if name not in names]
    if unknown:
        raise InputError(f"labels: {unknown[0]} is no class; choose from {' '.join(names)}")
    members = [place for place, name in enumerate(names) if name in (recipe.labels or names)]
    if len(members) < 2:
        raise InputError(f"classes: only {names[0]} to label patches by; give two or more")
    info = read_info(class_map)
    rows, columns = place_patches(info.grid, recipe.size_px, recipe.stride_px)
    counts = np.empty((len(rows), 256), np.int64)
    for place, stored in enumerate(_windows(info, rows, columns, recipe.size_px)):
        counts[place] = np.bincount(_codes(info, stored).ravel(), minlength=256)
    codes = [item.code for item in classes]
    others = np.setdiff1d(np.flatnonzero(counts.any(axis=0)), [UNCLASSIFIED, NODATA, *codes])
    if others.size:
        raise InputError(
            f"{info.path}: class {others[0]} is not in the table of classes; give the "
            "classes.csv that the map was made with"
        )
    shares = counts[:, codes] / recipe.size_px**2
    background = counts[:, [UNCLASSIFIED, NODATA]].sum(axis=1) / recipe.size_px**2
    labels = dominant_class(shares, members)
    kept = np.flatnonzero(
        (labels != UNLABELLED)
        & (shares[:, members].max(axis=1) >= recipe.min_label_share)
        & (background <= recipe.max_background_share)
    )
    if len(kept) < len(members):
        raise TooFewPatchesError(
            f"{info.path}: {len(kept)} labelled patches for {len(members)} classes; take smaller "
            "patches, a smaller stride, or a smaller min-label-share"
        )
    middle = recipe.size_px / 2
    x, y = info.grid.place(columns[kept] + middle, rows[kept] + middle)
    return PatchTable(
        size_px=recipe.size_px,
        classes=tuple(names[place] for place in members),
        share_names=tuple(names),
        rows=rows[kept],
        columns=columns[kept],
        x=x,
        y=y,
        labels=labels[kept],
        shares=shares[kept],
        background=background[kept],
        blocks=np.zeros(len(kept), np.int64),
        sides=np.full(len(kept), UNUSED, "<U10"),
        synthetic=is_synthetic(info.tags),
    )


def count_patches(grid: Grid, size_px: int, stride_px: int) -> int:
    """Number of whole patches of a grid."""
    rows, columns = (max(0, (side - size_px) // stride_px + 1) for side in grid.shape)
    return rows * columns


def _windows(
    info: RasterInfo,
    rows: np.ndarray,
    columns: np.ndarray,
    size_px: int,
    indexes: list[int] | None = None,
) -> Iterator[np.ndarray]:
    """The stored numbers of each patch, (bands, size, size); GDAL's cache bounds the memory.

    `indexes` are the bands to read, from 1 (default: all).
    """
    bound_gdal_cache()
    verify_raster(info.path, indexes)
    with open_raster(info.path) as dataset:
        for row, column in zip(rows, columns, strict=True):
            try:
                yield dataset.read(indexes, window=Window(int(column), int(row), size_px, size_px))
            except RasterioError as error:
                raise InputError(
                    f"{info.path}: broken or truncated near row {row}; make it again"
                ) from error


def _codes(info: RasterInfo, stored: np.ndarray) -> np.ndarray:
    """Class codes (rows, columns) uint8, NODATA for nodata; InputError for another raster."""
    if stored.dtype != np.uint8 or len(stored) != 1:
        raise InputError(f"{info.path}: no class map of one uint8 band; give one")
    codes = stored[0]
    if info.nodata is None or info.nodata == NODATA:
        return codes
    return np.where(codes == info.nodata, np.uint8(NODATA), codes)


def write_colours(
    path: str | Path, class_map: str | Path, classes: Sequence[MapClass], table: PatchTable
) -> None:
    """Write the painted patches, `images` (n, size, size, 3) uint8."""
    info = read_info(class_map)
    images = (
        render_codes(_codes(info, stored), classes)
        for stored in _windows(info, table.rows, table.columns, table.size_px)
    )
    _write_images(path, table, BandTable(RGB), np.dtype(np.uint8), images)


def choose_bands(bands: BandTable) -> list[int]:
    """Places of the bands that patches hold, ascending: at most MOST_BANDS, spread evenly."""
    count = len(bands.names)
    if count <= MOST_BANDS:
        return list(range(count))
    order = np.argsort(bands.centre_um, kind="stable") if bands.centre_um else np.arange(count)
    return sorted(order[np.linspace(0, count - 1, MOST_BANDS).round().astype(int)].tolist())


def write_reflectance(
    path: str | Path, cube: str | Path, class_map: str | Path, table: PatchTable
) -> None:
    """Write the cube under the patches, `images` (n, size, size, bands) float32, 0 = nodata.

    The bands are those of `choose_bands`. Raises InputError where the cube is not on the grid of
    the class map.
    """
    info = read_info(cube)
    read_info(class_map).grid.require_same(info.grid, str(info.path))
    places = choose_bands(info.bands)

    bands = info.bands.take(places)
    # A centre without a width would not say what is near enough to it.
    if not bands.fwhm_um:
        bands = BandTable(bands.names)
    indexes = [place + 1 for place in places]
    images = (
        fill_gaps(decode(stored, info))
        for stored in _windows(info, table.rows, table.columns, table.size_px, indexes)
    )
    _write_images(path, table, bands, np.dtype(np.float32), images)


def _write_images(
    path: str | Path,
    table: PatchTable,
    bands: BandTable,
    dtype: np.dtype,
    images: Iterable[np.ndarray],
) -> None:
    """Write an .npz image by image, so that no more than one is held; equal input, equal bytes."""
    shape = (len(table), table.size_px, table.size_px, len(bands.names))
    header = {"descr": dtype.newbyteorder("<").str, "fortran_order": False, "shape": shape}
    with staged(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as file:
        with file.open("images.npy", "w", force_zip64=True) as stream:
            np.lib.format.write_array_header_1_0(stream, header)
            for image in images:
                stream.write(np.ascontiguousarray(image, header["descr"]).data)
        for name, values in (
            ("bands", np.array(bands.names, dtype=np.str_)),
            ("centre_um", np.array(bands.centre_um, np.float64)),
            ("fwhm_um", np.array(bands.fwhm_um, np.float64)),
        ):
            with file.open(f"{name}.npy", "w") as stream:
                np.lib.format.write_array(stream, values, allow_pickle=False)


def read_images(path: str | Path, table: PatchTable) -> tuple[np.ndarray, BandTable]:
    """The images (n, size, size, bands) of a store and their bands.

    Raises InputError for a missing or damaged file and for images that are not of `table`'s
    patches; the size is compared before anything is unpacked.
    """
    path = Path(path)
    try:
        with zipfile.ZipFile(path) as file:
            with file.open("images.npy") as stream:
                shape, dtype = _read_header(stream)
            expected = (len(table), table.size_px, table.size_px)
            if len(shape) != 4 or shape[:3] != expected or dtype.kind not in "uf":
                raise InputError(
                    f"{path}: holds images {shape} {dtype} where the table has {expected[0]} "
                    f"patches of {table.size_px}x{table.size_px} pixels; make both together"
                )
            bands, centres, widths = (
                _read_array(file, f"{name}.npy") for name in ("bands", "centre_um", "fwhm_um")
            )
            if bands.shape != shape[3:] or bands.dtype.kind != "U":
                raise InputError(f"{path}: names {bands.size} bands of {shape[3]}; make it again")
            fits = centres.shape in ((0,), bands.shape) and widths.shape == centres.shape
            if not fits or not centres.dtype.kind == widths.dtype.kind == "f":
                raise InputError(f"{path}: bands and wavelengths do not fit; make it again")
            with file.open("images.npy") as stream:
                images = np.lib.format.read_array(stream, allow_pickle=False)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; cut the patches first") from error
    except (KeyError, ValueError, OSError, *DAMAGED_ARCHIVE) as error:
        raise InputError(f"{path}: no readable store of patches; cut them again") from error
    return images, BandTable(
        tuple(str(name) for name in bands), tuple(centres.tolist()), tuple(widths.tolist())
    )


def _read_array(file: zipfile.ZipFile, name: str) -> np.ndarray:
    with file.open(name) as stream:
        return np.lib.format.read_array(stream, allow_pickle=False)


def _read_header(stream: object) -> tuple[tuple[int, ...], np.dtype]:
    version = np.lib.format.read_magic(stream)
    if version != (1, 0):
        raise ValueError(f"version {version} of the header")
    shape, _, dtype = np.lib.format.read_array_header_1_0(stream)
    return shape, dtype


def table_columns(table: PatchTable) -> tuple[str, ...]:
    """The columns of patches.csv: COLUMNS, then `share_` and the class for every class."""
    return (*COLUMNS, *(SHARE + name for name in table.share_names))


def table_rows(table: PatchTable) -> list[dict[str, object]]:
    """The rows of patches.csv, with its columns."""
    return [
        dict(
            zip(
                table_columns(table),
                (
                    patch,
                    table.rows[patch],
                    table.columns[patch],
                    f"{table.x[patch]:.10g}",
                    f"{table.y[patch]:.10g}",
                    table.size_px,
                    label,
                    f"{table.shares[patch, table.share_names.index(label)]:.6f}",
                    f"{table.background[patch]:.6f}",
                    table.blocks[patch],
                    table.sides[patch],
                    "yes" if table.synthetic else "no",
                    *(f"{share:.6f}" for share in table.shares[patch]),
                ),
                strict=True,
            )
        )
        for patch, label in enumerate(table.label_names)
    ]


def read_patches(path: str | Path) -> PatchTable:
    """Read patches.csv. The label classes are those that occur, in the order of the columns.

    Raises InputError for a missing column, a label without a share, a side that is unknown, rows
    out of order, and a table without rows.
    """
    rows = read_table(path, COLUMNS)
    if not rows:
        raise TooFewPatchesError(f"{path}: has no patches; cut them again")
    names = tuple(name.removeprefix(SHARE) for name in rows[0] if name.startswith(SHARE))
    labels = [row["label"] for row in rows]
    classes = tuple(name for name in names if name in labels)
    strange = set(labels) - set(names)
    if strange:
        raise InputError(f"{path}: label {min(strange)} has no column of shares; cut them again")
    sides = np.array([row["split"] for row in rows], "<U10")
    if not np.isin(sides, (*SIDES, UNUSED)).all():
        raise InputError(f"{path}: split must be {', '.join(SIDES)} or {UNUSED}; cut them again")
    try:
        whole = {
            name: np.array([int(row[name]) for row in rows], np.int64)
            for name in ("patch", "row", "column", "size_px", "block")
        }
        real = {
            name: np.array([float(row[name]) for row in rows])
            for name in ("x", "y", "background_share")
        }
        shares = np.array([[float(row[SHARE + name]) for name in names] for row in rows])
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: a cell holds no number ({error}); cut them again") from error
    sizes = np.unique(whole["size_px"])
    if len(sizes) > 1 or sizes[0] < 1 or (whole["patch"] != np.arange(len(rows))).any():
        raise InputError(f"{path}: patches out of order or of several sizes; cut them again")
    return PatchTable(
        size_px=int(sizes[0]),
        classes=classes,
        share_names=names,
        rows=whole["row"],
        columns=whole["column"],
        x=real["x"],
        y=real["y"],
        labels=np.array([classes.index(label) for label in labels], np.int64),
        shares=shares,
        background=real["background_share"],
        blocks=whole["block"],
        sides=sides,
        synthetic=rows[0]["synthetic"] == "yes",
    )
