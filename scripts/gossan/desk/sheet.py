"""A map sheet: the main map of a scene on one page, at a round scale that is true on paper."""

import functools
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import matplotlib
import numpy as np
import shapely
from affine import Affine
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from rasterio.enums import Resampling
from rasterio.transform import from_bounds
from rasterio.warp import calculate_default_transform
from rasterio.warp import reproject as reproject_raster
from rasterio.warp import transform as transform_points

from gossan.desk.layers import KNOWN, SceneLayer, SceneLayers
from gossan.desk.scene_map import name_targets
from gossan.desk.scene_page import (
    choose_record,
    gravest_doubt,
    measure_classes,
    read_explanations,
    read_target_note,
    read_target_rows,
    tell_found,
    tell_trust,
)
from gossan.errors import InputError
from gossan.files import read_json
from gossan.legend import NODATA_COLOUR, UNCLASSIFIED_COLOUR, read_class_style
from gossan.levels import read_reduced
from gossan.outlines import DEGREES, degrees_of, outline, reproject
from gossan.raster import Grid, read_info
from gossan.report.drawing import (
    BLUE,
    COMPOSITES,
    INK,
    ORANGE,
    STYLE,
    SYNTHETIC_COLOUR,
    SYNTHETIC_TEXT,
    nearest_bands,
    stretch,
)
from gossan.report.location_figures import middle_of, place_text, show_place
from gossan.vector_files import read_vector

PAPERS_MM = {"a4": (297.0, 210.0), "a3": (420.0, 297.0)}
"""Long and short side of a sheet of paper (ISO 216)."""
MARGIN_MM = 9.0
PANEL_MM = {"a4": 66.0, "a3": 84.0}
"""Width of the panel beside the map, or its height below it."""
LABELS_MM = (13.0, 6.5, 11.0, 6.5)
"""Room about the map for its coordinates: left, below, right, above."""
MM_PER_POINT = 25.4 / 72
PICTURE_DPI = 250
SCALES = (1, 1.25, 1.5, 2, 2.5, 3, 4, 5, 6, 7.5, 8, 10)
"""A scale is 1 to one of these times a power of ten."""
GROUND = (0.87, 1.0)
"""Grey of the darkest and of the lightest ground that shows where the map has no class."""
CONVERGENCE_DEG = 0.5
"""True north is drawn from this angle on."""
DISTORTION = 0.005
"""The scale is said to hold at the middle alone where the map stretches by more than this."""
MOST_RANKS = 20
"""So many targets have their name written beside them."""
SURVEYS = {
    "Licence": {"color": INK, "lw": 1.0, "ls": (0, (5, 2.5))},
    "Mines that taught": {"marker": "^", "color": BLUE},
    "Known mines": {"marker": "s", "color": BLUE},
    "Occurrences": {"marker": "o", "color": BLUE},
    "Known sites": {"marker": "D", "color": BLUE},
}
"""What the user knows that a sheet shows, by the titles of layers.json, and how."""
FAINT = "#5d6a73"
CREDIT = "Made with gossan. Land of the small map: Natural Earth."
SIZES = (1.0, 0.93, 0.86, 0.8, 0.74, 0.68, 0.62, 0.56, 0.5)
"""The panel is written in the first of these sizes that fits."""
FAINT_PT, SMALL_PT, PLAIN_PT, TITLE_PT = 5.5, 6.0, 7.0, 12.0
SHEET_STYLE = {
    **STYLE,
    "font.size": PLAIN_PT,
    "pdf.fonttype": 42,
    "pdf.use14corefonts": False,
    # Labels are a user's words, in which a $ begins no formula.
    "text.parse_math": False,
}
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Source:
    """What a sheet says of a product: its sensor, its name, when it was taken (ISO 8601)."""

    sensor: str
    product: str
    acquired: str

    @classmethod
    def of(cls, record: Mapping) -> "Source":
        """That of a cube.json."""
        times = [record.get(key) or "" for key in ("acquired_first", "acquired_last", "acquired")]
        days = [text[:10] for text in times]
        taken = f"{days[0]} to {days[1]}" if days[0] and days[1] else days[2]
        return cls(record.get("sensor", ""), record.get("product_id", ""), taken)

    def words(self) -> str:
        """One line of all that is known."""
        taken = f"taken {self.acquired}" if self.acquired else "date not known"
        return ", ".join(filter(None, [self.sensor, self.product, taken]))


@dataclass(frozen=True)
class Entry:
    """A line of the legend: a colour, or the options of a mark, with its words and its size."""

    label: str
    colour: str = ""
    mark: Mapping = field(default_factory=dict)
    size: str = ""


@dataclass(frozen=True)
class Contents:
    """What a sheet says: of the scene, of its map, of its products; `paper` is one of PAPERS_MM.

    `answers` are what was found, how far to trust it, and what speaks against it.
    """

    layers: SceneLayers
    title: str
    answers: Sequence[str]
    sources: Sequence[Source]
    paper: str


@dataclass(frozen=True)
class Frame:
    """The ground that a sheet shows, upright: `grid` is that of the map, maybe turned."""

    grid: Grid

    @property
    def is_placed(self) -> bool:
        """Whether it is known where the ground lies."""
        return self.grid.crs is not None

    @cached_property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north in units of the grid; pixels where its place is not known."""
        return self.grid.bounds if self.is_placed else (0, 0, self.grid.width, self.grid.height)

    @property
    def middle(self) -> tuple[float, float]:
        """The middle in units of the grid."""
        west, south, east, north = self.bounds
        return (west + east) / 2, (south + north) / 2

    def degrees(self, x: Sequence[float], y: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
        """Longitude and latitude of places in the grid's units."""
        places = transform_points(self.grid.crs, DEGREES, list(x), list(y))
        return np.asarray(places[0]), np.asarray(places[1])

    def metres_per_unit(self, x: float, y: float) -> tuple[float, float]:
        """Metres on the ground per unit along x and along y, on the ellipsoid of WGS 84."""
        west, south, east, north = self.bounds
        step = 1e-4 * max(east - west, north - south)
        longitude, latitude = self.degrees([x - step, x + step, x, x], [y, y, y - step, y + step])
        square = 1 - 0.00669437999 * math.sin(math.radians(latitude.mean())) ** 2
        up = np.radians(latitude) * 6_378_137.0 * (1 - 0.00669437999) / square**1.5
        turn = np.radians((longitude - longitude[0] + 180) % 360 - 180)
        along = turn * 6_378_137.0 / square**0.5 * np.cos(np.radians(latitude.mean()))
        return tuple(
            math.hypot(along[b] - along[a], up[b] - up[a]) / (2 * step) for a, b in ((0, 1), (2, 3))
        )

    @cached_property
    def size_m(self) -> tuple[float, float] | None:
        """Width and height in metres on the ground; None where its place is not known."""
        if not self.is_placed:
            return None
        west, south, east, north = self.bounds
        along, up = self.metres_per_unit(*self.middle)
        return (east - west) * along, (north - south) * up

    @property
    def shape(self) -> float:
        """Its width by its height, on the ground."""
        if self.size_m:
            return self.size_m[0] / self.size_m[1]
        return self.grid.width / self.grid.height

    def stretches(self) -> bool:
        """Whether the scale differs by more than DISTORTION between middle and corners."""
        west, south, east, north = self.bounds
        middle = self.metres_per_unit(*self.middle)
        corners = [self.metres_per_unit(x, y) for x in (west, east) for y in (south, north)]
        return any(
            abs(there / here - 1) > DISTORTION
            for corner in corners
            for there, here in zip(corner, middle, strict=True)
        )

    @cached_property
    def convergence_deg(self) -> float:
        """Where true north lies from the map's north at the middle, clockwise."""
        x, y = self.middle
        longitude, latitude = self.degrees([x], [y])
        step = 1e-3 if latitude[0] < 89.9 else -1e-3
        there = transform_points(DEGREES, self.grid.crs, [longitude[0]], [latitude[0] + step])
        along, up = self.metres_per_unit(x, y)
        return math.degrees(math.atan2((there[0][0] - x) * along, (there[1][0] - y) * up))


@dataclass(frozen=True)
class Layout:
    """Where things stand on the paper: boxes are left, bottom, width, height (mm).

    `denominator` is that of the scale, None without one.
    """

    paper: tuple[float, float]
    map: tuple[float, float, float, float]
    panel: tuple[float, float, float, float]
    denominator: float | None

    @property
    def is_wide(self) -> bool:
        """Whether the panel stands beside the map."""
        return self.panel[3] > self.panel[2]


def round_scale(least: float) -> float:
    """The next denominator of SCALES from `least` up."""
    power = 10.0 ** math.floor(math.log10(least))
    return min(step * power for step in SCALES if step * power >= least * (1 - 1e-9))


def lay_out(frame: Frame, paper: str) -> Layout:
    """The layout, upright or across, that draws the ground larger; across if both do alike."""
    long, short = PAPERS_MM[paper]
    panel = PANEL_MM[paper]
    left, below, right, above = LABELS_MM
    found = []
    for wide in (True, False):
        width, height = (long, short) if wide else (short, long)
        room = width - 2 * MARGIN_MM - left - right, height - 2 * MARGIN_MM - below - above
        room = (room[0] - panel, room[1]) if wide else (room[0], room[1] - 1.35 * panel)
        if frame.size_m:
            ground = frame.size_m
            denominator = round_scale(
                max(1000 * side / free for side, free in zip(ground, room, strict=True))
            )
            drawn = tuple(1000 * side / denominator for side in ground)
        else:
            drawn = min(room[0], room[1] * frame.shape), min(room[1], room[0] / frame.shape)
            denominator = None
        at = MARGIN_MM + left + (room[0] - drawn[0]) / 2
        top = height - MARGIN_MM - above
        box = (at, top - drawn[1] - (room[1] - drawn[1]) / 2 * wide, *drawn)
        if wide:
            side = (width - MARGIN_MM - panel, MARGIN_MM, panel, height - 2 * MARGIN_MM)
        else:
            low = MARGIN_MM
            side = (MARGIN_MM, low, width - 2 * MARGIN_MM, box[1] - below - 2 - low)
        found.append(Layout((width, height), box, side, denominator))
    return max(found, key=lambda item: item.map[2] * item.map[3])


def read_pixels(
    path: Path, frame: Frame, shape: tuple[int, int], bands: Sequence[int], resampling: Resampling
) -> np.ndarray:
    """Bands (n, rows, columns) of a raster on the pixels of a frame, float32; NaN for nodata.

    The frame is cut into `shape` pixels; a raster of another grid is brought onto them.
    """
    rows, columns = shape
    grid = read_info(path).grid
    if not frame.is_placed or grid.crs is None:
        return read_reduced(path, bands, shape, resampling)
    # Read no finer than needed, and only these bands: a WarpedVRT warps all.
    near, *_ = calculate_default_transform(frame.grid.crs, grid.crs, columns, rows, *frame.bounds)
    a, b, _, d, e, _ = grid.transform[:6]
    fine = max(1.0, min(near.a, -near.e) / max(math.hypot(a, d), math.hypot(b, e)))
    size = math.ceil(grid.height / fine), math.ceil(grid.width / fine)
    scale = Affine.scale(grid.width / size[1], grid.height / size[0])
    west, south, east, north = frame.bounds
    pixels = np.full((len(bands), rows, columns), np.nan, np.float32)
    reproject_raster(
        read_reduced(path, bands, size, resampling),
        pixels,
        src_transform=grid.transform * scale,
        src_crs=grid.crs,
        src_nodata=np.nan,
        dst_transform=from_bounds(west, south, east, north, columns, rows),
        dst_crs=frame.grid.crs,
        dst_nodata=np.nan,
        resampling=resampling,
    )
    return pixels


def paint_ground(path: Path, frame: Frame, shape: tuple[int, int]) -> np.ndarray:
    """A cube as a picture (rows, columns, 3): in the first composite that its bands give, else its
    first bands; NaN where it is masked."""
    bands = read_info(path).bands
    found = (nearest_bands(bands, centres) for _, centres in COMPOSITES)
    first = [min(place, len(bands.names) - 1) for place in range(3)]
    chosen = next(filter(None, found), first)
    values = read_pixels(path, frame, shape, chosen, Resampling.average)
    return np.stack([stretch(band) for band in values], axis=-1)


def paint_map(
    layers: SceneLayers, layer: SceneLayer, frame: Frame, shape: tuple[int, int]
) -> np.ndarray:
    """A map as a picture (rows, columns, 3): its classes over grey ground, or a cube in colour.

    Without a cube the ground is of UNCLASSIFIED_COLOUR. What is masked has the grey of
    NODATA_COLOUR, which no ground has.
    """
    if layer.kind == "cube":
        picture = paint_ground(layer.path, frame, shape)
        picture[np.isnan(picture).any(axis=-1)] = to_rgb(NODATA_COLOUR)
        return picture
    codes = read_pixels(layer.path, frame, shape, [0], Resampling.nearest)[0]
    picture = np.full((*shape, 3), to_rgb(UNCLASSIFIED_COLOUR))
    cube = layers.ground_of(layer)
    if cube is not None:
        light = paint_ground(cube.path, frame, shape).mean(axis=-1, keepdims=True)
        picture[:] = np.nan_to_num(GROUND[0] + (GROUND[1] - GROUND[0]) * light, nan=GROUND[1])
    for item in read_class_style(layer.path):
        picture[codes == item.code] = to_rgb(item.colour)
    picture[np.isnan(codes)] = to_rgb(NODATA_COLOUR)
    return picture


def list_entries(layers: SceneLayers, layer: SceneLayer) -> list[Entry]:
    """The legend of a map: the classes that occur, from the largest down, then what is none."""
    nothing = Entry("No data: masked, or outside", NODATA_COLOUR)
    if layer.kind == "cube":
        return [nothing]
    areas = measure_classes(layer)
    entries = [Entry(item.label, item.colour, size=item.size) for item in areas.classes]
    if areas.unclassified:
        what, colour = "Unclassified", UNCLASSIFIED_COLOUR
        if layers.ground_of(layer) is not None:
            what += ": the ground in grey"
            colour = "#" + 3 * f"{round(255 * sum(GROUND) / 2):02X}"
        entries.append(Entry(what, colour, size=f"{areas.unclassified:.1%}"))
    if areas.masked:
        entries.append(nothing)
    return entries


@dataclass
class Pen:
    """Writes down a column of the sheet: `left`, `top` and `width` in mm; `size` scales the text.

    Without a figure nothing is drawn, and `top` tells how far the column would reach.
    """

    figure: Figure | None
    paper: tuple[float, float]
    left: float
    top: float
    width: float
    size: float = 1.0

    def write(
        self,
        text: str,
        points: float = PLAIN_PT,
        *,
        indent: float = 0.0,
        right: float = 0.0,
        **more,
    ) -> None:
        """Write a paragraph, `indent` mm in, its lines `right` mm short of the end."""
        points *= self.size
        for line in wrap(text, self.width - indent - right, points, **_weight(more)):
            self._line(line, points, indent, **more)

    def _line(self, line: str, points: float, indent: float, **more) -> None:
        height = points * 1.28 * MM_PER_POINT
        if self.figure is not None:
            self.figure.text(
                (self.left + indent) / self.paper[0],
                (self.top - 0.8 * height) / self.paper[1],
                line,
                fontsize=points,
                va="baseline",
                **more,
            )
        self.top -= height

    def entry(self, entry: Entry) -> None:
        """Write a line of the legend, its colour before it and its size at the right end."""
        points = PLAIN_PT * self.size
        side = points * 1.05 * MM_PER_POINT
        room = text_mm(entry.size, points) + 1.5 if entry.size else 0.0
        top = self.top
        if self.figure is not None:
            if entry.size:
                self.figure.text(
                    (self.left + self.width) / self.paper[0],
                    (top - 0.8 * points * 1.28 * MM_PER_POINT) / self.paper[1],
                    entry.size,
                    fontsize=points,
                    ha="right",
                    va="baseline",
                )
            axis = self.axes(1.35 * side, side, down=0.15 * side)
            axis.set_axis_off()
            axis.set_xlim(0, 1.35)
            axis.set_ylim(0, 1)
            if entry.colour:
                axis.add_patch(
                    Rectangle((0, 0), 1.35, 1, fc=entry.colour, ec=INK, lw=0.4, clip_on=False)
                )
            else:
                axis.plot([0.1, 0.68, 1.25], [0.5] * 3, clip_on=False, **entry.mark)
        self.write(entry.label, indent=1.35 * side + 1.5, right=room)
        self.gap(0.35)

    def gap(self, millimetres: float) -> None:
        """Leave room."""
        self.top -= millimetres * self.size

    def axes(self, width: float, height: float, *, indent: float = 0.0, down: float = 0.0) -> Axes:
        """Axes at the top of what is left of the column, which stays as it is."""
        return self.figure.add_axes(
            (
                (self.left + indent) / self.paper[0],
                (self.top - down - height) / self.paper[1],
                width / self.paper[0],
                height / self.paper[1],
            )
        )


def _weight(options: Mapping) -> dict:
    return {"fontweight": options["fontweight"]} if "fontweight" in options else {}


_RULER_DPI = 720


@functools.cache
def _ruler() -> RendererAgg:
    return RendererAgg(1, 1, _RULER_DPI)


def text_mm(text: str, points: float, fontweight: str = "normal") -> float:
    """The width of a text (mm) in the fonts of the sheet."""
    return points * _point_mm(text, fontweight, tuple(matplotlib.rcParams["font.family"]))


@functools.cache
def _point_mm(text: str, fontweight: str, families: tuple[str, ...]) -> float:
    """The width (mm) of a text of one point, measured at ten."""
    properties = font_manager.FontProperties(family=list(families), size=10, weight=fontweight)
    pixels = _ruler().get_text_width_height_descent(text, properties, False)[0]
    return pixels * 25.4 / _RULER_DPI / 10


def wrap(text: str, width: float, points: float, fontweight: str = "normal") -> list[str]:
    """A text in lines of at most `width` mm; a word longer than a line is broken where it must."""
    lines, line = [], ""
    for word in text.split():
        longer = f"{line} {word}" if line else word
        if text_mm(longer, points, fontweight) <= width:
            line = longer
            continue
        if line:
            lines.append(line)
        while text_mm(word, points, fontweight) > width and len(word) > 1:
            fits = len(word) - 1
            while fits > 1 and text_mm(word[:fits], points, fontweight) > width:
                fits -= 1
            lines.append(word[:fits])
            word = word[fits:]
        line = word
    return [*lines, line] if line else lines


def fonts_for(texts: Sequence[str]) -> list[str]:
    """Families of fonts that have the letters of the texts, the sheet's own first.

    What no font here has is drawn as a box, and told in the log.
    """
    own = STYLE["font.family"]
    missing = {ord(letter) for text in texts for letter in text if letter.isprintable()}
    missing -= _letters(font_manager.findfont(own))
    families = [own]
    for font in sorted(font_manager.fontManager.ttflist, key=lambda font: (font.name, font.fname)):
        if not missing:
            break
        if font.name in families or font.style != "normal" or "Last Resort" in font.name:
            continue
        has = missing & _letters(font.fname)
        if has:
            families.append(font.name)
            missing -= has
    if len(families) > 1:
        _log.info("letters that %s lacks are taken from %s", own, ", ".join(families[1:]))
    if missing:
        _log.warning(
            "no font here has the letters %s, which the sheet shows as boxes; install a font that "
            "has them, such as Noto",
            " ".join(chr(code) for code in sorted(missing)),
        )
    return families


def _letters(path: str) -> set[int]:
    try:
        return set(font_manager.get_font(path).get_charmap())
    except (OSError, RuntimeError):
        return set()


def read_marks(layers: SceneLayers, frame: Frame) -> list[tuple[str, np.ndarray, bool]]:
    """What the user knows of the ground: (title, places, whether they are a line), by SURVEYS."""
    marks = []
    for layer in layers.of("truth"):
        if layer.kind != KNOWN or layer.title not in SURVEYS or not frame.is_placed:
            continue
        features = reproject(read_vector(layer.path, "features")[0], frame.grid.crs, layer.path)
        parts = shapely.get_parts(features.geometry.dropna().to_numpy())
        inside = shapely.box(*frame.bounds)
        for part in parts:
            if not part.intersects(inside):
                continue
            if "marker" in SURVEYS[layer.title]:
                marks.append((layer.title, shapely.get_coordinates(part.centroid), False))
            elif part.geom_type == "Polygon":
                marks.append((layer.title, shapely.get_coordinates(part.exterior), True))
    return marks


def read_targets(layers: SceneLayers, frame: Frame) -> list[tuple[str, shapely.Geometry]]:
    """The targets of a scene, (name, outline) in the frame's units."""
    paths = [layer.path for layer in layers.of("targets") if layer.path.suffix == ".gpkg"]
    if not paths or not frame.is_placed:
        return []
    features = read_vector(paths[0], "targets", layer="targets")[0]
    return name_targets(reproject(features, frame.grid.crs, paths[0]))


def describe_scene(layers: SceneLayers, records: Sequence[Mapping], paper: str) -> Contents:
    """What the sheet of a scene says; `records` are as of `scene_page.choose_record`."""
    shown, main = shown_layer(layers), layers.main_map()
    sensors = [shown.sensor] if (layers.folder / shown.sensor / "cube").is_dir() else []
    folders = [layers.folder / sensor for sensor in sensors] or sorted(layers.folder.iterdir())
    cubes = [folder / "cube" / "cube.json" for folder in folders]
    sources = [Source.of(read_json(path)) for path in cubes if path.is_file()]
    areas = measure_classes(main) if main and main.kind in ("classes", "flags") else None
    title = shown.title
    if shown.kind == "flags":
        title += f", band {read_info(shown.path).bands.names[0]}"
    doubt = gravest_doubt(main, areas, read_explanations(layers))
    answers = [
        tell_found(main, areas, read_target_rows(layers), read_target_note(layers), doubt),
        tell_trust(choose_record(main, records), layers.synthetic),
        doubt,
    ]
    return Contents(
        layers,
        title,
        [text for text in answers if text],
        sources,
        paper,
    )


def draw_sheet(contents: Contents, land: shapely.Geometry) -> Figure:
    """The sheet of a scene; to be drawn and saved in the settings of `sheet_style`.

    `land` is the Earth's, in degrees. Raises InputError for a scene without a raster to show.
    """
    layers = contents.layers
    shown = shown_layer(layers)
    frame = Frame(read_info(shown.path).grid)
    layout = lay_out(frame, contents.paper)
    figure = Figure(figsize=[side / 25.4 for side in layout.paper], facecolor="white")
    _draw_map(figure, layout, frame, layers, shown)
    marks, targets = read_marks(layers, frame), read_targets(layers, frame)
    _draw_marks(figure.axes[0], marks, targets)
    entries = [*list_entries(layers, shown), *_mark_entries(marks, targets)]
    _fill_panel(figure, layout, frame, contents, entries, land)
    return figure


def shown_layer(layers: SceneLayers) -> SceneLayer:
    """The map that a sheet shows: the scene's main one, else its cube."""
    shown = layers.main_map() or layers.ground_of()
    if shown is None:
        raise InputError(f"{layers.folder}: the scene {layers.scene} has neither map nor cube")
    return shown


def _draw_map(
    figure: Figure, layout: Layout, frame: Frame, layers: SceneLayers, shown: SceneLayer
) -> None:
    left, bottom, width, height = layout.map
    across, up = layout.paper
    axis = figure.add_axes((left / across, bottom / up, width / across, height / up))
    shape = tuple(max(1, round(side / 25.4 * PICTURE_DPI)) for side in (height, width))
    picture = paint_map(layers, shown, frame, shape)
    west, south, east, north = frame.bounds
    extent = (west, east, south, north) if frame.is_placed else (west, east, north, south)
    axis.imshow(
        np.round(255 * picture).astype(np.uint8), extent=extent, interpolation="none", aspect="auto"
    )
    axis.set_xlim(extent[:2])
    axis.set_ylim(extent[2:])
    axis.tick_params(labelsize=SMALL_PT, length=2, width=0.5, pad=1.5)
    if not frame.is_placed:
        axis.set_xlabel("Column (pixels)", fontsize=SMALL_PT, labelpad=1)
        axis.set_ylabel("Row (pixels)", fontsize=SMALL_PT, labelpad=1)
        return
    _draw_grid(axis, frame, width, height)


def _draw_grid(axis: Axes, frame: Frame, width: float, height: float) -> None:
    """Lines of the map's own coordinates, in km or degrees, and degrees above and at the right."""
    west, south, east, north = frame.bounds
    crs = frame.grid.crs
    if crs.is_geographic:
        xs, ys = degree_ticks(west, east, width), degree_ticks(south, north, height)
        axis.set_xticks(xs, [degree_text(x, "EW", xs) for x in xs], fontsize=SMALL_PT)
        axis.set_yticks(ys, [degree_text(y, "NS", ys) for y in ys], fontsize=SMALL_PT)
    else:
        km = crs.linear_units_factor[1] / 1000
        xs, ys = (
            even_ticks(low * km, high * km, room)
            for low, high, room in ((west, east, width), (south, north, height))
        )
        axis.set_xticks(xs / km, [f"{x:,.10g}" for x in xs], fontsize=SMALL_PT)
        axis.set_yticks(ys / km, [f"{y:,.10g}" for y in ys], fontsize=SMALL_PT)
        axis.set_xlabel("Easting (km)", fontsize=SMALL_PT, labelpad=1)
        axis.set_ylabel("Northing (km)", fontsize=SMALL_PT, labelpad=1)
        _draw_degrees(axis, frame, width, height)
    for label in axis.get_yticklabels():
        label.set(rotation=90, va="center")
    axis.grid(color=INK, lw=0.3, alpha=0.35)


def _draw_degrees(axis: Axes, frame: Frame, width: float, height: float) -> None:
    west, south, east, north = frame.bounds
    run = np.linspace(0, 1, 201)
    longitude, _ = frame.degrees(west + run * (east - west), np.full(run.size, north))
    _, latitude = frame.degrees(np.full(run.size, east), south + run * (north - south))
    longitude = np.degrees(np.unwrap(np.radians(longitude)))
    marks = {"color": INK, "lw": 0.5, "clip_on": False, "transform": axis.transAxes}
    words = {"fontsize": SMALL_PT, "transform": axis.transAxes}
    for values, sides, room in ((longitude, "EW", width), (latitude, "NS", height)):
        if not (np.diff(values) > 0).all():
            continue
        ticks = degree_ticks(values[0], values[-1], room)
        for tick in ticks:
            at = float(np.interp(tick, values, run))
            text = degree_text(tick, sides, ticks)
            if sides == "EW":
                axis.plot([at, at], [1, 1 + 1.2 / height], **marks)
                axis.text(at, 1 + 1.8 / height, text, ha="center", va="bottom", **words)
            else:
                axis.plot([1, 1 + 1.2 / width], [at, at], **marks)
                axis.text(1 + 1.8 / width, at, text, va="center", rotation=90, **words)


def even_ticks(low: float, high: float, room: float, apart: float = 28.0) -> np.ndarray:
    """Round numbers from `low` to `high`, about `apart` mm apart on `room` mm; at least two."""
    wanted = (high - low) * min(apart / room, 0.45)
    power = 10.0 ** math.floor(math.log10(wanted))
    step = max(part * power for part in (1, 2, 5) if part * power <= wanted)
    return _multiples(low, high, step)


def degree_ticks(low: float, high: float, room: float, apart: float = 28.0) -> np.ndarray:
    """Round degrees, minutes or seconds from `low` to `high` (degrees), as of `even_ticks`.

    Their labels are long: the step is the one nearest to what is wanted, from either side.
    """
    wanted = (high - low) * apart / room
    steps = [part / unit for unit in (3600, 60) for part in (1, 2, 5, 10, 15, 20, 30)]
    fitting = [step for step in [*steps, 1, 2, 5, 10, 15, 30, 45] if step <= 0.45 * (high - low)]
    if not fitting:
        return even_ticks(low, high, room, apart)
    return _multiples(low, high, min(fitting, key=lambda step: abs(math.log(step / wanted))))


def _multiples(low: float, high: float, step: float) -> np.ndarray:
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return np.arange(first, last + 1) * step


def degree_text(value: float, sides: str, ticks: Sequence[float]) -> str:
    """Degrees as on maps, such as 74°18′E, as finely as the ticks are apart."""
    value = (value + 180) % 360 - 180 if sides == "EW" else value
    side = sides[0 if value > 0 else 1] if abs(value) > 1e-9 else ""
    seconds = abs(value) * 3600
    if any(abs(tick * 3600 - round(tick * 3600)) > 1e-3 for tick in ticks):
        return f"{abs(value):.5g}°{side}"
    whole = round(seconds)
    degrees, minutes, rest = whole // 3600, whole % 3600 // 60, whole % 60
    fine = any(round(abs(tick) * 3600) % 60 for tick in ticks)
    coarse = all(round(abs(tick) * 3600) % 3600 == 0 for tick in ticks)
    text = f"{degrees}°" + ("" if coarse else f"{minutes:02d}′") + (f"{rest:02d}″" if fine else "")
    return text + side


def _draw_marks(axis: Axes, marks: Sequence, targets: Sequence) -> None:
    limits = axis.get_xlim(), axis.get_ylim()
    for _, shape in targets:
        for part in shapely.get_parts(shape):
            for ring in (part.exterior, *part.interiors):
                places = shapely.get_coordinates(ring)
                axis.plot(*places.T, color="white", lw=1.8, zorder=4)
                axis.plot(*places.T, color=INK, lw=0.9, zorder=4.5)
    for title, places, is_line in marks:
        options = SURVEYS[title]
        if is_line:
            axis.plot(*places.T, zorder=5, **options)
        else:
            axis.plot(*places.T, zorder=5.5, ls="", ms=4.5, mec="white", mew=0.6, **options)
    for name, shape in targets[:MOST_RANKS]:
        place = shape.representative_point()
        axis.text(
            *(place.x, place.y, name),
            ha="center",
            va="center",
            fontsize=SMALL_PT,
            fontweight="bold",
            zorder=6,
            clip_on=True,
            bbox={"boxstyle": "circle,pad=0.18", "fc": "white", "ec": INK, "lw": 0.6},
        )
    axis.set_xlim(limits[0])
    axis.set_ylim(limits[1])


def _mark_entries(marks: Sequence, targets: Sequence) -> list[Entry]:
    entries = []
    if targets:
        more = len(targets) - MOST_RANKS
        label = "Targets, by rank" + (f" (the first {MOST_RANKS} are numbered)" if more > 0 else "")
        label += "; K: known" * (not all(text.isdigit() for text, _ in targets))
        entries.append(Entry(label, mark={"color": INK, "lw": 0.9}, size=str(len(targets))))
    for title, options in SURVEYS.items():
        number = sum(name == title for name, *_ in marks)
        if number and "marker" in options:
            mark = {**options, "ls": "", "ms": 4.5, "mec": "white", "mew": 0.6, "markevery": [1]}
            entries.append(Entry(title, mark=mark, size=str(number)))
        elif number:
            entries.append(Entry(title, mark=options))
    return entries


def _fill_panel(
    figure: Figure,
    layout: Layout,
    frame: Frame,
    contents: Contents,
    entries: Sequence[Entry],
    land: shapely.Geometry,
) -> None:
    """Write the panel as large as it fits, in one column beside the map or in three below it."""

    def head(pen: Pen) -> None:
        layers = contents.layers
        if layers.synthetic:
            pen.write(SYNTHETIC_TEXT, PLAIN_PT, color=SYNTHETIC_COLOUR, fontweight="bold")
            pen.gap(1)
        pen.write(layers.scene, TITLE_PT, fontweight="bold")
        pen.write(contents.title, 1.15 * PLAIN_PT)
        pen.write(f"Study {layers.study}", color=FAINT)
        pen.gap(2.5)

    def legend(pen: Pen) -> None:
        for entry in entries:
            pen.entry(entry)
        pen.gap(2.5)

    def words(title: str, *texts: str):
        def write(pen: Pen) -> None:
            pen.write(title, fontweight="bold")
            for text in texts:
                pen.write(text)
            pen.gap(2.5)

        return write

    scale = functools.partial(_draw_scale, layout=layout, frame=frame, paper=contents.paper)
    place = functools.partial(_draw_place, frame=frame, land=land)
    source = words("Source", *(item.words() for item in contents.sources))
    trust = words("What was found, how right it is", *contents.answers)
    grid = words("Coordinates", *describe_grid(frame))

    def credit(pen: Pen) -> None:
        pen.write(CREDIT, FAINT_PT, color=FAINT)

    left, bottom, width, height = layout.panel
    if layout.is_wide:
        columns = [[head, legend, trust, scale, source, grid, place, credit]]
    else:
        columns = [[head, trust, source], [legend], [scale, grid, place, credit]]
    between = 5.0
    side = (width - between * (len(columns) - 1)) / len(columns)
    top = bottom + height

    def fill(size: float, on: Figure | None) -> float:
        ends = []
        for number, blocks in enumerate(columns):
            pen = Pen(on, layout.paper, left + number * (side + between), top, side, size)
            for block in blocks:
                block(pen)
            ends.append(pen.top)
        return min(ends)

    size = next((size for size in SIZES if fill(size, None) >= bottom), SIZES[-1])
    fill(size, figure)


def _draw_scale(pen: Pen, *, layout: Layout, frame: Frame, paper: str) -> None:
    if layout.denominator is None:
        return
    words = f"1 : {layout.denominator:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")
    where = " at the middle" if frame.stretches() else ""
    arrow, high = 12.0 * pen.size, 13.0 * pen.size
    room = pen.width - arrow - 14.0
    longest = layout.denominator * room / 1000
    power = 10.0 ** math.floor(math.log10(longest))
    length = max(part * power for part in (1, 2, 4, 5, 8) if part * power <= longest)
    drawn = 1000 * length / layout.denominator
    if pen.figure is not None:
        axis = pen.axes(drawn, 1.6, indent=1.5, down=7.0 * pen.size)
        axis.set_xlim(0, 4)
        axis.set_ylim(0, 1)
        axis.set_yticks([])
        for part in range(4):
            fill = INK if part % 2 == 0 else "white"
            axis.add_patch(Rectangle((part, 0), 1, 1, fc=fill, ec=INK, lw=0.5, clip_on=False))
        unit, name = (1000, "km") if length >= 1000 else (1, "m")
        labels = ["0", f"{length / 2 / unit:g}", f"{length / unit:g} {name}"]
        axis.set_xticks([0, 2, 4], labels, fontsize=SMALL_PT * pen.size)
        axis.tick_params(length=0, pad=1.5)
        axis.spines[:].set_visible(False)
        north = pen.axes(arrow, high, indent=pen.width - arrow)
        _draw_north(north, frame.convergence_deg, pen.size)
        pen.figure.text(
            (pen.left + 1.5) / pen.paper[0],
            (pen.top - 4.0 * pen.size) / pen.paper[1],
            f"{words}{where} on {paper.upper()}",
            fontsize=1.15 * PLAIN_PT * pen.size,
            fontweight="bold",
        )
    pen.gap(13.0 + 2.5)


def _draw_north(axis: Axes, turn_deg: float, size: float) -> None:
    """Grid north, and true north where it is another."""
    axis.set_axis_off()
    box = axis.get_position()
    width, height = (a * b for a, b in zip(box.size, axis.figure.get_size_inches(), strict=True))
    axis.set_xlim(-width / height / 2, width / height / 2)
    axis.set_ylim(0, 1)
    arrow = {"arrowstyle": "-|>", "color": INK, "lw": 1.0, "shrinkA": 0, "shrinkB": 0}
    axis.annotate("", (0, 0.74), (0, 0), arrowprops=arrow)
    letters = {"ha": "center", "va": "bottom", "fontsize": PLAIN_PT * size, "fontweight": "bold"}
    if abs(turn_deg) < CONVERGENCE_DEG:
        axis.text(0, 0.76, "N", **letters)
        return
    # Drawn at no less than 10°, so that the two are seen apart.
    turn = math.radians(math.copysign(max(abs(turn_deg), 10.0), turn_deg))
    tip = 0.72 * math.sin(turn), 0.72 * math.cos(turn)
    axis.annotate("", tip, (0, 0), arrowprops={**arrow, "color": ORANGE, "lw": 0.8})
    letters |= {"fontsize": FAINT_PT * size}
    true, grid = ("left", "right") if turn_deg > 0 else ("right", "left")
    axis.text(tip[0], tip[1] + 0.03, "true", color=ORANGE, **{**letters, "ha": true})
    axis.text(0, 0.78, "grid", **{**letters, "ha": grid})


def describe_grid(frame: Frame) -> list[str]:
    """In what coordinates the map is drawn, and how its north lies."""
    if not frame.is_placed:
        return [
            "The product has no coordinate system: where its ground lies is not known, so the "
            "sheet has no scale, no north and no coordinates."
        ]
    code = frame.grid.crs.to_epsg()
    name = frame.grid.crs.to_wkt().split('"')[1]
    lines = [f"{name} (EPSG:{code})" if code else name]
    turn = frame.convergence_deg
    if abs(turn) >= CONVERGENCE_DEG:
        side = "east" if turn > 0 else "west"
        lines.append(f"True north lies {abs(turn):.1f}° {side} of the map's north at the middle.")
    if frame.stretches():
        lines.append("The scale changes over the map; it holds at the middle.")
    return lines


def _draw_place(pen: Pen, *, frame: Frame, land: shapely.Geometry) -> None:
    if not frame.is_placed:
        return
    shape = degrees_of(outline(frame.grid), frame.grid.crs)
    side = min(30.0 * pen.size, pen.width)
    if pen.figure is not None:
        axis = pen.axes(side, side)
        show_place(axis, [shape], land, 8 * pen.size)
        axis.set_xticks([])
        axis.set_yticks([])
    pen.top -= side + 1
    pen.write(place_text(*middle_of([shape])), SMALL_PT)
    pen.gap(2)


def sheet_style(contents: Contents) -> dict:
    """The settings of matplotlib to draw and save a sheet in, with fonts for all its letters."""
    layers = contents.layers
    texts = [layers.scene, layers.study, contents.title, *contents.answers]
    texts += [item.words() for item in contents.sources]
    texts += [item.label for item in list_entries(layers, shown_layer(layers))]
    return {**SHEET_STYLE, "font.family": fonts_for(texts)}


def save_sheet(figure: Figure, path: str | Path, title: str) -> None:
    """Write the sheet as a PDF with its fonts in it, the same bytes for the same sheet."""
    # What it tells of each font buries what we tell.
    logging.getLogger("fontTools").setLevel(logging.WARNING)
    information = {"Title": title, "CreationDate": None, "Creator": None, "Producer": None}
    figure.savefig(path, format="pdf", metadata=information)
