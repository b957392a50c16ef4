"""What a map is tested against: a class raster or a vector file, read window by window."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.features import rasterize
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window
from rasterio.windows import transform as window_transform

from gossan.checksums import read_verified
from gossan.errors import InputError
from gossan.legend import CLASS_ATTRIBUTE, NODATA, TRUTH_TAG, MapClass
from gossan.outlines import outline, outline_on, reproject, why_apart
from gossan.raster import RASTER_DRIVERS, Grid, is_synthetic, open_raster, verify_raster
from gossan.vector_files import is_vector, read_vector

NO_TRUTH = -1
"""Value of a pixel that nothing is known of."""

CONFLICT = -2
"""Value of a pixel where features of different classes overlap."""

OTHER_NAMES = ("other", "unclassified")
"""Class names of a vector file that mean "none of the study's classes"."""

OTHER, UNTESTED = "other", "untested"
"""What ground outside all polygons is: none of the classes, or unknown."""
LEFT_OUT, REFUSED, KEPT = "left out", "refused", "kept"
"""What is done where two classes claim a pixel: CONFLICT; a fault; or both are told."""


@dataclass(frozen=True)
class Truth:
    """Ground truth on the grid of a map.

    `kind` is "raster", "points" or "polygons", `note` says how it came onto the grid,
    `synthetic` whether its file says that it was simulated (None: it says nothing), `read`
    returns the (1, rows, columns) int32 codes of a window with NO_TRUTH and CONFLICT; with KEPT
    overlaps there are as many layers of codes as a pixel may have classes. `named` are the codes
    of a vector file's features, wherever they lie.
    """

    kind: str
    note: str
    synthetic: bool | None
    read: Callable[[Window], np.ndarray]
    named: tuple[int, ...] = ()


def open_truth(
    path: str | Path,
    grid: Grid,
    classes: Sequence[MapClass],
    others: Sequence[MapClass] = (),
    *,
    overlaps: str = LEFT_OUT,
    outside: str = UNTESTED,
) -> Truth:
    """Open a class raster in global codes, or a vector file with class names.

    The vector file (as `read_vector` reads it) holds points or polygons with the attribute
    `class`: names or labels of `classes`, or what counts as other ground: "other" and the names
    and labels of `others`. Features without a class are left out. `overlaps` says what is done
    where features of two classes lie over each other; with KEPT a raster may have several bands,
    each a map of its own. `outside` says what ground outside all polygons is.

    Raises InputError naming the file when it is missing, unreadable, has no coordinate system,
    does not overlap the grid, or names classes that are neither; and, from `read`, where two of
    the `classes` lie over each other that are REFUSED to.
    """
    path = Path(path)
    if is_vector(path):
        return _open_vector(path, grid, classes, others, overlaps, outside)
    if not path.exists():
        raise InputError(f"{path}: no such ground truth; correct the path or leave it out")
    return _open_raster(path, grid, several=overlaps == KEPT)


def _open_raster(path: Path, grid: Grid, several: bool) -> Truth:
    try:
        opened = open_raster(path)
    except RasterioError as error:
        raise InputError(
            f"{path}: neither a raster ({', '.join(RASTER_DRIVERS)}) nor, by its ending, a vector "
            f"file that can be read ({error})"
        ) from error
    with opened as source:
        whole = all(np.issubdtype(np.dtype(kind), np.integer) for kind in source.dtypes)
        if not whole or (source.count != 1 and not several):
            wanted = "bands" if several else "one band"
            raise InputError(
                f"{path}: a raster of ground truth has {wanted} of whole-number class codes, this "
                f"one has {source.count} of {source.dtypes[0]}"
            )
        if source.crs is None:
            raise InputError(f"{path}: the ground truth has no coordinate system; assign one")
        if not outline_on(Grid.of(source), grid, path).intersects(outline(grid)):
            raise InputError(
                f"{path}: the truth does not overlap the map; check place and CRS of both"
            )
        tags = source.tags()
        same = Grid.of(source) == grid
        nodata = _nodata_of(source)
    if not same:
        verify_raster(path)

    def read_same(window: Window) -> np.ndarray:
        with open_raster(path) as source:
            return _mark_nodata(read_verified(source, window=window), nodata)

    def read_warped(window: Window) -> np.ndarray:
        with (
            open_raster(path) as source,
            WarpedVRT(
                source,
                crs=grid.crs,
                transform=grid.transform,
                width=grid.width,
                height=grid.height,
                resampling=Resampling.nearest,
                src_nodata=nodata,
                add_alpha=True,
            ) as warped,
        ):
            *codes, known = warped.read(window=window)
            # Beside the raster no number tells that nothing is known.
            return np.where(known == 0, NO_TRUTH, _mark_nodata(np.stack(codes), nodata))

    def guarded(window: Window) -> np.ndarray:
        try:
            return read_same(window) if same else read_warped(window)
        except RasterioError as error:
            raise InputError(f"{path}: the truth cannot be read ({error}); is it whole?") from error

    source_note = f"{tags[TRUTH_TAG]}; " if TRUTH_TAG in tags else ""
    return Truth(
        kind="raster",
        note=source_note
        + (
            "on the map's grid"
            if same
            else "on another grid; reprojected to the map's grid by nearest neighbour"
        ),
        synthetic=is_synthetic(tags) if "SYNTHETIC" in tags else None,
        read=guarded,
    )


def _nodata_of(source: rasterio.DatasetReader) -> int | None:
    """The code of unknown ground: the one that is told, else 255, which is no class's.

    None where pixels cannot hold it, such as -9999 told of bytes: then all ground is known.
    """
    limits = np.iinfo(source.dtypes[0])
    code = NODATA if source.nodata is None else source.nodata
    return int(code) if limits.min <= code <= limits.max and code == np.floor(code) else None


def _mark_nodata(codes: np.ndarray, nodata: int | None) -> np.ndarray:
    marked = codes.astype(np.int32)
    if nodata is not None:
        marked[codes == nodata] = NO_TRUTH
    return marked


def _open_vector(
    path: Path,
    grid: Grid,
    classes: Sequence[MapClass],
    others: Sequence[MapClass],
    overlaps: str,
    outside: str,
) -> Truth:
    import shapely

    features, layer = read_vector(path, "ground truth")
    if CLASS_ATTRIBUTE not in features.columns:
        raise InputError(
            f"{path}: the truth lacks the attribute '{CLASS_ATTRIBUTE}' "
            f"(it has: {', '.join(features.columns.drop('geometry', errors='ignore')) or 'none'})"
        )
    if getattr(features, "crs", None) is None:
        raise InputError(f"{path}: the ground truth has no coordinate system; assign one")
    features = features[features.geometry.notna() & ~features.geometry.is_empty]
    unnamed = features[CLASS_ATTRIBUTE].isna()
    features = features[~unnamed]
    if features.empty:
        raise InputError(f"{path}: the truth holds no feature with a class")
    kind = _geometry_kind(path, set(features.geometry.geom_type))
    codes = _codes_of(path, features[CLASS_ATTRIBUTE], classes, others)
    note = f"layer {layer}; " if layer else ""
    note += "reprojected to the map's coordinate system; " if features.crs != grid.crs else ""
    if unnamed.any():
        note += f"{unnamed.sum()} features without a class are left out; "
    told, features = features, reproject(features, grid.crs, path)
    geometries = features.geometry.to_numpy()
    over = shapely.intersects(geometries, outline(grid))
    if not over.any():
        raise InputError(f"{path}: the truth does not overlap the map; {why_apart(told, grid)}")
    if not over.all():
        note += f"{(~over).sum()} of {len(over)} features lie beyond the map; "
    index = features.sindex

    every = np.unique(codes).tolist()
    names = {item.code: item.name for item in classes}
    complete = kind == "polygons" and outside == OTHER

    def read(window: Window) -> np.ndarray:
        shape = (int(window.height), int(window.width))
        transform = window_transform(window, grid.transform)
        near = np.sort(index.query(outline(grid, window)))
        burnt = np.full((len(every) if overlaps == KEPT else 1, *shape), NO_TRUTH, dtype=np.int32)
        for place, code in enumerate(every):
            features = near[codes[near] == code]
            if not features.size:
                continue
            inside = rasterize(
                list(geometries[features]), out_shape=shape, transform=transform, dtype="uint8"
            ).astype(bool)
            layer = burnt[place % len(burnt)]
            if overlaps == REFUSED and code and (layer[inside] > 0).any():
                first = names[layer[inside & (layer > 0)][0]]
                raise InputError(
                    f"{path}: {kind} of {first} and {names[code]} lie over each other, where a "
                    "pixel has one class; cut them apart, or let pixels hold several minerals"
                )
            layer[inside] = np.where(layer[inside] == NO_TRUTH, code, CONFLICT)
        if complete:
            burnt[:, (burnt == NO_TRUTH).all(axis=0)] = 0
        return burnt

    how = (
        "the pixel that holds each point is tested"
        if kind == "points"
        else "pixels whose centre lies in a polygon are tested"
    )
    if complete:
        how += ", and ground outside all polygons counts as none of the classes"
    claimed = "count for each of the study's" if overlaps == KEPT else "are left out"
    return Truth(
        kind=kind,
        note=f"{note}{how}; pixels claimed by two classes {claimed}",
        synthetic=None,
        read=read,
        named=tuple(every),
    )


def _geometry_kind(path: Path, types: set[str]) -> str:
    for kind, allowed in (
        ("points", {"Point", "MultiPoint"}),
        ("polygons", {"Polygon", "MultiPolygon"}),
    ):
        if types <= allowed:
            return kind
    raise InputError(
        f"{path}: ground truth is points or polygons, this one {', '.join(sorted(types))}"
    )


def _codes_of(
    path: Path, names: Sequence, classes: Sequence[MapClass], others: Sequence[MapClass]
) -> np.ndarray:
    known = {text.casefold(): 0 for item in others for text in (item.name, item.label)}
    known |= {item.label.casefold(): item.code for item in classes}
    known |= {item.name.casefold(): item.code for item in classes}
    known |= dict.fromkeys(OTHER_NAMES, 0)
    asked = [str(name) for name in names]
    unknown = sorted({name for name in asked if name.casefold() not in known})
    if unknown:
        raise InputError(
            f"{path}: unknown classes in the attribute '{CLASS_ATTRIBUTE}': {', '.join(unknown)}; "
            f"the study has {', '.join(item.name for item in classes)}; call any other ground "
            "'other'"
        )
    return np.array([known[name.casefold()] for name in asked], dtype=np.int32)
