"""The drawing kit of all figures: rasters read small, maps, ramps, scores with intervals, style.

Figures are matplotlib Figures made in the house style by functions that carry `styled`;
`save_figure` writes them without timestamps, so the same data give the same bytes.
"""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import MaxNLocator
from mpl_toolkits.axes_grid1.anchored_artists import AnchoredSizeBar
from rasterio.enums import Resampling

from gossan.errors import InputError
from gossan.files import staged
from gossan.legend import NODATA_COLOUR, UNCLASSIFIED_COLOUR, MapClass
from gossan.levels import read_reduced, shape_within
from gossan.outlines import reproject
from gossan.raster import BandTable, Grid, read_info
from gossan.transforms.composites import COMPOSITES as EVERY_COMPOSITE
from gossan.transforms.composites import TRUE_COLOUR, closest_bands, nearest_bands
from gossan.vector_files import read_vector

WIDTH_IN = 10.0
DPI = 144
LONGEST_SIDE_PX = 1100

INK = "#22303a"
GRID_COLOUR = "#e3e6e8"
EDGE = "#5d6a73"
SYNTHETIC_COLOUR = "#9a3412"
SYNTHETIC_TEXT = "SYNTHETIC: simulated ground, not an observed place"

# Okabe and Ito (2008): told apart with any colour vision.
BLUE, ORANGE, GREEN, SKY, AMBER, PURPLE = (
    *("#0072B2", "#D55E00", "#009E73"),
    *("#56B4E9", "#E69F00", "#CC79A7"),
)
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, AMBER, SKY, INK, "#8A949B")

MOST_DOTS = 40
"""A line through more points than this is drawn without dots."""
MOST_PANELS = 12
"""A figure with a panel or a row for each band shows at most so many, chosen evenly."""

TRUE_COLOUR_UM = TRUE_COLOUR.centres_um
COMPOSITES = tuple((one.title, one.centres_um) for one in EVERY_COMPOSITE)
"""Titles, and the wavelengths shown as red, green and blue, in order of preference."""

STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.edgecolor": "#8a949b",
    "axes.labelcolor": INK,
    "axes.linewidth": 0.7,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "svg.hashsalt": "gossan",
    # Figures name their layout; a user's settings would give those one that have none.
    "figure.autolayout": False,
    "figure.constrained_layout.use": False,
}


def styled(draw: Callable[..., Figure]) -> Callable[..., Figure]:
    """Draw in the house style without touching matplotlib's settings elsewhere."""

    @functools.wraps(draw)
    def drawn(*arguments, **keywords) -> Figure:
        with matplotlib.rc_context(STYLE):
            return draw(*arguments, **keywords)

    return drawn


@dataclass(frozen=True)
class Raster:
    """A raster read small enough to draw: `values` (bands, rows, columns), NaN for nodata."""

    values: np.ndarray
    grid: Grid
    bands: BandTable


def read_small(
    path: str | Path, *, classes: bool = False, bands: Sequence[int] | None = None
) -> Raster:
    """Read a raster decimated to at most LONGEST_SIDE_PX pixels a side, from its overviews.

    Returns physical values as float32, NaN for nodata. `classes` picks the nearest pixel
    instead of the average; `bands` are the places of those to read (default: all).
    """
    info = read_info(path)
    shape = shape_within(info.grid.shape, LONGEST_SIDE_PX)
    places = list(range(len(info.bands.names)) if bands is None else bands)
    resampling = Resampling.nearest if classes else Resampling.average
    values = read_reduced(path, places, shape, resampling)
    return Raster(values, info.grid, info.bands.take(places))


def read_composite(path: str | Path) -> Raster:
    """Read small those bands of a cube that COMPOSITES show, its first three where none is near.

    The hundreds of a spectrometer's other bands need no memory.
    """
    bands = read_info(path).bands
    near = {place for _, centres in COMPOSITES for place in closest_bands(bands, centres)}
    return read_small(path, bands=sorted(near) or range(min(3, len(bands.names))))


def read_chosen(path: str | Path, *, classes: bool = False) -> Raster:
    """Read small at most MOST_PANELS bands of a raster, chosen evenly."""
    places = range(len(read_info(path).bands.names))
    return read_small(path, classes=classes, bands=choose_evenly(places))


def choose_evenly(items: Sequence, most: int = MOST_PANELS) -> list:
    """At most `most` of the items, from the first to the last, evenly spaced."""
    if len(items) <= most:
        return list(items)
    return [items[round(place)] for place in np.linspace(0, len(items) - 1, most)]


def note_choice(figure: Figure, shown: int, number: int) -> None:
    """Say at the foot of a figure, above its legend, that only some of the bands are drawn."""
    if shown >= number:
        return
    note = f"{shown} of {number} bands, chosen evenly"
    if figure.legends:
        figure.legends[0].set_title(note)
    else:
        figure.supxlabel(note, fontsize=9)


def save_figure(figure: Figure, path: str | Path) -> None:
    """Write a PNG without software version or date, so equal figures are equal bytes."""
    with matplotlib.rc_context(STYLE):
        # Told to find the edge itself, matplotlib would go through all once more to find it.
        figure.set_dpi(DPI)
        # Without a canvas of its own, a figure is measured as for the user's format of files.
        renderer = FigureCanvasAgg(figure).get_renderer()
        if (layout := figure.get_layout_engine()) is not None:
            layout.execute(figure)
            figure.set_layout_engine(None)
        edge = figure.get_tightbbox(renderer).padded(0.08)
        figure.savefig(path, format="png", dpi=DPI, metadata={"Software": None}, bbox_inches=edge)


def save_figures(draw: Mapping[str, Callable[[], Figure]], folder: Path) -> None:
    """Make each figure and write it to the folder under its name, whole or not at all."""
    for name, make in draw.items():
        with staged(folder / f"{name}.png") as temporary:
            save_figure(make(), temporary)


@dataclass(frozen=True)
class Shapes:
    """Features on a map, in the map's units: rings, each (points, 2), and points (n, 2)."""

    rings: list[np.ndarray]
    points: np.ndarray


NO_SHAPES = Shapes([], np.zeros((0, 2)))


def read_shapes(
    path: str | Path,
    grid: Grid,
    attribute: str | None = None,
    values: Sequence[str] = (),
) -> Shapes:
    """The outlines and points of a vector file for a map of `grid`.

    With an `attribute`, only of features whose attribute is one of `values`, in whatever case.
    """
    import shapely

    features, _ = read_vector(path, "features")
    if attribute is not None:
        if attribute not in features.columns:
            known = ", ".join(features.columns.drop("geometry")) or "none"
            raise InputError(f"{path}: lacks the attribute '{attribute}' (there are: {known})")
        wanted = {value.strip().casefold() for value in values}
        features = features[features[attribute].astype(str).str.strip().str.casefold().isin(wanted)]
    parts = shapely.get_parts(reproject(features, grid.crs, path).geometry.dropna().to_numpy())
    polygons = [part for part in parts if part.geom_type == "Polygon"]
    points = [part for part in parts if part.geom_type == "Point"]
    return Shapes(
        [
            on_axes(grid, np.asarray(ring.coords)[:, :2])
            for shape in polygons
            for ring in (shape.exterior, *shape.interiors)
        ],
        on_axes(grid, shapely.get_coordinates(points).reshape(-1, 2)),
    )


def read_classed_points(path: str | Path, grid: Grid, attribute: str) -> dict[str, np.ndarray]:
    """Points of a vector file by the value of an attribute, each (n, 2) in units of the map."""
    import shapely

    features = reproject(read_vector(path, "points")[0], grid.crs, path)
    xy = on_axes(grid, shapely.get_coordinates(features.geometry.to_numpy()))
    names = features[attribute].astype(str).to_numpy()
    return {name: xy[names == name] for name in sorted(set(names))}


@styled
def draw_message(text: str, synthetic: bool) -> Figure:
    """A picture that says why there is nothing to draw."""
    figure = Figure(figsize=(WIDTH_IN, 2.2), layout="constrained")
    axis = figure.add_subplot()
    axis.set_axis_off()
    axis.text(0.5, 0.5, text, ha="center", va="center", fontsize=12, wrap=True)
    mark_synthetic(figure, synthetic)
    return figure


def mark_synthetic(figure: Figure, synthetic: bool) -> None:
    """Say above a figure of simulated ground what it is."""
    if synthetic:
        figure.suptitle(SYNTHETIC_TEXT, color=SYNTHETIC_COLOUR, fontsize=10, fontweight="bold")


def swatch(colour: str, label: str) -> Patch:
    """A legend's entry of a colour."""
    return Patch(facecolor=colour, edgecolor=EDGE, linewidth=0.5, label=label)


def draw_interval(axis: Axes, place: float, value: Mapping, colour: str, marker: str) -> None:
    """A score at a height `place` with its interval as a bar; × where it is undefined."""
    if value["value"] is None:
        axis.plot(0, place, "x", color=colour, ms=4.5, mew=1.1, clip_on=False)
        return
    if value["low"] is not None:
        axis.plot([value["low"], value["high"]], [place, place], color=colour, lw=2, alpha=0.55)
    axis.plot(value["value"], place, marker, color=colour, ms=5, clip_on=False)


def stretch(band: np.ndarray) -> np.ndarray:
    """A band stretched from its 2nd to its 98th percentile to 0–1; NaN stays."""
    finite = band[np.isfinite(band)]
    if not finite.size:
        return np.full(band.shape, np.nan)
    low, high = np.percentile(finite, [2, 98])
    return np.clip((band - low) / max(high - low, 1e-6), 0, 1)


def draw_picture(cube: Raster, bands: Sequence[int], pale: float = 0.0) -> np.ndarray:
    """Three bands as red, green and blue (rows, columns, 3), stretched; grey without data.

    `pale` is how much of the way to white the picture is taken, so that marks stand out.
    """
    picture = np.stack([stretch(cube.values[band]) for band in bands], axis=-1)
    if pale:
        picture = pale + (1 - pale) * picture
    picture[np.isnan(picture).any(axis=-1)] = to_rgb(NODATA_COLOUR)
    return picture


def band_label(bands: BandTable, band: int) -> str:
    """A band by its wavelength, else by its name."""
    if not bands.centre_um:
        return bands.names[band]
    return f"{bands.centre_um[band]:.2f} µm"


def paint(codes: np.ndarray, classes: Sequence[MapClass], background: str) -> np.ndarray:
    """Class codes (rows, columns) in the colours of the classes, as (rows, columns, 3)."""
    picture = np.empty((*codes.shape, 3))
    picture[:] = to_rgb(background)
    for item in classes:
        picture[codes == item.code] = to_rgb(item.colour)
    picture[np.isnan(codes)] = to_rgb(NODATA_COLOUR)
    return picture


def present_swatches(
    classes: Sequence[MapClass], codes: np.ndarray, background: tuple[str, str] | None = None
) -> list[Patch]:
    """Swatches of the classes that occur, of `background` (colour, label) if 0 does, of no data."""
    handles = [swatch(item.colour, item.label) for item in classes if (codes == item.code).any()]
    if background is not None and (codes == 0).any():
        handles.append(swatch(*background))
    return [*handles, *nodata_swatch(codes)]


def nodata_swatch(values: np.ndarray) -> list[Patch]:
    """The swatch of masked pixels, if there are any."""
    return [swatch(NODATA_COLOUR, "No data (masked)")] if np.isnan(values).any() else []


def show_ramp(
    axis: Axes, values: np.ndarray, grid: Grid, ramp: str, low: float, high: float
) -> ScalarMappable:
    """Show numbers (rows, columns) in a colour ramp from `low` to `high`; NaN is grey."""
    return axis.imshow(
        np.ma.masked_invalid(values),
        cmap=matplotlib.colormaps[ramp].with_extremes(bad=NODATA_COLOUR),
        vmin=low,
        vmax=max(high, low + 1e-6),
        extent=extent(grid),
        interpolation="nearest",
    )


def percentiles(values: np.ndarray, *ranks: float) -> list[float]:
    """Percentiles of the finite values; without any, 0 and then 1 throughout."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return [0.0, *[1.0] * (len(ranks) - 1)]
    return [float(value) for value in np.percentile(finite, ranks)]


def colour_bar(axis: Axes, image: ScalarMappable, label: str, ticks: int = 5, **more) -> Axes:
    """A horizontal colour bar below a map; returns its axes."""
    integer = more.pop("integer", False)
    bar = axis.figure.colorbar(image, ax=axis, orientation="horizontal", shrink=0.85, **more)
    bar.set_label(label)
    bar.outline.set_visible(False)
    bar.ax.xaxis.set_major_locator(MaxNLocator(ticks, integer=integer))
    return bar.ax


def plain_axes(axis: Axes, grid: str) -> None:
    """Axes with a pale grid along `grid` ("x", "y" or "both"), open at the top and the right."""
    axis.grid(axis=grid, color=GRID_COLOUR, lw=0.6)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)


def list_axes(axis: Axes, rows: int) -> None:
    """Axes of `rows` named rows from the top, without a frame at the sides."""
    plain_axes(axis, "x")
    axis.spines["left"].set_visible(False)
    axis.tick_params(axis="y", length=0)
    axis.set_ylim(rows - 0.5, -0.5)


def annotate(axis: Axes, text: str, xy: tuple[float, float], right_px: float = 5, **more) -> None:
    """Write beside a point, `right_px` points to its right."""
    options = {"va": "center", "fontsize": 8, **more}
    axis.annotate(text, xy, xytext=(right_px, 0), textcoords="offset points", **options)


def hide(axes: Sequence[Axes]) -> None:
    """Take away axes that nothing is drawn in."""
    for axis in axes:
        axis.set_visible(False)


def draw_matrix(
    axis: Axes, record: Mapping, rows: np.ndarray, columns: np.ndarray, **text
) -> ScalarMappable:
    """Draw some rows and columns of a record's confusion matrix.

    Colours are shares of the row, numbers are counts (with the share below, where `share` is
    true); agreement is framed. `text` are options of the numbers.
    """
    counts = np.array(record["confusion_matrix"]["counts"])[np.ix_(rows, columns)]
    with_share = text.pop("share", False)
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    image = axis.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), count in np.ndenumerate(counts):
        below = f"\n{share[row, column]:.0%}" if with_share and count else ""
        if count or with_share:
            axis.text(
                column,
                row,
                f"{count:,}{below}",
                ha="center",
                va="center",
                color="white" if share[row, column] > 0.55 else INK,
                **text,
            )
        if rows[row] == columns[column]:
            axis.add_patch(
                Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, ec=ORANGE, lw=1.1)
            )
    axis.set_xlabel("Map class")
    axis.tick_params(length=0)
    return image


def map_height(grid: Grid, width_in: float) -> float:
    """The height (in) that a map of this width takes, with its labels."""
    west, south, east, north = grid.bounds
    return float(np.clip(width_in * (north - south) / (east - west), 2.0, 12.0)) + 0.9


def map_panels(
    grid: Grid, number: int, synthetic: bool, legend_rows: int = 0
) -> tuple[Figure, list[Axes]]:
    """A figure with `number` map panels side by side, two per row."""
    columns = min(2, number)
    rows = math.ceil(number / columns)
    height = rows * map_height(grid, 8.4 / columns) + 0.3 * legend_rows + 0.4
    # "compressed" closes the gaps that maps of a fixed shape would leave between them.
    figure = Figure(figsize=(WIDTH_IN, height), layout="compressed")
    figure.get_layout_engine().set(h_pad=0.08)
    axes = list(figure.subplots(rows, columns, squeeze=False).ravel())
    mark_synthetic(figure, synthetic)
    hide(axes[number:])
    for place, axis in enumerate(axes[:number]):
        frame_map(axis, grid)
        if place % columns:
            axis.set_ylabel("")
            axis.tick_params(labelleft=False)
        if place + columns < number:
            axis.set_xlabel("")
            axis.tick_params(labelbottom=False)
    return figure, axes[:number]


def show_map(axis: Axes, picture: np.ndarray, grid: Grid) -> None:
    """Show a picture (rows, columns, 3) in the map's coordinates."""
    axis.imshow(picture, extent=extent(grid), interpolation="nearest")


def _is_upright(grid: Grid) -> bool:
    """Whether rows run from north to south and columns from west to east."""
    return grid.transform.b == 0 and grid.transform.d == 0 and grid.transform.e < 0


def kilometres(grid: Grid) -> float | None:
    """Kilometres per unit of the grid; None where its axes are no lengths or it is rotated."""
    if grid.crs is None or not grid.crs.is_projected or not _is_upright(grid):
        return None
    return grid.crs.linear_units_factor[1] / 1000


def extent(grid: Grid) -> tuple[float, float, float, float]:
    """West, east, south and north: kilometres where the grid has lengths, else its units."""
    if not _is_upright(grid):
        return 0, grid.width, grid.height, 0
    west, south, east, north = grid.bounds
    scale = kilometres(grid) or 1.0
    return west * scale, east * scale, south * scale, north * scale


def on_axes(grid: Grid, places: np.ndarray) -> np.ndarray:
    """Places (n, 2) of the grid's reference system as a map shows them: pixels if it is turned."""
    if not _is_upright(grid):
        return np.transpose(~grid.transform @ (places[:, 0], places[:, 1]))
    return places * (kilometres(grid) or 1.0)


def frame_map(axis: Axes, grid: Grid) -> None:
    """Coordinates, a scale bar and a north arrow; north is up."""
    west, east, south, north = extent(grid)
    axis.set_xlim(west, east)
    axis.set_ylim(south, north)
    axis.set_aspect("equal")
    axis.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10]))
    axis.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axis.ticklabel_format(useOffset=False, style="plain")
    if not _is_upright(grid):
        axis.set_xlabel("Column (pixels)")
        axis.set_ylabel("Row (pixels)")
        return
    if kilometres(grid) is None:
        degrees = grid.crs is not None and grid.crs.is_geographic
        axis.set_xlabel("Longitude (°)" if degrees else "x")
        axis.set_ylabel("Latitude (°)" if degrees else "y")
    else:
        code = grid.crs.to_epsg()
        axis.set_xlabel(f"Easting (km{f', EPSG:{code}' if code else ''})")
        axis.set_ylabel("Northing (km)")
        _scale_bar(axis, east - west, north - south)
    axis.text(
        0.975,
        0.975,
        "▲\nN",
        transform=axis.transAxes,
        ha="right",
        va="top",
        linespacing=0.95,
        fontweight="bold",
        bbox={"boxstyle": "round,pad=0.25", "fc": "white", "ec": "none", "alpha": 0.8},
        zorder=5,
    )


def _scale_bar(axis: Axes, width_km: float, height_km: float) -> None:
    wanted = width_km / 5
    power = 10.0 ** math.floor(math.log10(wanted))
    length = max(step * power for step in (1, 2, 5) if step * power <= wanted)
    bar = AnchoredSizeBar(
        axis.transData,
        length,
        f"{length:g} km" if length >= 1 else f"{length * 1000:g} m",
        loc="lower left",
        size_vertical=0.007 * height_km,
        label_top=True,
        pad=0.35,
        borderpad=0.6,
        sep=3,
        color=INK,
        fontproperties={"size": 8},
        zorder=5,
    )
    bar.patch.set(facecolor="white", edgecolor="none", alpha=0.8)
    axis.add_artist(bar)


@styled
def draw_composite(cube: Raster, synthetic: bool) -> Figure:
    """The scene in two of COMPOSITES, stretched from 2 % to 98 % per band."""
    found = [(title, nearest_bands(cube.bands, centres)) for title, centres in COMPOSITES]
    panels = [(title, bands) for title, bands in found if bands][:2]
    if not panels:
        some = list(range(min(3, len(cube.bands.names))))
        panels = [("Bands", some + [some[-1]] * (3 - len(some)))]
    figure, axes = map_panels(cube.grid, len(panels), synthetic)
    for axis, (title, bands) in zip(axes, panels, strict=True):
        show_map(axis, draw_picture(cube, bands), cube.grid)
        names = ", ".join(band_label(cube.bands, band) for band in bands)
        axis.set_title(f"{title}\n{names} as red, green, blue")
    return figure


@styled
def draw_classes(classes_map: Raster, classes: Sequence[MapClass], synthetic: bool) -> Figure:
    """The class map with a legend of the classes that occur in it."""
    codes = classes_map.values[0]
    height = map_height(classes_map.grid, 7.0)
    figure = Figure(figsize=(WIDTH_IN, height), layout="constrained")
    axis = figure.add_subplot()
    mark_synthetic(figure, synthetic)
    show_map(axis, paint(codes, classes, UNCLASSIFIED_COLOUR), classes_map.grid)
    frame_map(axis, classes_map.grid)
    handles = present_swatches(classes, codes, (UNCLASSIFIED_COLOUR, "Unclassified"))
    figure.legend(handles=handles, loc="outside right upper", title="Class", alignment="left")
    return figure
