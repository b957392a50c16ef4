"""Figures of the study of iron prospectivity, in the style of figures.py.

Inputs are what the tools wrote: records as mappings, tables as rows of text (records.read_table),
rasters as read_small gives them, vector files as read_shapes gives them. Every function returns a
matplotlib Figure; save it with figures.save_figure.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import matplotlib
import numpy as np
from affine import Affine
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import MaxNLocator

from gossan.legend import MapClass
from gossan.prospects.potential import NEGATIVE, POTENTIAL
from gossan.prospects.sites import OUTSIDE_MINES
from gossan.raster import Grid
from gossan.report.minerals_figures import (
    BLUE,
    GREEN,
    INK,
    NODATA,
    NOT_IN_ZONE,
    ORANGE,
    WIDTH_IN,
    Raster,
    _extent,
    _frame,
    _interval,
    _kilometres,
    _map_height,
    _map_panels,
    _nearest_bands,
    _paint,
    _show,
    _stretch,
    _styled,
    _swatch,
    _title,
    draw_message,
)

GRID_COLOUR = "#e3e6e8"
# Okabe and Ito (2008), after the three colours of figures.py.
COLOURS = (BLUE, ORANGE, GREEN, "#CC79A7", "#E69F00", "#56B4E9", INK, "#8A949B")
SITE_COLOURS = {
    "occurrences": BLUE,
    OUTSIDE_MINES.format("occurrences"): "#56B4E9",
    "claims": ORANGE,
    OUTSIDE_MINES.format("claims"): "#E69F00",
}
AREA_COLOUR = "#B8BFC4"
SPLIT_LABELS = {"train": "Training points", "test": "Test points"}
MOST_ZOOMS = 3
ZOOM_MARGIN_KM = 0.65
MOST_NUMBERED = 15


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
    layer: str | None = None,
) -> Shapes:
    """The outlines and points of a vector file for a map of `grid`.

    With an `attribute`, only of features whose attribute is one of `values`, in whatever case.
    """
    import geopandas
    import shapely

    features = geopandas.read_file(path, **({} if layer is None else {"layer": layer}))
    if attribute is not None:
        wanted = {value.strip().casefold() for value in values}
        features = features[features[attribute].astype(str).str.strip().str.casefold().isin(wanted)]
    scale = _kilometres(grid) or 1.0
    parts = shapely.get_parts(features.to_crs(grid.crs).geometry.dropna().to_numpy())
    polygons = [part for part in parts if part.geom_type == "Polygon"]
    points = [part for part in parts if part.geom_type == "Point"]
    return Shapes(
        [
            np.asarray(ring.coords)[:, :2] * scale
            for shape in polygons
            for ring in (shape.exterior, *shape.interiors)
        ],
        shapely.get_coordinates(points).reshape(-1, 2) * scale,
    )


def read_classed_points(path: str | Path, grid: Grid, attribute: str) -> dict[str, np.ndarray]:
    """Points of a vector file by the value of an attribute, each (n, 2) in units of the map."""
    import geopandas
    import shapely

    features = geopandas.read_file(path).to_crs(grid.crs)
    scale = _kilometres(grid) or 1.0
    xy = shapely.get_coordinates(features.geometry.to_numpy()) * scale
    names = features[attribute].astype(str).to_numpy()
    return {name: xy[names == name] for name in sorted(set(names))}


@_styled
def draw_looks(looks: Raster, dates: int, synthetic: bool) -> Figure:
    """How often each pixel was seen clear in `dates` dates (looks.tif), as map and histogram."""
    counts = np.nan_to_num(looks.values[0])
    figure, axes = _map_panels(looks.grid, 2, synthetic)
    ramp = matplotlib.colormaps["cividis"].resampled(max(dates, 1)).with_extremes(under=NODATA)
    image = axes[0].imshow(
        counts,
        cmap=ramp,
        vmin=0.5,
        vmax=max(dates, 1) + 0.5,
        extent=_extent(looks.grid),
        interpolation="nearest",
    )
    _bar(axes[0], image, "Clear looks; grey = none, so no data", integer=True)
    axes[0].set_title(f"Clear looks of {dates} dates")
    axis = axes[1]
    position = axis.get_subplotspec()
    axis.remove()
    axis = figure.add_subplot(position)
    steps = np.arange(dates + 1)
    share = np.array([(np.rint(counts) == step).mean() for step in steps])
    axis.bar(steps, 100 * share, color=[NODATA, *[BLUE] * dates], edgecolor=INK, linewidth=0.5)
    if dates <= 12:
        for step, value in zip(steps, share, strict=True):
            axis.annotate(
                f"{value:.1%}",
                (step, 100 * value),
                xytext=(0, 2),
                textcoords="offset points",
                ha="center",
                fontsize=7.5,
            )
    axis.set_title("Pixels by number of clear looks")
    axis.set_xlabel("Clear looks")
    axis.set_ylabel("Pixels (%)")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    _plain(axis, "y")
    return figure


def _bar(axis: Axes, image: object, label: str, integer: bool = False) -> None:
    bar = axis.figure.colorbar(image, ax=axis, orientation="horizontal", shrink=0.85)
    bar.set_label(label)
    bar.outline.set_visible(False)
    bar.ax.xaxis.set_major_locator(MaxNLocator(8 if integer else 5, integer=integer))


def _plain(axis: Axes, grid: str) -> None:
    axis.grid(axis=grid, color=GRID_COLOUR, lw=0.6)
    axis.set_axisbelow(True)
    axis.spines[["top", "right"]].set_visible(False)


@_styled
def draw_strata(
    cube: Raster,
    mines: Shapes,
    samples: Mapping[str, np.ndarray],
    rows: Sequence[Mapping[str, str]],
    classes: Sequence[MapClass],
    synthetic: bool,
) -> Figure:
    """Where the samples lie, around each mine as well, over the paper's Table 1 (strata.csv).

    `samples` maps the names of `classes` to points (n, 2) in units of the map.
    """
    kilometres = _kilometres(cube.grid)
    zooms = []
    if kilometres is not None:
        zooms = [_around(ring, cube.grid, kilometres) for ring in mines.rings[:MOST_ZOOMS]]
    panels = 1 + len(zooms)
    columns = panels if panels < 4 else 2
    deep = math.ceil(panels / columns)
    strata = list(dict.fromkeys((row["mine"], row["stratum"]) for row in rows))
    table_in = 0.24 * (len(strata) + 2)
    map_in = _map_height(cube.grid, 8.4 / columns)
    figure = Figure(figsize=(WIDTH_IN, deep * map_in + table_in + 0.8), layout="constrained")
    _title(figure, synthetic)
    frame = figure.add_gridspec(
        deep + 1, columns, height_ratios=[*[map_in] * deep, table_in], hspace=0.06
    )
    picture = _background(cube)
    for place in range(panels):
        axis = figure.add_subplot(frame[place // columns, place % columns])
        _show(axis, picture, cube.grid)
        _frame(axis, cube.grid if place == 0 else zooms[place - 1])
        size = 7 if place == 0 else 22
        for item in classes:
            xy = samples.get(item.name, np.zeros((0, 2)))
            axis.scatter(*xy.T, s=size, color=item.colour, edgecolor="white", lw=0.4, zorder=3)
        _rings(axis, mines.rings, INK)
        axis.set_title("All samples" if place == 0 else f"Around mine {place}")
        if place % columns:
            axis.set_ylabel("")
    _draw_strata_table(figure.add_subplot(frame[deep, :]), rows, strata, classes)
    handles = [_marker("o", item.colour, item.label) for item in classes]
    handles.append(Patch(facecolor="none", edgecolor=INK, label="Mine"))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


def _background(cube: Raster) -> np.ndarray:
    """The cube in true colour, else its first band in grey, paled so that points stand out."""
    bands = _nearest_bands(cube.bands, (0.655, 0.561, 0.482)) or [0, 0, 0]
    picture = np.stack([_stretch(cube.values[band]) for band in bands], axis=-1)
    picture = 0.35 + 0.65 * picture
    picture[np.isnan(picture).any(axis=-1)] = matplotlib.colors.to_rgb(NODATA)
    return picture


def _around(ring: np.ndarray, grid: Grid, kilometres: float) -> Grid:
    """A square piece of ground around a ring in kilometres, the nearest strata included."""
    low, high = ring.min(axis=0) / kilometres, ring.max(axis=0) / kilometres
    side = (high - low).max() + 2 * ZOOM_MARGIN_KM / kilometres
    west, north = (low[0] + high[0] - side) / 2, (low[1] + high[1] + side) / 2
    return Grid(grid.crs, Affine(side, 0, west, 0, -side, north), 1, 1)


def _rings(axis: Axes, rings: Sequence[np.ndarray], colour: str, width: float = 0.9) -> None:
    for ring in rings:
        axis.plot(*ring.T, color="white", lw=2.2 * width, zorder=2)
        axis.plot(*ring.T, color=colour, lw=width, zorder=2)


def _marker(marker: str, colour: str, label: str, edge: str = "white") -> Line2D:
    return Line2D([], [], marker=marker, ls="", color=colour, mec=edge, mew=0.5, ms=6, label=label)


def _draw_strata_table(
    axis: Axes,
    rows: Sequence[Mapping[str, str]],
    strata: Sequence[tuple[str, str]],
    classes: Sequence[MapClass],
) -> None:
    axis.set_axis_off()
    found = {(row["mine"], row["stratum"], row["class"]): row for row in rows}
    cells, totals = [], np.zeros((len(classes), 2), int)
    for mine, stratum in strata:
        line = [mine, stratum]
        for place, item in enumerate(classes):
            row = found.get((mine, stratum, item.name))
            line.append("–" if row is None else f"{row['train']} + {row['test']}")
            if row is not None:
                totals[place] += int(row["train"]), int(row["test"])
        cells.append(line)
    cells.append(["All", "", *(f"{train} + {test}" for train, test in totals)])
    table = axis.table(
        cells,
        colLabels=["Mine", "Stratum", *(item.label for item in classes)],
        colWidths=[0.14, 0.14, *[0.72 / len(classes)] * len(classes)],
        cellLoc="center",
        bbox=(0, 0, 1, 1),
    )
    table.auto_set_font_size(False)
    table.set_fontsize(8)
    for (row, column), cell in table.get_celld().items():
        cell.set_edgecolor(GRID_COLOUR)
        if row in (0, len(cells)):
            cell.set_text_props(fontweight="bold")
        if column < 2:
            cell.set_text_props(ha="left")
    axis.set_title("Sample points by mine, stratum and class: training + test")


@_styled
def draw_eigenvalues(rows: Sequence[Mapping[str, str]], synthetic: bool) -> Figure:
    """Eigenvalues of the minimum noise fraction, and their cumulative share (eigenvalues.csv)."""
    if not rows:
        return draw_message("There are no eigenvalues to draw.", synthetic)
    at = [int(row["component"]) for row in rows]
    figure = Figure(figsize=(WIDTH_IN, 3.7), layout="constrained")
    left, right = figure.subplots(1, 2)
    _title(figure, synthetic)
    dots = {"marker": "o", "ms": 4} if len(at) <= 40 else {}
    left.plot(at, [float(row["eigenvalue"]) for row in rows], color=BLUE, **dots)
    left.axhline(1, color=INK, lw=0.8, ls=":")
    left.set_yscale("log")
    left.set_title("Eigenvalue; dotted = 1, noise alone")
    left.set_ylabel("Variance, noise = 1")
    right.plot(at, [100 * float(row["cumulative_share"]) for row in rows], color=GREEN, **dots)
    right.set_title("Cumulative share of the eigenvalues")
    right.set_ylabel("%")
    right.set_ylim(top=101)
    for axis in (left, right):
        axis.set_xlabel("Component")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        _plain(axis, "both")
    return figure


@_styled
def draw_endmembers(
    wavelength_um: np.ndarray, spectra: Mapping[str, np.ndarray], synthetic: bool
) -> Figure:
    """Reflectance of the end-members by name, one value per band; empty bands are NaN."""
    if not spectra:
        return draw_message("No end-member was found.", synthetic)
    figure = Figure(figsize=(WIDTH_IN, 4.2), layout="constrained")
    axis = figure.add_subplot()
    _title(figure, synthetic)
    order = np.argsort(wavelength_um)
    styles = ("-", "--", ":", "-.")
    for place, (name, values) in enumerate(spectra.items()):
        axis.plot(
            np.asarray(wavelength_um)[order],
            np.asarray(values, float)[order],
            styles[place // len(COLOURS) % len(styles)],
            marker="o",
            ms=3.5,
            color=COLOURS[place % len(COLOURS)],
            label=name,
        )
    axis.set_xlabel("Wavelength (µm)")
    axis.set_ylabel("Reflectance")
    axis.set_title(f"End-members by pixel purity, {len(spectra)} in all")
    _plain(axis, "both")
    figure.legend(loc="outside right upper")
    return figure


@_styled
def draw_scan(
    rows: Sequence[Mapping[str, str]], published: Mapping[str, float], synthetic: bool
) -> Figure:
    """Macro-F1 and ore false positives by threshold, a panel per reference (scan.csv).

    `published` are the thresholds of the paper by reference, radians.
    """
    names = list(dict.fromkeys(row["reference"] for row in rows))
    if not names:
        return draw_message("No thresholds were tried.", synthetic)
    deep = math.ceil(len(names) / 2)
    figure = Figure(figsize=(WIDTH_IN, 2.7 * deep + 0.8), layout="constrained")
    axes = figure.subplots(deep, min(2, len(names)), squeeze=False, sharey=True).ravel()
    _title(figure, synthetic)
    for axis, name in zip(axes, names, strict=False):
        own = [row for row in rows if row["reference"] == name]
        at = [float(row["threshold_rad"]) for row in own]
        for column, colour in (
            ("best_macro_f1", "#56B4E9"),
            ("macro_f1", BLUE),
            ("ore_false_positive_share", ORANGE),
        ):
            values = [float(row[column] or "nan") for row in own]
            axis.plot(at, values, "o-", color=colour, ms=2.5, lw=1.3)
        for row in own:
            if row["chosen"] == "yes":
                axis.axvline(float(row["threshold_rad"]), color=INK, lw=1.0)
                title = f"{name.capitalize()}: {float(row['threshold_rad']):g} rad"
        if name in published:
            axis.axvline(published[name], color=INK, lw=1.0, ls=":")
            title += f" (paper {published[name]:g})"
        axis.set_title(title)
        axis.set_ylim(-0.02, 1.02)
        _plain(axis, "both")
    for axis in axes[len(names) :]:
        axis.set_visible(False)
    for axis in axes[max(0, len(names) - 2) : len(names)]:
        axis.set_xlabel("Threshold (rad)")
    handles = [
        Line2D([], [], color=BLUE, label="Macro-F1, other thresholds as chosen"),
        Line2D([], [], color="#56B4E9", label="Macro-F1, best others"),
        Line2D([], [], color=ORANGE, label="Other points called ore (share)"),
        Line2D([], [], color=INK, label="Chosen"),
        Line2D([], [], color=INK, ls=":", label="Paper"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


@_styled
def draw_robustness(rows: Sequence[Mapping[str, str]], synthetic: bool) -> Figure:
    """Scores after thresholds were shifted by some hundredths of a radian (robustness.csv)."""
    if not rows:
        return draw_message("The thresholds' robustness was not tested.", synthetic)
    shifts = list(dict.fromkeys((row["reference"], row["shift_rad"]) for row in rows))
    splits = list(dict.fromkeys(row["split"] for row in rows))
    found = {(row["reference"], row["shift_rad"], row["split"]): row for row in rows}
    figure = Figure(figsize=(WIDTH_IN, 0.28 * len(shifts) + 1.5), layout="constrained")
    # Ticks at the ends of neighbouring scales would touch.
    figure.get_layout_engine().set(wspace=0.06)
    axes = figure.subplots(1, 3, sharey=True)
    _title(figure, synthetic)
    panels = (
        ("macro_f1", "Macro-F1"),
        ("ore_false_positive_share", "Other points called ore"),
        ("iron_share", "Pixels with an iron grade"),
    )
    for axis, (column, title) in zip(axes, panels, strict=True):
        # The share of the scene is the same whatever the points.
        whole = column == "iron_share"
        for place, split in enumerate(splits[:1] if whole else splits):
            colour = INK if whole else COLOURS[place % len(COLOURS)]
            values = [
                float((found.get((*shift, split)) or {}).get(column) or "nan") for shift in shifts
            ]
            axis.plot(
                values,
                np.arange(len(shifts)) + (0 if whole else 0.2 * place - 0.1 * (len(splits) - 1)),
                "D" if whole else "os"[place % 2],
                color=colour,
                ms=5,
                label=SPLIT_LABELS.get(split, split) if column == "macro_f1" else None,
            )
            # The first row is unshifted: what the others are to be compared with.
            axis.axvline(values[0], color=colour, lw=0.7, ls=":")
        axis.set_title(title)
        axis.xaxis.set_major_locator(MaxNLocator(4))
        axis.margins(x=0.12)
        _plain(axis, "both")
    axes[0].set_yticks(
        range(len(shifts)),
        [
            "as chosen" if name == "none" else f"{name} {float(shift):+g} rad"
            for name, shift in shifts
        ],
    )
    axes[0].set_ylim(len(shifts) - 0.5, -0.5)
    figure.legend(loc="outside lower center", ncols=len(splits))
    return figure


@_styled
def draw_labels(
    similarity: Raster,
    minerals: Sequence[str],
    labels: Raster,
    classes: Sequence[MapClass],
    hosts: Shapes,
    synthetic: bool,
) -> Figure:
    """Similarity to each of the `minerals` (bands of similarity.tif), and the seven classes.

    `hosts` are the outlines of the iron-hosting units.
    """
    names = [name for name in minerals if name in similarity.bands.names]
    present = [item for item in classes if (labels.values[0] == item.code).any()]
    figure, axes = _map_panels(
        labels.grid, len(names) + 1, synthetic, legend_rows=1 + len(present) // 4
    )
    for axis, name in zip(axes, names, strict=False):
        image = axis.imshow(
            np.ma.masked_invalid(similarity.values[similarity.bands.names.index(name)]),
            cmap=matplotlib.colormaps["cividis"].with_extremes(bad=NODATA),
            vmin=0,
            vmax=1,
            extent=_extent(similarity.grid),
            interpolation="nearest",
        )
        _bar(axis, image, "1 − angle / largest angle")
        axis.set_title(f"Similarity to {name}")
    _show(axes[-1], _paint(labels.values[0], classes, NOT_IN_ZONE), labels.grid)
    _rings(axes[-1], hosts.rings, INK, 0.7)
    axes[-1].set_title("Classes from the similarity")
    handles = [_swatch(item.colour, item.label) for item in present]
    if hosts.rings:
        handles.append(Patch(facecolor="none", edgecolor=INK, label="Iron-hosting unit"))
    if np.isnan(labels.values).any():
        handles.append(_swatch(NODATA, "No data (masked)"))
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    return figure


@_styled
def draw_confusions(records: Mapping[str, Mapping], synthetic: bool) -> Figure:
    """Confusion matrices of several accuracy records by title, side by side.

    Rows sum to one, cells carry counts.
    """
    shown = {title: record for title, record in records.items() if record["assessed"]}
    if not shown:
        return draw_message("No confusion matrix: nothing was assessed.", synthetic)
    longest = max(len(r["confusion_matrix"]["labels"]) for r in shown.values())
    columns = min(2, len(shown))
    deep = math.ceil(len(shown) / columns)
    height = deep * (0.42 * longest + 1.7) + 0.4
    figure = Figure(figsize=(WIDTH_IN, height), layout="constrained")
    axes = figure.subplots(deep, columns, squeeze=False).ravel()
    _title(figure, synthetic)
    for place, (axis, (title, record)) in enumerate(zip(axes, shown.items(), strict=False)):
        _draw_matrix(axis, title, record)
        if place % columns:
            axis.set_ylabel("")
    for axis in axes[len(shown) :]:
        axis.set_visible(False)
    return figure


def _draw_matrix(axis: Axes, title: str, record: Mapping) -> None:
    counts = np.array(record["confusion_matrix"]["counts"])
    labels = [item["label"] for item in record["confusion_matrix"]["labels"]]
    kept = np.flatnonzero(counts.sum(axis=0) + counts.sum(axis=1))
    counts = counts[np.ix_(kept, kept)]
    share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    axis.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), count in np.ndenumerate(counts):
        colour = "white" if share[row, column] > 0.55 else INK
        text = f"{count:,}\n{share[row, column]:.0%}" if count else "0"
        axis.text(column, row, text, ha="center", va="center", fontsize=7, color=colour)
        if row == column:
            axis.add_patch(
                Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, ec=ORANGE, lw=1.1)
            )
    names = [labels[place] for place in kept]
    axis.set_xticks(
        range(len(kept)), names, rotation=30, ha="right", rotation_mode="anchor", fontsize=7.5
    )
    axis.set_yticks(range(len(kept)), names, fontsize=7.5)
    axis.set_xlabel("Map class")
    axis.set_ylabel("Reference class")
    axis.tick_params(length=0)
    axis.set_title(f"{title}, n = {record['n']:,}")


@_styled
def draw_splits(
    records: Mapping[str, Mapping],
    published: Mapping[str, float],
    source: str,
    synthetic: bool,
) -> Figure:
    """Scores of several accuracy records by title with 95 % intervals, beside published ones.

    `published` maps overall_accuracy, kappa, macro_f1 and class names to the values of `source`.
    """
    shown = {title: record for title, record in records.items() if record["assessed"]}
    if not shown:
        return draw_message("No accuracy can be stated: nothing was assessed.", synthetic)
    rows = {
        "overall_accuracy": "Overall accuracy",
        "kappa": "Kappa",
        "macro_f1": "Macro-F1",
    }
    for record in shown.values():
        for item in record["scores"]["classes"]:
            if item["n_reference"]:
                rows.setdefault(item["name"], f"F1 {item['label']}")
    step = 0.7 / max(1, len(shown))
    height = (0.22 * len(shown) + 0.2) * len(rows) + 0.28 * math.ceil(len(shown) / 2) + 1.4
    figure = Figure(figsize=(WIDTH_IN, height), layout="constrained")
    axis = figure.add_subplot()
    _title(figure, synthetic)
    for place, (title, record) in enumerate(shown.items()):
        colour = COLOURS[place % len(COLOURS)]
        own = {item["name"]: item["f1"] for item in record["scores"]["classes"]}
        for row, key in enumerate(rows):
            value = own.get(key, record["scores"].get(key))
            if value is not None:
                shift = (place - (len(shown) - 1) / 2) * step
                _interval(axis, row + shift, value, colour, "os^Dv"[place % 5])
        axis.plot([], [], "os^Dv"[place % 5], color=colour, label=f"{title} (n = {record['n']:,})")
    for row, key in enumerate(rows):
        if key in published:
            axis.plot([published[key]] * 2, [row - 0.42, row + 0.42], color=INK, lw=1.2, ls=":")
    if published:
        axis.plot([], [], color=INK, lw=1.2, ls=":", label=source)
    for edge in np.arange(len(rows) - 1) + 0.5:
        axis.axhline(edge, color="#eef0f1", lw=0.8, zorder=0)
    axis.set_yticks(range(len(rows)), rows.values())
    axis.set_ylim(len(rows) - 0.5, -0.5)
    axis.set_xlim(right=1.02)
    axis.set_xlabel("Score; bars = 95 % intervals, × = undefined")
    axis.grid(axis="x", color=GRID_COLOUR, lw=0.6)
    axis.spines[["top", "right", "left"]].set_visible(False)
    axis.tick_params(axis="y", length=0)
    figure.legend(loc="outside lower center", ncols=2)
    return figure


@_styled
def draw_importance(
    rows: Sequence[Mapping[str, str]],
    splits_called: Mapping[str, str],
    synthetic: bool,
    most: int = 20,
) -> Figure:
    """Permutation importance of layers, a panel per plan (importance.csv), both splits.

    The `most` layers of the largest loss on the last split are drawn; `splits_called` are names
    of the splits for the legend.
    """
    if not rows:
        return draw_message("The importance of the layers was not measured.", synthetic)
    plans = list(dict.fromkeys(row["plan"] for row in rows))
    splits = list(dict.fromkeys(row["protocol"] for row in rows))
    found = {(row["plan"], row["protocol"], row["layer"]): row for row in rows}
    figure, axes, shown = _feature_panels(
        {
            plan: _ranked({r["layer"]: float(r["loss"]) for r in rows if r["plan"] == plan}, most)
            for plan in plans
        },
        synthetic,
    )
    for axis, plan in zip(axes, plans, strict=True):
        for place, split in enumerate(splits):
            at = np.arange(len(shown[plan])) + (place - (len(splits) - 1) / 2) * 0.36
            own = [found.get((plan, split, layer)) for layer in shown[plan]]
            at, own = at[[row is not None for row in own]], [row for row in own if row is not None]
            axis.barh(
                at,
                [float(row["loss"]) for row in own],
                color=COLOURS[place % len(COLOURS)],
                height=0.34,
                label=splits_called.get(split, split).capitalize() if axis is axes[0] else None,
            )
            for height, row in zip(at, own, strict=True):
                ends = [float(row["loss_lowest"]), float(row["loss_highest"])]
                axis.plot(ends, [height] * 2, color=INK, lw=1.1)
        axis.axvline(0, color=INK, lw=0.7)
        axis.set_xlabel("Loss of overall accuracy; black = range of shuffles")
    figure.legend(loc="outside lower center", ncols=max(1, len(splits)))
    return figure


def _ranked(sizes: Mapping[str, float], most: int) -> list[str]:
    return sorted(sizes, key=lambda name: -sizes[name])[:most]


def _feature_panels(
    shown: Mapping[str, list[str]], synthetic: bool
) -> tuple[Figure, list[Axes], Mapping[str, list[str]]]:
    """A panel per plan with its features down the side."""
    longest = max(len(names) for names in shown.values())
    figure = Figure(figsize=(WIDTH_IN, 0.27 * longest + 1.7), layout="constrained")
    axes = list(figure.subplots(1, len(shown), squeeze=False).ravel())
    _title(figure, synthetic)
    for axis, (plan, names) in zip(axes, shown.items(), strict=True):
        axis.set_yticks(range(len(names)), names, fontsize=7.5)
        axis.set_ylim(longest - 0.5, -0.5)
        axis.set_title(f"Plan: {plan}")
        axis.tick_params(axis="y", length=0)
        axis.xaxis.set_major_locator(MaxNLocator(5))
        _plain(axis, "x")
    return figure, axes, shown


@_styled
def draw_shap(
    rows: Sequence[Mapping[str, str]],
    classes: Sequence[MapClass],
    synthetic: bool,
    most: int = 20,
) -> Figure:
    """Mean size of the SHAP values of features, stacked by class, a panel per plan (shap.csv).

    The `most` features of the largest sum over the classes are drawn.
    """
    if not rows:
        return draw_message("No SHAP values were computed.", synthetic)
    plans = list(dict.fromkeys(row["plan"] for row in rows))
    sizes = {plan: {} for plan in plans}
    for row in rows:
        own = sizes[row["plan"]]
        own[row["feature"]] = own.get(row["feature"], 0.0) + float(row["mean_abs"])
    found = {(row["plan"], row["feature"], row["class"]): float(row["mean_abs"]) for row in rows}
    present = [item for item in classes if any(row["class"] == item.name for row in rows)]
    figure, axes, shown = _feature_panels(
        {plan: _ranked(sizes[plan], most) for plan in plans}, synthetic
    )
    for axis, plan in zip(axes, plans, strict=True):
        start = np.zeros(len(shown[plan]))
        for item in present:
            values = np.array([found.get((plan, name, item.name), 0.0) for name in shown[plan]])
            axis.barh(
                range(len(values)),
                values,
                left=start,
                color=item.colour,
                edgecolor="white",
                linewidth=0.4,
                height=0.7,
                label=item.label if axis is axes[0] else None,
            )
            start += values
        points = next(row["points"] for row in rows if row["plan"] == plan)
        part = f", first {most}" if len(sizes[plan]) > most else ""
        axis.set_title(f"Plan: {plan}; {len(sizes[plan])} features{part}, n = {int(points):,}")
        axis.set_xlabel("Mean |SHAP value|, summed over the classes")
    figure.legend(loc="outside lower center", ncols=4)
    return figure


@_styled
def draw_probability(probability: Raster, uncertainty: Raster, synthetic: bool) -> Figure:
    """Probability of any iron class and of its high grades, and each band of the uncertainty.

    Of classes that are no grades of iron, the probability of each pixel's most probable one.
    """
    names = probability.bands.names
    iron = [place for place, name in enumerate(names) if name != NEGATIVE]
    high = [place for place in iron if names[place].endswith("-high")]
    if len(iron) < len(names):
        panels = [("Probability of an iron class", probability.values[iron].sum(axis=0), True)]
    else:
        panels = [("Probability of the mapped class", probability.values.max(axis=0), True)]
    if high:
        panels.append(("Probability of a high grade", probability.values[high].sum(axis=0), True))
    panels += [
        (f"Uncertainty: {name.replace('_', ' ')}", values, False)
        for name, values in zip(uncertainty.bands.names, uncertainty.values, strict=True)
    ]
    figure, axes = _map_panels(probability.grid, len(panels), synthetic)
    for axis, (title, values, is_probability) in zip(axes, panels, strict=True):
        finite = values[np.isfinite(values)]
        top = 1.0 if is_probability or not finite.size else float(np.percentile(finite, 99.5))
        image = axis.imshow(
            np.ma.masked_invalid(values),
            cmap=matplotlib.colormaps["cividis" if is_probability else "magma"].with_extremes(
                bad=NODATA
            ),
            vmin=0,
            vmax=max(top, 1e-6),
            extent=_extent(probability.grid),
            interpolation="nearest",
        )
        _bar(axis, image, "")
        axis.set_title(title)
    return figure


@_styled
def draw_potential(
    potential: Raster,
    claims: Shapes,
    occurrences: Shapes,
    targets: np.ndarray,
    record: Mapping,
    synthetic: bool,
) -> Figure:
    """The map of potential with claims, occurrences and the best targets.

    `targets` (n, 2) are the targets' points in units of the map, the best first; `record` is that
    of rank_targets.
    """
    codes = potential.values[0]
    figure = Figure(figsize=(WIDTH_IN, _map_height(potential.grid, 7.0)), layout="constrained")
    axis = figure.add_subplot()
    _title(figure, synthetic)
    _show(axis, _paint(codes, POTENTIAL, NOT_IN_ZONE), potential.grid)
    _frame(axis, potential.grid)
    limits = axis.get_xlim(), axis.get_ylim()
    for ring in claims.rings:
        axis.plot(*ring.T, color=INK, lw=0.8, zorder=2)
    for points, marker, colour, size in (
        (claims.points, "s", INK, 16),
        (occurrences.points, "o", BLUE, 26),
    ):
        axis.scatter(
            *points.T, marker=marker, s=size, color=colour, edgecolor="white", lw=0.6, zorder=3
        )
    _rings(axis, occurrences.rings, BLUE)
    for rank, (x, y) in enumerate(targets[:MOST_NUMBERED], start=1):
        axis.annotate(
            str(rank),
            (x, y),
            ha="center",
            va="center",
            fontsize=7,
            fontweight="bold",
            bbox={"boxstyle": "circle,pad=0.22", "fc": "white", "ec": INK, "lw": 0.7},
            zorder=4,
        )
    axis.set_xlim(limits[0])
    axis.set_ylim(limits[1])
    share = {item["name"]: item["share"] for item in record["potential"]}
    handles = [
        _swatch(item.colour, f"{item.label} ({share.get(item.name) or 0:.1%})")
        for item in reversed(POTENTIAL)
    ]
    if np.isnan(codes).any():
        handles.append(_swatch(NODATA, "No data (masked)"))
    if claims.rings or len(claims.points):
        handles.append(
            Patch(facecolor="none", edgecolor=INK, label="Claim")
            if claims.rings
            else _marker("s", INK, "Claim")
        )
    if occurrences.rings or len(occurrences.points):
        handles.append(_marker("o", BLUE, "Occurrence"))
    if len(targets):
        first = min(MOST_NUMBERED, len(targets))
        handles.append(
            _marker("o", "white", f"Target 1–{first} of {record['targets']:,}", edge=INK)
        )
    figure.legend(
        handles=handles,
        loc="outside right upper",
        title="Potential (share of area)",
        alignment="left",
    )
    return figure


@_styled
def draw_overlay(
    rows: Sequence[Mapping[str, str]], published_share: float | None, synthetic: bool
) -> Figure:
    """Share of claims and of occurrences by potential against its share of area (overlay.csv).

    `published_share` is the paper's share of claims on medium to high potential.
    """
    sites = list(dict.fromkeys(row["sites"] for row in rows))
    if not sites:
        return draw_message("No claims or occurrences were given to compare with.", synthetic)
    groups = list(dict.fromkeys(row["potential"] for row in rows))
    found = {(row["sites"], row["potential"]): row for row in rows}
    height = 0.24 * (len(sites) + 1) * len(groups) + 1.7
    figure = Figure(figsize=(WIDTH_IN, height), layout="constrained")
    axis = figure.add_subplot()
    _title(figure, synthetic)
    step = 0.8 / (len(sites) + 1)
    for place, group in enumerate(groups):
        top = place - 0.4 + step / 2
        area = float(found[sites[0], group]["area_share"] or 0)
        axis.barh(top, 100 * area, height=step * 0.85, color=AREA_COLOUR)
        axis.annotate(
            f"{area:.1%}",
            (100 * area, top),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=7.5,
        )
        for shift, name in enumerate(sites, start=1):
            row = found[name, group]
            if not row["share"]:
                continue
            at, share = top + shift * step, 100 * float(row["share"])
            axis.barh(at, share, height=step * 0.85, color=SITE_COLOURS[name])
            reach = share
            if row["share_low"]:
                reach = 100 * float(row["share_high"])
                axis.plot([100 * float(row["share_low"]), reach], [at] * 2, color=INK, lw=1.3)
            note = f"{int(row['found']):,} of {int(row['n']):,}"
            if row["ratio"]:
                note += f", {float(row['ratio']):.2g} × area"
            axis.annotate(
                note,
                (max(reach, share), at),
                xytext=(5, 0),
                textcoords="offset points",
                va="center",
                fontsize=7.5,
            )
        if group == "medium or high" and published_share is not None:
            axis.plot(
                [100 * published_share] * 2, [place - 0.45, place + 0.45], color=INK, ls=":", lw=1.3
            )
    axis.set_yticks(range(len(groups)), [group.capitalize() for group in groups])
    axis.set_ylim(len(groups) - 0.5, -0.5)
    axis.set_xlim(0, 128)
    axis.set_xticks(range(0, 101, 20))
    axis.set_xlabel("Share (%); black bars = 95 % intervals")
    axis.set_title("Where the known sites lie; × area = share of sites over share of area")
    axis.tick_params(axis="y", length=0)
    _plain(axis, "x")
    handles = [_swatch(AREA_COLOUR, "Share of the mapped area")]
    handles += [_swatch(SITE_COLOURS[name], f"Share of {name}") for name in sites]
    if published_share is not None:
        handles.append(
            Line2D([], [], color=INK, ls=":", label=f"Paper: {published_share:.2%} of claims")
        )
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
    return figure


@_styled
def draw_success(rows: Sequence[Mapping[str, str]], record: Mapping, synthetic: bool) -> Figure:
    """Success-rate curves: sites found against area searched, best ground first (curves.csv).

    `record` is that of rank_targets; the limits of medium and high potential are marked.
    """
    if not record["curves"]:
        return draw_message("No site lies on the map, so there are no curves.", synthetic)
    figure = Figure(figsize=(WIDTH_IN, 5.6), layout="constrained")
    axis = figure.add_subplot()
    _title(figure, synthetic)
    for item in record["curves"]:
        own = _curve(rows, item["sites"])
        colour = SITE_COLOURS[item["sites"]]
        area, found = 100 * own["area_share"], 100 * own["found_share"]
        auc = item["area_under_curve"]
        label = f"{item['sites'].capitalize()}, n = {item['n']:,}: area under curve "
        label += f"{auc['value']:.2f}"
        if auc["low"] is not None:
            label += f" ({auc['low']:.2f} to {auc['high']:.2f})"
        # From no area at all, which no step of the score gives.
        axis.plot(np.append(area, 0), np.append(found, 0), color=colour, lw=1.8, label=label)
        if np.isfinite(own["found_low"]).all() and "outside" in item["sites"]:
            axis.fill_between(
                area,
                100 * own["found_low"],
                100 * own["found_high"],
                color=colour,
                alpha=0.13,
                lw=0,
            )
        for name, marker in (("high", "^"), ("medium", "o")):
            place = np.flatnonzero(own["score"] >= float(record["thresholds"][name]) - 1e-9)[0]
            axis.plot(area[place], found[place], marker, color=colour, mec=INK, ms=6, zorder=3)
    axis.plot([0, 100], [0, 100], color=INK, lw=0.8, ls=":")
    for name, marker in (("High potential", "^"), ("High and medium potential", "o")):
        axis.plot([], [], marker, color="white", mec=INK, ms=6, label=name)
    axis.plot([], [], color=INK, lw=0.8, ls=":", label="By chance")
    axis.set_xlabel("Area, best ground first (%)")
    axis.set_ylabel("Sites found (%)")
    axis.set_xlim(0, 101)
    axis.set_ylim(0, 102)
    axis.set_title(
        "Success rate; outside the mines = prediction rate, shaded with its 95 % interval"
        if any("outside" in item["sites"] for item in record["curves"])
        else "Success rate"
    )
    _plain(axis, "both")
    figure.legend(loc="outside lower center", ncols=2, fontsize=8)
    return figure


def _curve(rows: Sequence[Mapping[str, str]], sites: str) -> dict[str, np.ndarray]:
    """Columns of one curve of curves.csv as numbers; an empty cell is NaN."""
    own = [row for row in rows if row["sites"] == sites]
    columns = ("score", "area_share", "found_share", "found_low", "found_high")
    return {name: np.array([float(row[name] or "nan") for row in own]) for name in columns}


@_styled
def draw_prediction_area(
    rows: Sequence[Mapping[str, str]], record: Mapping, synthetic: bool
) -> Figure:
    """Prediction-area plots: sites found and area taken by least score, a panel per kind of site.

    Where the lines cross, the share found and the share of area add up to 100 %.
    """
    if not record["curves"]:
        return draw_message("No site lies on the map, so there are no curves.", synthetic)
    number = len(record["curves"])
    deep, columns = math.ceil(number / 2), min(2, number)
    figure = Figure(figsize=(WIDTH_IN, 3.5 * deep + 0.8), layout="constrained")
    axes = figure.subplots(deep, columns, squeeze=False).ravel()
    _title(figure, synthetic)
    for axis, item in zip(axes, record["curves"], strict=False):
        own = _curve(rows, item["sites"])
        axis.plot(own["score"], 100 * own["found_share"], color=BLUE, lw=1.6)
        axis.set_ylabel("Sites found (%)", color=BLUE)
        axis.set_ylim(0, 100)
        other = axis.twinx()
        other.plot(own["score"], 100 * own["area_share"], color=ORANGE, lw=1.6)
        other.set_ylim(100, 0)
        other.set_ylabel("Area taken (%), downward", color=ORANGE)
        for name in ("medium", "high"):
            axis.axvline(float(record["thresholds"][name]), color=INK, lw=0.7, ls=":")
        cross = item["prediction_area"]
        axis.plot(cross["score"], 100 * cross["found_share"], "o", color=INK, ms=6, clip_on=False)
        density = cross["normalised_density"]
        axis.set_title(
            f"{item['sites'].capitalize()}, n = {item['n']:,}\n"
            f"{cross['found_share']:.0%} on {cross['area_share']:.0%} of the area"
            + ("" if density is None else f": density {density:.2f}")
        )
        axis.set_xlim(0, 1)
        axis.set_xlabel("Least score; dotted = limits of medium and high")
        axis.grid(color=GRID_COLOUR, lw=0.6)
        for side in (axis, other):
            side.spines["top"].set_visible(False)
    for axis in axes[number:]:
        axis.set_visible(False)
    return figure
