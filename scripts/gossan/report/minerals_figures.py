"""The report's figures: maps, spectra, areas and accuracy, drawn the same way every time.

Every function returns a matplotlib Figure; `save_figure` writes it without timestamps, so the
same data give the same bytes.
"""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import numpy as np
import rasterio
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import MaxNLocator
from mpl_toolkits.axes_grid1.anchored_artists import AnchoredSizeBar
from rasterio.enums import Resampling

from gossan.legend import MapClass
from gossan.minerals.class_tables import Signature
from gossan.raster import BandTable, Grid, read_info

WIDTH_IN = 10.0
DPI = 144
LONGEST_SIDE_PX = 1100

INK = "#22303a"
UNCLASSIFIED = "#f1f0ec"
NODATA = "#a9adb0"
NOT_IN_ZONE = "#e4e2dc"
SYNTHETIC_COLOUR = "#9a3412"
SYNTHETIC_TEXT = "SYNTHETIC: simulated ground, not an observed place"

# Okabe and Ito (2008): told apart with any colour vision.
BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"

# Wavelengths (µm) shown as red, green and blue, in order of preference. The last two are for
# sensors without blue: bands 4, 6, 8 and 3N, 2, 4 of ASTER.
COMPOSITES = (
    ("True colour", (0.655, 0.561, 0.482)),
    ("False colour", (2.2, 0.865, 0.561)),
    ("Short-wave infrared", (1.656, 2.209, 2.336)),
    ("Near infrared (plants are red)", (0.807, 0.661, 1.656)),
)

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
}


def _styled(draw: Callable[..., Figure]) -> Callable[..., Figure]:
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


def read_small(path: str | Path, *, classes: bool = False) -> Raster:
    """Read a raster decimated to at most LONGEST_SIDE_PX pixels a side, from its overviews.

    Returns physical values as float32, NaN for nodata. `classes` picks the nearest pixel
    instead of the average.
    """
    info = read_info(path)
    step = max(1.0, max(info.grid.shape) / LONGEST_SIDE_PX)
    rows, columns = (max(1, round(side / step)) for side in info.grid.shape)
    with rasterio.open(path) as dataset:
        stored = dataset.read(
            out_shape=(dataset.count, rows, columns),
            masked=True,
            resampling=Resampling.nearest if classes else Resampling.average,
        )
    values = stored.astype(np.float32).filled(np.nan)
    return Raster(values * info.scale + info.offset, info.grid, info.bands)


def save_figure(figure: Figure, path: str | Path) -> None:
    """Write a PNG without software version or date, so equal figures are equal bytes."""
    with matplotlib.rc_context(STYLE):
        figure.savefig(
            path,
            format="png",
            dpi=DPI,
            metadata={"Software": None},
            bbox_inches="tight",
            pad_inches=0.08,
        )


@_styled
def draw_composite(cube: Raster, synthetic: bool) -> Figure:
    """The scene in two of COMPOSITES, stretched from 2 % to 98 % per band."""
    found = [(title, _nearest_bands(cube.bands, centres)) for title, centres in COMPOSITES]
    panels = [(title, bands) for title, bands in found if bands][:2]
    if not panels:
        some = list(range(min(3, len(cube.bands.names))))
        panels = [("Bands", some + [some[-1]] * (3 - len(some)))]
    figure, axes = _map_panels(cube.grid, len(panels), synthetic)
    for axis, (title, bands) in zip(axes, panels, strict=True):
        picture = np.stack([_stretch(cube.values[band]) for band in bands], axis=-1)
        picture[np.isnan(picture).any(axis=-1)] = to_rgb(NODATA)
        _show(axis, picture, cube.grid)
        names = ", ".join(_band_label(cube.bands, band) for band in bands)
        axis.set_title(f"{title}\n{names} as red, green, blue")
    return figure


@_styled
def draw_classes(classes_map: Raster, classes: Sequence[MapClass], synthetic: bool) -> Figure:
    """The class map with a legend of the classes that occur in it."""
    codes = classes_map.values[0]
    height = _map_height(classes_map.grid, 7.0)
    figure = Figure(figsize=(WIDTH_IN, height), layout="constrained")
    axis = figure.add_subplot()
    _title(figure, synthetic)
    _show(axis, _paint(codes, classes, UNCLASSIFIED), classes_map.grid)
    _frame(axis, classes_map.grid)
    present = [item for item in classes if (codes == item.code).any()]
    handles = [_swatch(item.colour, item.label) for item in present]
    if (codes == 0).any():
        handles.append(_swatch(UNCLASSIFIED, "Unclassified"))
    if np.isnan(codes).any():
        handles.append(_swatch(NODATA, "No data (masked)"))
    figure.legend(handles=handles, loc="outside right upper", title="Class", alignment="left")
    return figure


@_styled
def draw_zones(zones: Mapping[str, Raster], classes: Sequence[MapClass], synthetic: bool) -> Figure:
    """One small map per alteration zone, coloured by the classes that mark it."""
    if not zones:
        return draw_message("The study defines no alteration zones.", synthetic)
    grid = next(iter(zones.values())).grid
    figure, axes = _map_panels(grid, len(zones), synthetic, legend_rows=1 + len(classes) // 6)
    shown: set[int] = set()
    for axis, (name, zone) in zip(axes, zones.items(), strict=True):
        codes = zone.values[0]
        _show(axis, _paint(codes, classes, NOT_IN_ZONE), zone.grid)
        clear = np.isfinite(codes)
        share = (codes[clear] > 0).mean() if clear.any() else 0.0
        axis.set_title(f"{name.replace('-', ' + ').capitalize()}: {share:.1%} of clear pixels")
        shown |= {item.code for item in classes if (codes == item.code).any()}
    handles = [_swatch(item.colour, item.label) for item in classes if item.code in shown]
    handles.append(_swatch(NOT_IN_ZONE, "Not in the zone"))
    if any(np.isnan(zone.values[0]).any() for zone in zones.values()):
        handles.append(_swatch(NODATA, "No data (masked)"))
    figure.legend(handles=handles, loc="outside lower center", ncols=min(6, len(handles)))
    return figure


@_styled
def draw_angles(
    angle: Raster, margin: Raster, synthetic: bool, classes: Sequence[MapClass] = ()
) -> Figure:
    """The winner's angle, and how far behind the runner-up lies, in radians.

    The thresholds of `classes` are marked on the scale of the angle.
    """
    figure, axes = _map_panels(angle.grid, 2, synthetic)
    limits = sorted({item.max_angle_rad for item in classes if item.max_angle_rad is not None})
    for axis, raster, title, ramp, marks in (
        (axes[0], angle, "Spectral angle to the best reference", "cividis_r", limits),
        (axes[1], margin, "Margin to the second best", "cividis", []),
    ):
        values = raster.values[0]
        finite = values[np.isfinite(values)]
        low, upper, high = np.percentile(finite, [2, 75, 98]) if finite.size else (0.0, 1.0, 1.0)
        # Vegetation and water fit no mineral: their large angles would leave no contrast.
        high = min(high, 2 * upper)
        marks = [mark for mark in marks if mark < 2 * high]
        low, high = min([low, *marks]), max([high, *(1.1 * mark for mark in marks)])
        colours = matplotlib.colormaps[ramp].with_extremes(bad=NODATA)
        image = axis.imshow(
            np.ma.masked_invalid(values),
            cmap=colours,
            vmin=low,
            vmax=max(high, low + 1e-6),
            extent=_extent(raster.grid),
            interpolation="nearest",
        )
        bar = axis.figure.colorbar(
            image, ax=axis, orientation="horizontal", shrink=0.85, extend="max"
        )
        for mark in marks:
            bar.ax.axvline(mark, color="white", lw=4)
            bar.ax.axvline(mark, color=ORANGE, lw=2)
        notes = ["radians"]
        if marks:
            edges = " to ".join(f"{mark:g}" for mark in dict.fromkeys((marks[0], marks[-1])))
            notes.append(f"orange = threshold{'s' if len(marks) > 1 else ''} {edges}")
        if np.isnan(values).any():
            notes.append("grey = no data")
        bar.set_label("; ".join(notes))
        bar.outline.set_visible(False)
        bar.ax.xaxis.set_major_locator(MaxNLocator(5))
        axis.set_title(title)
    return figure


@_styled
def draw_spectra(
    wavelength_um: np.ndarray,
    references: Mapping[str, np.ndarray],
    signatures: Mapping[str, Signature],
    classes: Sequence[MapClass],
    synthetic: bool,
) -> Figure:
    """Mean ± standard deviation of each class's pixels over its library reference, per band.

    All arrays have one value per band. A reference is scaled to the length of the scene's mean
    spectrum, because the spectral angle compares shapes and ignores brightness.
    """
    present = [item for item in classes if item.name in references]
    if not present:
        return draw_message("There is no reference spectrum to draw.", synthetic)
    columns = min(4, len(present))
    rows = math.ceil(len(present) / columns)
    figure = Figure(figsize=(WIDTH_IN, 2.05 * rows + 0.9), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, sharex=True).ravel()
    _title(figure, synthetic)
    order = np.argsort(wavelength_um)
    x = np.asarray(wavelength_um)[order]
    for place, (axis, item) in enumerate(zip(axes, present, strict=False)):
        reference = np.asarray(references[item.name], dtype=float)[order]
        signature = signatures.get(item.name)
        if signature is None or signature.pixels == 0:
            axis.set_title(f"{item.label}\nnot mapped", color="#5d6a73")
        else:
            mean, std = signature.mean[order], signature.std[order]
            reference = reference * _length_ratio(mean, reference)
            axis.fill_between(x, mean - std, mean + std, color=item.colour, alpha=0.35, lw=0)
            axis.plot(x, mean, "o-", color=INK, lw=1.3, ms=4.5, mfc=item.colour, mec=INK, mew=0.6)
            axis.set_title(f"{item.label}\n{signature.pixels:,} pixels")
        axis.plot(x, reference, "s--", color=BLUE, lw=1.1, ms=3.5, mfc="white")
        axis.margins(y=0.12)
        axis.yaxis.set_major_locator(MaxNLocator(4))
        axis.xaxis.set_major_locator(MaxNLocator(5))
        axis.grid(color="#e3e6e8", lw=0.6)
        if place + columns >= len(present):
            axis.tick_params(labelbottom=True)
            axis.set_xlabel("Wavelength (µm)")
        if place % columns == 0:
            axis.set_ylabel("Reflectance")
    for axis in axes[len(present) :]:
        axis.set_visible(False)
    figure.legend(
        handles=[
            *axes[0].plot([], [], "o-", color=INK, mfc="#c9c4b8", label="Scene, mean"),
            Patch(color="#c9c4b8", alpha=0.6, label="± standard deviation"),
            *axes[0].plot(
                [],
                [],
                "s--",
                color=BLUE,
                mfc="white",
                label="Library reference, scaled to the scene's brightness",
            ),
        ],
        loc="outside lower center",
        ncols=3,
    )
    return figure


@_styled
def draw_areas(
    areas: Mapping[int, tuple[int, float | None]], classes: Sequence[MapClass], synthetic: bool
) -> Figure:
    """Mapped area of each class: code -> (pixels, km² or None), with its share of clear pixels."""
    total = sum(pixels for pixels, _ in areas.values())
    if not total:
        return draw_message("The map has no clear pixel.", synthetic)
    known = {item.code: (item.label, item.colour) for item in classes}
    known[0] = ("Unclassified", UNCLASSIFIED)
    rows = sorted((code for code in areas if code in known), key=lambda code: areas[code][0])
    unit = all(areas[code][1] is not None for code in rows)
    sizes = [areas[code][1] if unit else areas[code][0] for code in rows]
    figure = Figure(figsize=(WIDTH_IN, 0.3 * len(rows) + 1.3), layout="constrained")
    axis = figure.add_subplot()
    _title(figure, synthetic)
    axis.barh(
        range(len(rows)),
        sizes,
        color=[known[code][1] for code in rows],
        edgecolor="#5d6a73",
        linewidth=0.6,
        height=0.72,
    )
    for place, (code, size) in enumerate(zip(rows, sizes, strict=True)):
        amount = f"{_square_km(size)} km²" if unit else f"{size:,} pixels"
        axis.annotate(
            f"{amount} · {areas[code][0] / total:.1%}",
            (size, place),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    axis.set_yticks(range(len(rows)), [known[code][0] for code in rows])
    axis.set_xlim(0, max(sizes) * 1.22)
    axis.set_ylim(-0.6, len(rows) - 0.4)
    axis.set_xlabel(
        "Mapped area (km²) · share of clear pixels"
        if unit
        else "Mapped pixels · share of clear pixels"
    )
    axis.spines[["top", "right"]].set_visible(False)
    axis.tick_params(axis="y", length=0)
    return figure


@_styled
def draw_confusion(record: Mapping, synthetic: bool) -> Figure:
    """The confusion matrix of an accuracy record: rows sum to one, cells carry pixel counts."""
    if not record["assessed"]:
        return draw_message(f"No confusion matrix. {record['reason']}", synthetic)
    counts = np.array(record["confusion_matrix"]["counts"])
    labels = [item["label"] for item in record["confusion_matrix"]["labels"]]
    rows = np.flatnonzero(counts.sum(axis=1))
    columns = np.flatnonzero(counts.sum(axis=0))
    counts = counts[np.ix_(rows, columns)]
    share = counts / counts.sum(axis=1, keepdims=True)
    longest = max(len(f"{count:,}") for count in counts.ravel())
    # Full counts: a digit of DejaVu Sans is about 0.64 of its size wide, and cells share 6.6 in.
    size = min(7.5, 6.6 * 72 / len(columns) / (0.64 * (longest + 1)))
    height = 0.46 * len(rows) + 2.4
    figure = Figure(figsize=(WIDTH_IN, height), layout="constrained")
    axis = figure.add_subplot()
    _title(figure, synthetic)
    image = axis.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), count in np.ndenumerate(counts):
        if count:
            axis.text(
                column,
                row,
                f"{count:,}",
                ha="center",
                va="center",
                fontsize=size,
                color="white" if share[row, column] > 0.55 else INK,
            )
        if rows[row] == columns[column]:
            axis.add_patch(
                Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, ec=ORANGE, lw=1.1)
            )
    axis.set_xticks(
        range(len(columns)),
        [labels[place] for place in columns],
        rotation=40,
        ha="right",
        rotation_mode="anchor",
    )
    axis.set_yticks(
        range(len(rows)),
        [
            f"{labels[place]} ({total:,})"
            for place, total in zip(rows, counts.sum(axis=1), strict=True)
        ],
    )
    axis.set_xlabel("Map class")
    axis.set_ylabel("Reference class (pixels)")
    axis.tick_params(length=0)
    bar = figure.colorbar(image, ax=axis, shrink=0.7, pad=0.01)
    bar.set_label("Share of the reference class")
    bar.outline.set_visible(False)
    axis.set_title(f"Pixel counts, n = {record['n']:,}; orange = agreement")
    return figure


@_styled
def draw_accuracy(record: Mapping, synthetic: bool) -> Figure:
    """Scores of an accuracy record with their 95 % intervals, overall and per class."""
    if not record["assessed"]:
        return draw_message(f"No accuracy can be stated. {record['reason']}", synthetic)
    scores = record["scores"]
    classes = [item for item in scores["classes"] if item["n_reference"] or item["n_map"]]
    figure = Figure(figsize=(WIDTH_IN, 0.42 * len(classes) + 3.2), layout="constrained")
    top, bottom = figure.subplots(
        2, 1, sharex=True, height_ratios=[3.4, max(1, len(classes)) * 1.0 + 1]
    )
    _title(figure, synthetic)
    overall = [
        ("Overall accuracy", scores["overall_accuracy"]),
        ("Kappa", scores["kappa"]),
        ("Macro-F1", scores["macro_f1"]),
    ]
    known = any(value["low"] is not None for _, value in overall)
    for place, (_, value) in enumerate(overall):
        _interval(top, place, value, INK, "D")
    top.set_yticks(range(3), [name for name, _ in overall])
    top.set_title(
        f"All tested pixels, n = {record['n']:,} in {scores['n_blocks']:,} blocks of "
        f"{record['block_px']} × {record['block_px']} pixels; "
        f"{'bars = 95 % intervals' if known else 'too few blocks for intervals'}"
    )
    for place, item in enumerate(classes):
        for shift, key, colour, marker in (
            (-0.24, "precision", BLUE, "o"),
            (0.0, "recall", ORANGE, "s"),
            (0.24, "f1", GREEN, "^"),
        ):
            _interval(bottom, place + shift, item[key], colour, marker)
    bottom.set_yticks(
        range(len(classes)),
        [f"{item['label']}\n({item['n_reference']:,} in reference)" for item in classes],
        fontsize=7.5,
    )
    bottom.set_title("Per class; × = undefined")
    for axis, rows in ((top, 3), (bottom, len(classes))):
        axis.set_ylim(rows - 0.5, -0.5)
        axis.grid(axis="x", color="#e3e6e8", lw=0.6)
        axis.spines[["top", "right", "left"]].set_visible(False)
        axis.tick_params(axis="y", length=0)
    low = min([0.0, *(v["low"] for _, v in overall if v["low"] is not None)])
    bottom.set_xlim(low - 0.02, 1.02)
    bottom.set_xlabel("Score")
    for edge in np.arange(len(classes) - 1) + 0.5:
        bottom.axhline(edge, color="#eef0f1", lw=0.8, zorder=0)
    handles = [
        *bottom.plot([], [], "o", color=BLUE, label="Precision (user's accuracy)"),
        *bottom.plot([], [], "s", color=ORANGE, label="Recall (producer's accuracy)"),
        *bottom.plot([], [], "^", color=GREEN, label="F1"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


@_styled
def draw_message(text: str, synthetic: bool) -> Figure:
    """A picture that says why there is nothing to draw."""
    figure = Figure(figsize=(WIDTH_IN, 2.2), layout="constrained")
    axis = figure.add_subplot()
    axis.set_axis_off()
    axis.text(0.5, 0.5, text, ha="center", va="center", fontsize=12, wrap=True)
    _title(figure, synthetic)
    return figure


def _title(figure: Figure, synthetic: bool) -> None:
    if synthetic:
        figure.suptitle(SYNTHETIC_TEXT, color=SYNTHETIC_COLOUR, fontsize=10, fontweight="bold")


def _swatch(colour: str, label: str) -> Patch:
    return Patch(facecolor=colour, edgecolor="#5d6a73", linewidth=0.5, label=label)


def _square_km(area: float) -> str:
    """An area to two decimals, as the report's tables print it."""
    return "< 0.01" if 0 < area < 0.005 else f"{area:,.2f}"


def _interval(axis: Axes, place: float, value: Mapping, colour: str, marker: str) -> None:
    if value["value"] is None:
        axis.plot(0, place, "x", color=colour, ms=4.5, mew=1.1, clip_on=False)
        return
    if value["low"] is not None:
        axis.plot([value["low"], value["high"]], [place, place], color=colour, lw=2, alpha=0.55)
    axis.plot(value["value"], place, marker, color=colour, ms=5, clip_on=False)


def _length_ratio(mean: np.ndarray, reference: np.ndarray) -> float:
    """Factor that gives `reference` the length of `mean`, over bands that both have."""
    both = np.isfinite(mean) & np.isfinite(reference)
    length = np.linalg.norm(reference[both])
    return float(np.linalg.norm(mean[both]) / length) if length > 0 else 1.0


def _stretch(band: np.ndarray) -> np.ndarray:
    finite = band[np.isfinite(band)]
    if not finite.size:
        return np.full(band.shape, np.nan)
    low, high = np.percentile(finite, [2, 98])
    return np.clip((band - low) / max(high - low, 1e-6), 0, 1)


def _nearest_bands(bands: BandTable, centres_um: Sequence[float]) -> list[int]:
    """Bands nearest to three wavelengths; [] unless they are three, each within a tenth of it."""
    if not bands.centre_um:
        return []
    centre = np.asarray(bands.centre_um)
    picked = [int(np.abs(centre - wanted).argmin()) for wanted in centres_um]
    near = [
        abs(centre[band] - wanted) <= 0.1 * wanted
        for band, wanted in zip(picked, centres_um, strict=True)
    ]
    return picked if all(near) and len(set(picked)) == len(picked) else []


def _band_label(bands: BandTable, band: int) -> str:
    if not bands.centre_um:
        return bands.names[band]
    return f"{bands.centre_um[band]:.2f} µm"


def _paint(codes: np.ndarray, classes: Sequence[MapClass], background: str) -> np.ndarray:
    picture = np.empty((*codes.shape, 3))
    picture[:] = to_rgb(background)
    for item in classes:
        picture[codes == item.code] = to_rgb(item.colour)
    picture[np.isnan(codes)] = to_rgb(NODATA)
    return picture


def _map_height(grid: Grid, width_in: float) -> float:
    west, south, east, north = grid.bounds
    return float(np.clip(width_in * (north - south) / (east - west), 2.0, 12.0)) + 0.9


def _map_panels(
    grid: Grid, number: int, synthetic: bool, legend_rows: int = 0
) -> tuple[Figure, list[Axes]]:
    """A figure with `number` map panels side by side, two per row."""
    columns = min(2, number)
    rows = math.ceil(number / columns)
    height = rows * _map_height(grid, 8.4 / columns) + 0.3 * legend_rows + 0.4
    # "compressed" closes the gaps that maps of a fixed shape would leave between them.
    figure = Figure(figsize=(WIDTH_IN, height), layout="compressed")
    figure.get_layout_engine().set(h_pad=0.08)
    axes = list(figure.subplots(rows, columns, squeeze=False).ravel())
    _title(figure, synthetic)
    for axis in axes[number:]:
        axis.set_visible(False)
    for place, axis in enumerate(axes[:number]):
        _frame(axis, grid)
        if place % columns:
            axis.set_ylabel("")
            axis.tick_params(labelleft=False)
        if place + columns < number:
            axis.set_xlabel("")
            axis.tick_params(labelbottom=False)
    return figure, axes[:number]


def _show(axis: Axes, picture: np.ndarray, grid: Grid) -> None:
    axis.imshow(picture, extent=_extent(grid), interpolation="nearest")


def _is_upright(grid: Grid) -> bool:
    """Whether rows run from north to south and columns from west to east."""
    return grid.transform.b == 0 and grid.transform.d == 0 and grid.transform.e < 0


def _kilometres(grid: Grid) -> float | None:
    """Kilometres per unit of the grid; None where its axes are no lengths or it is rotated."""
    if grid.crs is None or not grid.crs.is_projected or not _is_upright(grid):
        return None
    return grid.crs.linear_units_factor[1] / 1000


def _extent(grid: Grid) -> tuple[float, float, float, float]:
    if not _is_upright(grid):
        return 0, grid.width, grid.height, 0
    west, south, east, north = grid.bounds
    scale = _kilometres(grid) or 1.0
    return west * scale, east * scale, south * scale, north * scale


def _frame(axis: Axes, grid: Grid) -> None:
    """Coordinates, a scale bar and a north arrow; north is up."""
    west, east, south, north = _extent(grid)
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
    if _kilometres(grid) is None:
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
