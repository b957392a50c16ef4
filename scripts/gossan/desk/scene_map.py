"""Still pictures of a scene: its main map with the targets over it, and small ones of all maps."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib
import numpy as np
import shapely
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from rasterio.enums import Resampling
from rasterio.warp import reproject

from gossan.desk.layers import SceneLayer, SceneLayers
from gossan.legend import NODATA_COLOUR, UNCLASSIFIED_COLOUR, read_class_style
from gossan.outlines import reproject as bring_to
from gossan.raster import Grid
from gossan.report.drawing import (
    COMPOSITES,
    INK,
    SYNTHETIC_COLOUR,
    SYNTHETIC_TEXT,
    draw_picture,
    extent,
    frame_map,
    map_height,
    nearest_bands,
    on_axes,
    percentiles,
    read_composite,
    read_small,
    styled,
)
from gossan.vector_files import read_vector

if TYPE_CHECKING:
    import geopandas

PALE = 0.7
"""How far towards white the ground is taken under a map of classes."""
STRIPES = 150
"""Stripes of masked ground along the longer side of a picture."""
LEAST_PX = 4 * STRIPES
"""Pixels that a picture with stripes has along its longer side, so that they show as such."""
MAP_IN = 7.6
SMALL_IN = 3.2
SMALL_DPI = 100
MOST_NUMBERED = 15
"""So many targets have their name written beside them."""
MOST_SMALL = 12
"""So many other maps are shown small."""
RAMP = "viridis"


@dataclass(frozen=True)
class Outlines:
    """Targets on a map: rings, each (points, 2), and (name, x, y) of each, in its own units."""

    rings: Sequence[np.ndarray]
    names: Sequence[tuple[str, float, float]]


NO_OUTLINES = Outlines((), ())


def paint_layer(layer: SceneLayer, ground: SceneLayer | None = None) -> tuple[np.ndarray, Grid]:
    """A raster layer as a picture (rows, columns, 3), and its grid; striped where it is masked.

    Classes lie on the pale picture of the `ground`, a cube, without it on UNCLASSIFIED_COLOUR; a
    cube is shown in true colour as far as its bands go, else in another composite or its first
    three bands; of another raster of several bands the first is shown, from dark at its 2nd
    percentile to light at its 98th.
    """
    if layer.kind in ("cube", "image"):
        return _paint_cube(layer.path, least=LEAST_PX)
    if layer.kind == "ramp":
        raster = read_small(layer.path, bands=[0])
        values = raster.values[0]
        low, high = percentiles(values, 2, 98)
        share = np.clip((values - low) / max(high - low, 1e-9), 0, 1)
        picture = matplotlib.colormaps[RAMP](share)[..., :3]
        return _stripe(picture, np.isnan(values), LEAST_PX), raster.grid
    raster = read_small(layer.path, classes=True, bands=[0])
    codes = raster.values[0]
    picture = np.full((*codes.shape, 3), to_rgb(UNCLASSIFIED_COLOUR))
    if ground is not None:
        picture = _bring(*_paint_cube(ground.path, PALE), raster.grid, codes.shape)
    for item in read_class_style(layer.path):
        picture[codes == item.code] = to_rgb(item.colour)
    return _stripe(picture, np.isnan(codes), LEAST_PX), raster.grid


def _stripe(picture: np.ndarray, masked: np.ndarray, least: int = 0) -> np.ndarray:
    """The picture with stripes where it is masked, which no ground and no class looks like.

    Of a small picture pixels are split until its longer side has `least`, so that stripes are fine.
    """
    if masked.any():
        times = max(1, -(-least // max(masked.shape)))
        picture, masked = (
            np.repeat(np.repeat(item, times, axis=0), times, axis=1) for item in (picture, masked)
        )
    rows, columns = np.indices(masked.shape)
    dark = (rows + columns) // max(1, round(max(masked.shape) / STRIPES)) % 2 == 0
    picture[masked] = to_rgb("white")
    picture[masked & dark] = to_rgb(NODATA_COLOUR)
    return picture


def _paint_cube(path: Path, pale: float = 0.0, least: int = 0) -> tuple[np.ndarray, Grid]:
    cube = read_composite(path)
    found = (nearest_bands(cube.bands, centres) for _, centres in COMPOSITES)
    some = [0, 1, 2][: len(cube.bands.names)]
    bands = next(filter(None, found), some + [some[-1]] * (3 - len(some)))
    masked = np.isnan(cube.values[bands]).any(axis=0)
    return _stripe(draw_picture(cube, bands, pale), masked, least), cube.grid


def _bring(picture: np.ndarray, grid: Grid, other: Grid, shape: tuple[int, int]) -> np.ndarray:
    """A picture of one grid on the pixels of another; white where it does not reach."""
    if grid == other and picture.shape[:2] == shape:
        return picture
    if grid.crs is None or other.crs is None:
        return np.ones((*shape, 3))
    brought = np.ones((3, *shape))
    reproject(
        np.ascontiguousarray(np.moveaxis(picture, -1, 0)),
        brought,
        src_transform=_scaled(grid, picture.shape),
        src_crs=grid.crs,
        dst_transform=_scaled(other, shape),
        dst_crs=other.crs,
        resampling=Resampling.nearest,
        init_dest_nodata=False,
    )
    return np.moveaxis(brought, 0, -1)


def _scaled(grid: Grid, shape: Sequence[int]):
    return grid.transform @ grid.transform.scale(grid.width / shape[1], grid.height / shape[0])


def read_targets(layers: SceneLayers, grid: Grid) -> Outlines:
    """The targets of a scene for a map of `grid`; none where there are none."""
    paths = [item.path for item in layers.of("targets") if item.path.suffix == ".gpkg"]
    if not paths or grid.crs is None:
        return NO_OUTLINES
    features, _ = read_vector(paths[0], "targets", layer="targets")
    features = bring_to(features, grid.crs, paths[0])
    rings, names = [], []
    for name, shape in name_targets(features):
        parts = getattr(shape, "geoms", [shape])
        for part in parts:
            for ring in (part.exterior, *part.interiors):
                rings.append(on_axes(grid, np.asarray(ring.coords)[:, :2]))
        inside = shape.representative_point()
        [(x, y)] = on_axes(grid, np.array([[inside.x, inside.y]]))
        names.append((name, float(x), float(y)))
    return Outlines(rings, names)


def name_targets(features: "geopandas.GeoDataFrame") -> list[tuple[str, shapely.Geometry]]:
    """What stands on a map beside each target of a list, with its shape, the best first.

    Its number (T01 is 1), and that of known ground, which has numbers of its own, after a K.
    """
    order = features.assign(later=features["id"].str.startswith("K")).sort_values(["later", "rank"])
    names = order["id"].str.replace(r"^(?:T|(K))0*", r"\1", regex=True)
    return list(zip(names, order.geometry, strict=True))


@styled
def draw_map(picture: np.ndarray, grid: Grid, targets: Outlines, synthetic: bool) -> Figure:
    """A map without margins: scale, north, targets with their names, and whether it is made up."""
    figure, axis = _bare_map(picture, grid, MAP_IN, 0.3 if synthetic else 0.0)
    _outline(axis, targets, 1.0)
    for name, x, y in targets.names[:MOST_NUMBERED]:
        axis.text(
            *(x, y, name),
            ha="center",
            va="center",
            fontsize=10,
            fontweight="bold",
            zorder=6,
            clip_on=True,
            bbox={"boxstyle": "circle,pad=0.2", "fc": "white", "ec": INK, "lw": 0.9, "alpha": 0.9},
        )
    frame_map(axis, grid)
    axis.set_axis_off()
    if synthetic:
        words = {"color": SYNTHETIC_COLOUR, "fontweight": "bold", "ha": "center", "va": "top"}
        figure.text(0.5, 0.99, SYNTHETIC_TEXT, fontsize=11, **words)
    return figure


@styled
def draw_small(
    picture: np.ndarray, grid: Grid, synthetic: bool, targets: Outlines = NO_OUTLINES
) -> Figure:
    """A picture of SMALL_IN × SMALL_DPI pixels across."""
    figure, axis = _bare_map(picture, grid, SMALL_IN, 0.2 if synthetic else 0.0)
    _outline(axis, targets, 0.7)
    axis.set_xlim(extent(grid)[:2])
    axis.set_ylim(extent(grid)[2:])
    axis.set_axis_off()
    if synthetic:
        words = {"color": SYNTHETIC_COLOUR, "fontweight": "bold", "ha": "center", "va": "top"}
        figure.text(0.5, 0.99, "SYNTHETIC", fontsize=8, **words)
    return figure


def _bare_map(picture: np.ndarray, grid: Grid, width_in: float, head_in: float):
    # What `map_height` adds is for the labels of axes, of which there are none.
    height = map_height(grid, width_in) - 0.9 + head_in
    figure = Figure(figsize=(width_in, height), facecolor="white")
    axis = figure.add_axes((0, 0, 1, 1 - head_in / height))
    axis.imshow(picture, extent=extent(grid), interpolation="nearest")
    axis.set_aspect("equal")
    return figure, axis


def _outline(axis, targets: Outlines, width: float) -> None:
    for ring in targets.rings:
        axis.plot(ring[:, 0], ring[:, 1], color="white", lw=2 * width, zorder=4)
        axis.plot(ring[:, 0], ring[:, 1], color=INK, lw=width, zorder=4.5)


def shown_maps(layers: SceneLayers) -> list[SceneLayer]:
    """The rasters that a scene's page shows small: its other maps, then the scene itself."""
    main = layers.main_map()
    maps = [item for item in layers.of("maps") if item.path.suffix == ".tif" and item != main]
    cubes = [item for item in layers.of("scene") if item.method == "cube" and item.kind == "cube"]
    return [*maps, *cubes][:MOST_SMALL]


def save_map(figure: Figure, path: str | Path, dpi: int) -> None:
    """Write a PNG of the figure's own size, the same bytes for the same figure."""
    figure.savefig(path, format="png", dpi=dpi, metadata={"Software": None})
