"""The locator map: where on Earth a scene lies, on a globe and among the land around it.

Both maps are orthographic (Snyder 1987, Map Projections, USGS Professional Paper 1395, p. 149)
about the scene's middle, so that no scene lies at their edge, not at 180° nor at a pole.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import shapely
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle

from gossan.errors import InputError
from gossan.report.drawing import (
    COLOURS,
    EDGE,
    INK,
    ORANGE,
    SYNTHETIC_COLOUR,
    WIDTH_IN,
    draw_message,
    styled,
    swatch,
)

LAND_COLOUR = "#d8d0bd"
SEA_COLOUR = "#eaf0f3"
LINE_COLOUR = "#a9b6bd"
EARTH_KM = 6371.0
SIDE_PX = 420
# Points along a side of a pixel: the share of them on land is the pixel's shade.
POINTS = 2
LEAST_KM = 2000.0
"""From the middle of the map of the surroundings to its edge, at the least."""
MOST_KM = 4500.0
AROUND = 5.0
"""Half a side of that map is so many times as far as the farthest place of the scene."""
SMALL = 0.06
"""A scene that fills less of the map than this has a ring about it."""
STEPS_DEG = (1, 2, 5, 10, 15, 30)
LINES = 5
"""About so many meridians and parallels cross a map."""


def read_land(path: str | Path) -> shapely.Geometry:
    """The land of a GeoJSON file, in degrees; InputError for a file of another kind."""
    try:
        land = shapely.from_geojson(Path(path).read_text(encoding="utf-8"))
    except (shapely.errors.GEOSException, UnicodeDecodeError) as error:
        raise InputError(f"{path}: is no GeoJSON; give the Earth's land in degrees") from error
    west, south, east, north = land.bounds
    if not (shapely.area(land) and -180 <= west < east <= 180 and -90 <= south < north <= 90):
        raise InputError(f"{path}: holds no polygons in degrees; give the Earth's land")
    return land


def middle_of(outlines: Sequence[shapely.Geometry]) -> tuple[float, float]:
    """Longitude and latitude (degrees) of the middle of outlines' corners on the sphere."""
    # The last point of a ring is its first again.
    corners = [shapely.get_coordinates(shapely.get_exterior_ring(shape))[:-1] for shape in outlines]
    places = np.radians(np.concatenate(corners))
    flat = np.cos(places[:, 1])
    x, y, z = (
        float(np.mean(part))
        for part in (flat * np.cos(places[:, 0]), flat * np.sin(places[:, 0]), np.sin(places[:, 1]))
    )
    return float(np.degrees(np.arctan2(y, x))), float(np.degrees(np.arctan2(z, np.hypot(x, y))))


def project(places: np.ndarray, middle: tuple[float, float]) -> np.ndarray:
    """Orthographic x and y (n, 2), in radii of the Earth, of places (n, 2) in degrees.

    NaN for places on the far side.
    """
    longitude, latitude = np.radians(np.asarray(places, float)).T
    about, up = np.radians(middle)
    turn = longitude - about
    x = np.cos(latitude) * np.sin(turn)
    y = np.cos(up) * np.sin(latitude) - np.sin(up) * np.cos(latitude) * np.cos(turn)
    near = np.sin(up) * np.sin(latitude) + np.cos(up) * np.cos(latitude) * np.cos(turn)
    return np.where(near[:, None] >= 0, np.stack([x, y], axis=1), np.nan)


def unproject(points: np.ndarray, middle: tuple[float, float]) -> np.ndarray:
    """Longitude and latitude (n, 2) of orthographic x and y (n, 2); NaN beside the globe."""
    x, y = np.asarray(points, float).T
    about, up = np.radians(middle)
    depth = np.sqrt(np.where(x**2 + y**2 <= 1, 1 - x**2 - y**2, np.nan))
    latitude = np.arcsin(np.clip(depth * np.sin(up) + y * np.cos(up), -1, 1))
    longitude = about + np.arctan2(x, depth * np.cos(up) - y * np.sin(up))
    # A point of the rim that rounding puts beside it has no depth, thus no longitude.
    return np.degrees(np.stack([(longitude + np.pi) % (2 * np.pi) - np.pi, latitude], axis=1))


def place_text(longitude: float, latitude: float) -> str:
    """A place in words, such as "35.92° N, 74.31° E"."""
    return f"{_degrees(latitude, 'NS', 2)}, {_degrees(longitude, 'EW', 2)}"


def _degrees(value: float, sides: str, digits: int = 0) -> str:
    size = f"{abs(value):.{digits}f}"
    side = "" if float(size) in (0, 180) else f" {sides[0] if value > 0 else sides[1]}"
    return f"{size}°{side}"


@styled
def draw_location(
    outlines: Mapping[str, shapely.Geometry], land: shapely.Geometry, synthetic: bool
) -> Figure:
    """Where the outlines of a scene's cubes lie: on a globe, and among the land around them.

    `outlines` by sensor and `land` are in degrees, longitudes of an outline going on across 180°.
    """
    if not outlines:
        return draw_message("The scene has no coordinates that say where it lies.", synthetic)
    middle = middle_of(list(outlines.values()))
    figure = Figure(figsize=(WIDTH_IN, 5.0), layout="constrained")
    globe, around = figure.subplots(1, 2)
    _show_earth(globe, land, middle, 1.0)
    globe.add_patch(Circle((0, 0), 1, fill=False, ec=EDGE, lw=0.8))
    globe.set_axis_off()
    globe.plot(0, 0, "o", ms=9, mfc="none", mec=ORANGE, mew=1.8)
    globe.plot(0, 0, ".", ms=4, color=ORANGE)
    globe.set_title(place_text(*middle), loc="center")
    reach, ringed = show_place(around, list(outlines.values()), land, 15)
    _label_edges(around, middle, reach)
    around.set_title(f"{2 * reach * EARTH_KM:,.0f} km from side to side", loc="center")
    figure.legend(handles=_handles(outlines, ringed), loc="outside lower center", ncols=4)
    if synthetic:
        figure.suptitle(
            f"SYNTHETIC: simulated ground, placed at {place_text(*middle)}; nothing of it was seen "
            "there",
            color=SYNTHETIC_COLOUR,
            fontsize=10,
            fontweight="bold",
        )
    return figure


def show_place(
    axis: Axes, outlines: Sequence[shapely.Geometry], land: shapely.Geometry, ring_pt: float
) -> tuple[float, bool]:
    """Draw the outlines of a scene among the land around them, all in degrees.

    Returns how far the map reaches, in radii of the Earth, and whether a ring of `ring_pt` points
    stands about the scene, which is too small to be seen.
    """
    middle = middle_of(outlines)
    edges = [project(_edge(shape), middle) for shape in outlines]
    farthest = np.nanmax([np.nanmax(np.hypot(*edge.T)) for edge in edges])
    reach = float(np.clip(AROUND * farthest, LEAST_KM / EARTH_KM, MOST_KM / EARTH_KM))
    _show_earth(axis, land, middle, reach)
    for place, edge in enumerate(edges):
        axis.plot(*edge.T, color=COLOURS[(place + 1) % len(COLOURS)], lw=1.3)
    ringed = bool(farthest < SMALL * reach)
    if ringed:
        axis.plot(0, 0, "o", ms=ring_pt, mfc="none", mec=ORANGE, mew=1.4)
    return reach, ringed


def _show_earth(
    axis: Axes, land: shapely.Geometry, middle: tuple[float, float], half: float
) -> None:
    shapely.prepare(land)
    _show_land(axis, land, middle, half)
    _draw_graticule(axis, middle, half)
    axis.set_aspect("equal")
    axis.set_xlim(-half, half)
    axis.set_ylim(-half, half)


def _handles(outlines: Mapping[str, shapely.Geometry], ringed: bool) -> list:
    lines = [
        Line2D([], [], color=COLOURS[(place + 1) % len(COLOURS)], lw=1.3, label=f"Outline, {name}")
        for place, name in enumerate(outlines)
    ]
    ring = Line2D([], [], ls="", marker="o", ms=9, mfc="none", mec=ORANGE, mew=1.4)
    ring.set_label("Place of the scene")
    return [
        *([ring] if ringed else []),
        *lines,
        swatch(LAND_COLOUR, "Land"),
    ]


def _edge(shape: shapely.Geometry) -> np.ndarray:
    """The outer edge of a shape, cut so fine that it bends with the Earth."""
    ring = shapely.get_exterior_ring(shape)
    return shapely.get_coordinates(shapely.segmentize(ring, max(ring.length / 200, 1e-9)))


def _steps(middle: tuple[float, float], half: float) -> tuple[int, int]:
    """Degrees from meridian to meridian and from parallel to parallel, `half` to the edge."""
    wanted = np.degrees(2 * np.arcsin(half)) / LINES
    spread = wanted / max(np.cos(np.radians(middle[1])), 0.1)
    east, north = (
        min(STEPS_DEG, key=lambda step, aim=aim: abs(step - aim)) for aim in (spread, wanted)
    )
    return east, north


def _show_land(
    axis: Axes, land: shapely.Geometry, middle: tuple[float, float], half: float
) -> None:
    """Land and sea of a square of the projection, shaded at the coast; white beside the globe."""
    number = SIDE_PX * POINTS
    steps = (np.arange(number) + 0.5) / number * 2 * half - half
    xs, ys = np.meshgrid(steps, steps[::-1])
    degrees = unproject(np.stack([xs.ravel(), ys.ravel()], axis=1), middle)
    on_globe = np.isfinite(degrees[:, 0])
    is_land = np.zeros(number**2)
    is_land[on_globe] = shapely.contains_xy(land, *degrees[on_globe].T)
    shares = [
        part.reshape(SIDE_PX, POINTS, SIDE_PX, POINTS).mean(axis=(1, 3))[..., None]
        for part in (is_land, on_globe.astype(float))
    ]
    dry, seen = shares
    picture = dry * to_rgb(LAND_COLOUR) + (seen - dry) * to_rgb(SEA_COLOUR) + (1 - seen)
    axis.imshow(np.clip(picture, 0, 1), extent=(-half, half, -half, half), interpolation="bilinear")


def _draw_graticule(axis: Axes, middle: tuple[float, float], half: float) -> None:
    """Meridians, which end before they crowd at the poles, and parallels."""
    east, north = _steps(middle, half)
    up, along = np.linspace(north - 90, 90 - north, 721), np.linspace(-180, 180, 1441)
    lines = [np.stack([np.full(up.size, x), up], axis=1) for x in range(-180, 180, east)]
    lines += [
        np.stack([along, np.full(along.size, y)], axis=1) for y in range(north - 90, 90, north)
    ]
    for line in lines:
        points = project(line, middle)
        points[(np.abs(points) > 1.5 * half).any(axis=1)] = np.nan
        if np.isfinite(points).any():
            axis.plot(*points.T, color=LINE_COLOUR, lw=0.5)


def _label_edges(axis: Axes, middle: tuple[float, float], half: float) -> None:
    """Longitudes where meridians meet the lower edge, latitudes where parallels meet the left."""
    run = np.linspace(-half, half, 2001)
    below = unproject(np.stack([run, np.full(run.size, -half)], axis=1), middle)[:, 0]
    left = unproject(np.stack([np.full(run.size, -half), run], axis=1), middle)[:, 1]
    east, north = _steps(middle, half)
    ends = (
        (axis.xaxis, np.degrees(np.unwrap(np.radians(below))), "EW", east),
        (axis.yaxis, left, "NS", north),
    )
    for edge, values, sides, step in ends:
        crossed = np.flatnonzero(np.diff(np.floor(values / step)))
        crossed = crossed[:: 1 + len(crossed) // (2 * LINES)]
        labels = [round((values[place] + values[place + 1]) / 2 / step) * step for place in crossed]
        names = [(label + 180) % 360 - 180 if sides == "EW" else label for label in labels]
        edge.set_ticks(run[crossed], [_degrees(name, sides) for name in names])
    axis.tick_params(color=INK, length=3)
