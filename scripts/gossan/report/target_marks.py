"""Targets on a map: a symbol for each by what is known of it, names that do not overlap."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from gossan.outlines import reproject
from gossan.raster import Grid
from gossan.report.drawing import BLUE, EDGE, INK, ORANGE, on_axes
from gossan.targets.target_list import KNOWN_DEPOSIT, KNOWN_TITLES, NEW, TRAINING
from gossan.vector_files import read_vector

MOST_NAMED = 20
"""Targets of each list that a map names, the best."""
MARKERS = {NEW: "o", KNOWN_DEPOSIT: "*", TRAINING: "s"}
COLOURS = {NEW: ORANGE, KNOWN_DEPOSIT: BLUE, TRAINING: EDGE}
SIZES = {NEW: 26, KNOWN_DEPOSIT: 70, TRAINING: 22}
_FONT = 7.5
# A letter of bold DejaVu Sans is about so wide, a line so high, in parts of the font's size.
_LETTER, _LINE = 0.75, 1.35
_RADII = (4, 9, 15, 22, 30, 40, 52, 66, 82, 100, 120)
_ANGLES = (45, 0, -45, 90, -90, 135, 180, -135)


@dataclass(frozen=True)
class TargetMarks:
    """Targets of a list, in its order: their names, what is known of each, places (n, 2)."""

    names: Sequence[str]
    known: Sequence[str]
    places: np.ndarray

    def of(self, known: str) -> np.ndarray:
        """The places of those of which this is known."""
        return self.places[[item == known for item in self.known]]


NO_MARKS = TargetMarks((), (), np.zeros((0, 2)))


def read_marks(path: str | Path, grid: Grid) -> TargetMarks:
    """The points of a GeoPackage of targets on the axes of a map."""
    points = reproject(read_vector(path, "targets", layer="points")[0], grid.crs, path)
    places = np.column_stack([points.geometry.x, points.geometry.y])
    known = ["" if value is None or value != value else str(value) for value in points["known"]]
    return TargetMarks(points["id"].astype(str).tolist(), known, on_axes(grid, places))


def mark_targets(axis: Axes, marks: TargetMarks) -> list[Line2D]:
    """Draw targets over a map; what goes into the legend."""
    handles = []
    for known, marker in MARKERS.items():
        places = marks.of(known)
        if not len(places):
            continue
        axis.scatter(
            *places.T,
            marker=marker,
            s=SIZES[known],
            color=COLOURS[known],
            edgecolor="white",
            lw=0.7,
            zorder=4,
        )
        handles.append(
            Line2D(
                [],
                [],
                ls="",
                marker=marker,
                color=COLOURS[known],
                mec="white",
                ms=math.sqrt(SIZES[known]) + 1,
                label=f"{KNOWN_TITLES[known]} ({len(places):,})",
            )
        )
    return handles


def name_targets(axis: Axes, marks: TargetMarks) -> None:
    """Name the best of each list beside its point, where it covers no other name or point.

    To be called last: the legend, say, moves the map on the paper.
    """
    figure = axis.figure
    figure.draw_without_rendering()  # places on the paper are known from then on
    points = axis.transData.transform(marks.places.reshape(-1, 2)) * 72 / figure.dpi
    frame = axis.get_window_extent().extents * 72 / figure.dpi
    chosen = [place for place, name in enumerate(marks.names) if int(name[1:]) <= MOST_NAMED]
    names = [marks.names[place] for place in chosen]
    for place, box in zip(chosen, place_names(points, chosen, names, frame), strict=True):
        if box is None:
            continue
        west, south, east, north = box
        note = axis.annotate(
            marks.names[place],
            marks.places[place],
            xytext=((west + east) / 2 - points[place, 0], (south + north) / 2 - points[place, 1]),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=_FONT,
            fontweight="bold",
            color=INK,
            bbox={"boxstyle": "round,pad=0.12", "fc": "white", "ec": "none", "alpha": 0.85},
            arrowprops={"arrowstyle": "-", "color": INK, "lw": 0.5, "shrinkA": 0, "shrinkB": 1},
            zorder=5,
        )
        note.set_in_layout(False)


def place_names(
    points: np.ndarray, chosen: Sequence[int], names: Sequence[str], frame: Sequence[float]
) -> list[tuple[float, float, float, float] | None]:
    """Boxes (west, south, east, north) of names of the `chosen` points; None where none is free.

    All in points of paper: `points` (n, 2), `frame` as the boxes. A box lies within the frame,
    over no other box and no point's symbol, as near to its point as it can.
    """
    marks = np.column_stack([points - 3.5, points + 3.5]) if len(points) else np.zeros((0, 4))
    taken = marks.copy()
    boxes = []
    for place, name in zip(chosen, names, strict=True):
        wide, high = _FONT * _LETTER * len(name) + 2, _FONT * _LINE + 1
        found = None
        for radius in _RADII:
            for angle in _ANGLES:
                across, up = math.cos(math.radians(angle)), math.sin(math.radians(angle))
                x = points[place, 0] + across * (radius + wide / 2)
                y = points[place, 1] + up * (radius + high / 2)
                box = (x - wide / 2, y - high / 2, x + wide / 2, y + high / 2)
                inside = box[0] >= frame[0] and box[1] >= frame[1]
                inside = inside and box[2] <= frame[2] and box[3] <= frame[3]
                if inside and not _overlaps(box, taken):
                    found = box
                    break
            if found:
                break
        if found:
            taken = np.vstack([taken, found])
        boxes.append(found)
    return boxes


def _overlaps(box: Sequence[float], others: np.ndarray) -> bool:
    west, south, east, north = others.T
    apart = (box[2] <= west) | (box[0] >= east) | (box[3] <= south) | (box[1] >= north)
    return bool((~apart).any())
