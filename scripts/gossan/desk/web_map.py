"""The interactive map of a scene: one HTML file with all it needs, for any browser, offline.

Bokeh draws and moves the map (its own script stands in the page), `map.js` switches layers and
tells what lies under the pointer. No layer is unpacked before it is switched on.
"""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from bokeh.document import Document
from bokeh.models import (
    BasicTickFormatter,
    ColumnDataSource,
    PanTool,
    Plot,
    Range1d,
    ScaleBar,
    WheelZoomTool,
)
from bokeh.plotting import figure
from bokeh.resources import Resources
from markupsafe import Markup
from rasterio.warp import transform as transform_points

from gossan.cube.bands import SENSORS
from gossan.desk.layers import GROUPS, KNOWN, SceneLayer, SceneLayers
from gossan.desk.map_rasters import (
    MOST_PX,
    PICTURE_STEPS,
    Frame,
    Plane,
    Shown,
    ramp_of,
    read_ramp,
    read_rgb,
    read_shown,
)
from gossan.desk.map_vectors import read_marks
from gossan.errors import InputError
from gossan.legend import (
    NODATA_COLOUR,
    UNCLASSIFIED,
    UNCLASSIFIED_COLOUR,
    MapClass,
    read_class_style,
)
from gossan.outlines import DEGREES, wrap_degrees
from gossan.raster import Grid, RasterInfo, read_info
from gossan.report.drawing import (
    COLOURS,
    COMPOSITES,
    INK,
    MOST_PANELS,
    ORANGE,
    PURPLE,
    SYNTHETIC_TEXT,
    choose_evenly,
    nearest_bands,
)
from gossan.report.layout import SENSOR_NAMES, mark_text, render
from gossan.vector_files import is_vector

MOST_BYTES = 24 * 10**6
"""The page takes no more: further layers, those of fit first, are left out and named."""
FRAME_BYTES, LAYER_BYTES = 80_000, 6_000
"""What the page holds at most besides scripts and data: of the whole, and of each layer."""
NODES = 49
"""Places a side at which longitude and latitude are told; between them they are interpolated."""
AROUND = 0.25
"""Of the map's extent, how far beyond its edges they are told."""
PICTURES = ("True colour", "False colour")
CLASSES = ("classes", "flags", "mask")
RASTERS = (*CLASSES, "ramp", "image", "cube")
# Groups by which layers are kept where not all have room.
PRIORITY = ("targets", "maps", "truth", "published", "scene", "fit")


@dataclass
class MapLayer:
    """A layer of the page: what its script is told of it, and its bands' codes as text."""

    told: dict
    planes: list[str] = field(default_factory=list)


class _NotShownError(Exception):
    """Why a layer cannot be laid on the map."""


def draw_map(
    scene: SceneLayers, template: str, script: str, style: str, most_bytes: int = MOST_BYTES
) -> str:
    """The page. `template`, `script` and `style` are those of resources/static.

    A layer that cannot be laid on the map, or has no room in `most_bytes`, is named on the page
    with the reason. Raises InputError for a broken file, and where no raster can be shown.
    """
    main = scene.main_map() or next((item for item in scene.layers if item.kind in RASTERS), None)
    if main is None:
        raise InputError(f"{scene.folder}: holds no raster to show; run the scene's methods first")
    grid = read_info(main.path).grid
    frame = Frame.of(grid)
    bounds = frame.bounds(grid)
    scripts = ["\n".join(Resources(mode="inline", components=["bokeh"]).js_raw), script]
    if any("</script" in text.lower() for text in scripts):
        raise ValueError("a script holds the end of a script")
    layers, left_out = _collect(scene, main, frame, grid)
    base = sum(map(len, (*scripts, style, template)))
    layers, crowded = _fit(layers, most_bytes - base - FRAME_BYTES)
    plot = _plot(frame, bounds, [layer.told for layer in layers])
    document = Document()
    document.add_root(plot)
    ids: dict[str, str] = {}
    record = {
        "layers": [layer.told for layer in layers],
        "bounds": bounds,
        "frame": _tell_frame(frame, bounds),
        "nodata": NODATA_COLOUR,
        "unclassified": UNCLASSIFIED_COLOUR,
        "document": _renumber(document.to_json(deferred=False), ids),
        "root": ids[plot.id],
    }
    return render(
        {"map.html.j2": template},
        "map.html.j2",
        title=scene.scene,
        study=scene.study,
        synthetic=scene.synthetic,
        banner=SYNTHETIC_TEXT,
        mark_text=mark_text,
        policy=_policy(scripts),
        style=Markup(style),
        scripts=[Markup(text) for text in scripts],
        groups=[
            (title, [layer.told for layer in layers if layer.told["group"] == group])
            for group, title in GROUPS.items()
        ],
        notes=[*_say_frame(frame, layers), *_say_left_out(left_out, crowded, most_bytes)],
        record=Markup(_json(record)),
        planes=[
            (band["plane"], Markup(text))
            for layer in layers
            for band, text in zip(layer.told.get("bands", ()), layer.planes, strict=True)
        ],
    )


# ---- Layers -------------------------------------------------------------------------------------


def _collect(
    scene: SceneLayers, main: SceneLayer, frame: Frame, grid: Grid
) -> tuple[list[MapLayer], list[str]]:
    """All layers, from the top down, and what is said of those that cannot be shown."""
    classes = _classes_by_method(scene)
    cubes = [layer for layer in scene.layers if layer.kind == "cube"]
    found, left_out = [], []
    titles = _titles(scene.layers)
    for place, (layer, title) in enumerate(zip(scene.layers, titles, strict=True)):
        key = f"layer{place}"
        try:
            if is_vector(layer.path):
                made = [_vector(layer, key, title, frame, grid, classes)]
            elif layer.kind in RASTERS or layer.kind == KNOWN:
                made = list(_rasters(layer, key, title, frame, classes))
            else:
                continue
        except _NotShownError as reason:
            left_out.append(f"{title}: {reason}.")
            continue
        for number, item in enumerate(made):
            vector = item.told["kind"] == "vector"
            item.told["visible"] = (number == 0 and (layer is main or layer in cubes[:1])) or (
                vector and (layer.group == "targets" or layer.title == "Licence")
            )
            found.append(item)
    return found, left_out


def _titles(layers: Sequence[SceneLayer]) -> list[str]:
    """The layers' titles, with sensor, and with method where two would be alike."""
    titles = [
        f"{layer.title} ({SENSOR_NAMES.get(layer.sensor, layer.sensor)})"
        if layer.sensor
        else layer.title
        for layer in layers
    ]
    return [
        f"{title}, {layer.method}" if layer.method and titles.count(title) > 1 else title
        for title, layer in zip(titles, layers, strict=True)
    ]


def _classes_by_method(scene: SceneLayers) -> dict[str, dict[int, MapClass]]:
    """The classes of each method's maps by code; of all methods under ""."""
    found: dict[str, dict[int, MapClass]] = {"": {}}
    for layer in scene.of("maps"):
        if layer.kind == "classes":
            for item in read_class_style(layer.path):
                found.setdefault(layer.method, {}).setdefault(item.code, item)
                found[""].setdefault(item.code, item)
    return found


def _rasters(
    layer: SceneLayer,
    key: str,
    title: str,
    frame: Frame,
    classes: Mapping[str, Mapping[int, MapClass]],
) -> Iterator[MapLayer]:
    """A raster as layers of the page: two pictures of a cube, a picture of what has colours."""
    info = read_info(layer.path)
    if not frame.takes(info.grid):
        raise _NotShownError("its grid cannot be laid over the main map's")
    told = {"key": key, "title": title, "group": layer.group, "unit": layer.unit, "opacity": 1.0}
    if layer.kind == "cube":
        for number, (name, bands) in enumerate(_pictures(info)):
            whose = (
                title.removeprefix(f"{layer.title} ") if layer.method == "cube" else f", {title}"
            )
            shown = {
                **told,
                "key": f"{key}-{number}",
                "title": f"{name} {whose}".replace(" ,", ","),
            }
            yield _picture(layer, shown, frame, info, bands)
        return
    colours = read_rgb(layer.path) if layer.kind == "image" else []
    if colours:
        shown = {**told, "key": f"{key}-rgb", "title": f"{title}, in colours"}
        bands, *limits = zip(*colours, strict=True)
        yield _picture(layer, shown, frame, info, bands, list(zip(*limits, strict=True)))
        if len(info.bands.names) <= len(colours):
            return
    chosen = choose_evenly(range(len(info.bands.names)), MOST_PANELS)
    if layer.kind == KNOWN:
        chosen = chosen[:1]
    shown, arrays = read_shown(layer.path, chosen, frame)
    planes = [Plane.of(values) for values in arrays]
    bands = [
        {"title": info.bands.names[band] or f"Band {band + 1}", **_tell_plane(plane, key, number)}
        for number, (band, plane) in enumerate(zip(chosen, planes, strict=True))
    ]
    told |= {"place": _tell_place(shown), "bands": bands, "notes": _notes(layer, shown)}
    if len(chosen) < len(info.bands.names) and layer.kind != KNOWN:
        told["notes"].append(f"{len(chosen)} of {len(info.bands.names)} bands, chosen evenly.")
    told["masked"] = any((plane.codes == 0).any() for plane in planes)
    if layer.kind in CLASSES or layer.kind == KNOWN:
        known = classes.get(layer.method, classes[""])
        told |= {"kind": "classes", "classes": _tell_classes(layer, planes, known, info)}
        told["opacity"] = 0.85
    else:
        stops, unit = read_ramp(layer.path)
        told |= {"kind": "ramp", "unit": layer.unit or unit}
        for number, (band, plane) in enumerate(zip(bands, planes, strict=True)):
            band["stops"] = stops if stops and number == 0 else ramp_of(plane)
    yield MapLayer(told, [plane.encode() for plane in planes])


def _pictures(info: RasterInfo) -> Iterator[tuple[str, list[int]]]:
    """Names and bands of the pictures of a cube; its first three bands where no colours fit."""
    composites = dict(COMPOSITES)
    found = [(name, nearest_bands(info.bands, composites[name])) for name in PICTURES]
    found = [(name, bands) for name, bands in found if bands]
    if not found:
        count = len(info.bands.names)
        found = [("First bands", [0, min(1, count - 1), min(2, count - 1)])]
    yield from found


def _picture(
    layer: SceneLayer,
    told: dict,
    frame: Frame,
    info: RasterInfo,
    bands: Sequence[int],
    limits: Sequence[tuple[float, float]] = (),
) -> MapLayer:
    """Three bands as red, green and blue, each between its limits; of a cube, between its 2nd and
    its 98th percentile."""
    shown, arrays = read_shown(layer.path, bands, frame, mean=True)
    planes = [Plane.of(values, PICTURE_STEPS) for values in arrays]
    told |= {
        "kind": "picture",
        "place": _tell_place(shown),
        "masked": any((plane.codes == 0).any() for plane in planes),
        "notes": _notes(layer, shown, mean=True),
        "bands": [
            {
                "title": _band_title(info, band),
                **_tell_plane(plane, told["key"], number),
                "stops": [(end, "") for end in limits[number]] if limits else ramp_of(plane),
            }
            for number, (band, plane) in enumerate(zip(bands, planes, strict=True))
        ],
    }
    return MapLayer(told, [plane.encode() for plane in planes])


def _band_title(info: RasterInfo, band: int) -> str:
    if info.bands.centre_um:
        return f"{info.bands.centre_um[band]:.2f} µm"
    return info.bands.names[band] or f"Band {band + 1}"


def _tell_plane(plane: Plane, key: str, number: int) -> dict:
    return {
        "plane": f"{key}-band{number}",
        "low": plane.low,
        "step": plane.step,
        "bytes": plane.codes.itemsize,
        "differs": plane.differs,
    }


def _tell_place(shown: Shown) -> dict:
    names = ("west", "north", "dx", "dy", "width", "height")
    return {name: getattr(shown, name) for name in names}


def _notes(layer: SceneLayer, shown: Shown, *, mean: bool = False) -> list[str]:
    """What a reader has to know of how a layer is shown."""
    notes = [_sentence(layer.note)] if layer.note and layer.kind not in CLASSES else []
    n = shown.every
    if n > 1:
        notes.append(
            f"Shown coarser: means of {n} x {n} pixels."
            if mean
            else f"Shown coarser: every {_ordinal(n)} pixel."
        )
    if shown.moved:
        notes.append("Brought to the map's coordinates by nearest neighbour.")
    return notes


def _ordinal(number: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10 if number // 10 % 10 != 1 else 0, "th")
    return f"{number}{ending}"


def _tell_classes(
    layer: SceneLayer, planes: Sequence[Plane], known: Mapping[int, MapClass], info: RasterInfo
) -> list[tuple[int, str, str | None]]:
    """Value, label and colour of what occurs in the bands; no colour for what stays clear."""
    try:
        styled = {item.code: item for item in read_class_style(layer.path)}
    except InputError:
        if layer.kind != KNOWN:
            raise
        styled = {}  # the user's own file beside a truth, of whatever program
    known = styled or known
    values = [np.unique(plane.codes[plane.codes > 0]) for plane in planes]
    present = {
        round(plane.low + (code - 1.0) * plane.step)
        for plane, codes in zip(planes, values, strict=True)
        for code in codes
    }
    told = []
    for place, value in enumerate(sorted(present)):
        colour = COLOURS[place % len(COLOURS)]
        if layer.kind == "mask":
            sensors = [name for bit, name in enumerate(SENSORS) if value >> bit & 1]
            label = ", ".join(SENSOR_NAMES.get(name, name) for name in sensors) or "none"
            told.append((value, label, colour if sensors else None))
        elif value == UNCLASSIFIED:
            veiled = layer.kind != "flags"
            told.append(
                (value, "Unclassified" if veiled else "No", UNCLASSIFIED_COLOUR if veiled else None)
            )
        elif value in known:
            told.append((value, known[value].label, known[value].colour))
        else:
            told.append((value, f"Class {value}", colour))
    return told


def _vector(
    layer: SceneLayer,
    key: str,
    title: str,
    frame: Frame,
    grid: Grid,
    classes: Mapping[str, Mapping[int, MapClass]],
) -> MapLayer:
    """A vector file as a layer: all layers of one of ours, laid over each other."""
    bounds = frame.bounds(grid)
    pixel = max(bounds[2] - bounds[0], bounds[3] - bounds[1]) / MOST_PX
    marks, note = read_marks(layer.path, frame, bounds, pixel / 2, every=layer.kind != KNOWN)
    if not marks:
        raise _NotShownError(note or "it holds no feature on the map")
    colours = {
        name.casefold(): item.colour
        for item in classes.get(layer.method, classes[""]).values()
        for name in (item.name, item.label)
    }
    present = {}
    for mark in marks:
        colour = colours.get(mark["name"].casefold())
        if colour and layer.group != "targets":
            mark["colour"] = present[mark["name"]] = colour
    told = {
        "key": key,
        "title": title,
        "group": layer.group,
        "kind": "vector",
        "opacity": 1.0,
        "notes": [_sentence(text) for text in (layer.note, note) if text],
        "colour": _vector_colour(layer),
        "dashed": layer.title == "Licence",
        "marks": marks,
        "classes": [(None, name, colour) for name, colour in sorted(present.items())],
    }
    return MapLayer(told)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}".rstrip(".") + "."


def _vector_colour(layer: SceneLayer) -> str:
    if layer.group == "targets":
        return ORANGE
    fixed = {"Licence": INK, "Claims": PURPLE}
    return fixed.get(layer.title, COLOURS[len(layer.title) % len(COLOURS)])


def _fit(layers: Sequence[MapLayer], room: int) -> tuple[list[MapLayer], list[str]]:
    """The layers for which there is room, and the titles of those for which there is none.

    First bands come before further ones; a picture comes with its three or not at all.
    """

    def rank(layer: MapLayer) -> tuple:
        told = layer.told
        return (
            not told["visible"],
            PRIORITY.index(told["group"]),
            told["kind"] != "picture",
        )

    kept, crowded = set(), []
    parts = []
    for layer in layers:
        size = LAYER_BYTES + len(_json(layer.told).encode())
        whole = layer.told["kind"] == "picture"
        first = sum(map(len, layer.planes)) if whole else sum(map(len, layer.planes[:1]))
        parts.append((0, rank(layer), id(layer), layer, size + first))
        if not whole and len(layer.planes) > 1:
            rest = sum(map(len, layer.planes[1:]))
            parts.append((1, rank(layer), id(layer), layer, rest))
    for further, _, _, layer, size in sorted(parts, key=lambda part: part[:2]):
        if further and id(layer) not in kept:
            continue
        if size <= room:
            room -= size
            kept.add(id(layer))
        elif further:
            layer.told["bands"], layer.planes = layer.told["bands"][:1], layer.planes[:1]
            layer.told["notes"].append("Only its first band has room here.")
        else:
            crowded.append(layer.told["title"])
    return [layer for layer in layers if id(layer) in kept], crowded


# ---- The page -----------------------------------------------------------------------------------


def _plot(
    frame: Frame, bounds: tuple[float, float, float, float], layers: Sequence[Mapping]
) -> Plot:
    """The empty map: `map.js` fills the source of a layer when it is switched on."""
    west, south, east, north = bounds
    plot = figure(
        x_range=Range1d(west, east),
        y_range=Range1d(south, north),
        sizing_mode="stretch_both",
        min_width=1,
        min_height=1,
        toolbar_location=None,
        tools=[PanTool(), wheel := WheelZoomTool()],
        active_scroll=wheel,
        background_fill_color="#ffffff",
        name="map",
    )
    plot.grid.visible = False
    plot.min_border = 0
    for axis in plot.axis:
        axis.formatter = BasicTickFormatter(use_scientific=False)
        axis.major_label_text_font_size = "11px"
        axis.ticker.desired_num_ticks = 4
    plot.yaxis.major_label_orientation = "vertical"
    for layer in reversed(layers):
        if layer["kind"] == "vector":
            _add_marks(plot, layer)
        else:
            source = ColumnDataSource({"image": [np.zeros((1, 1), np.uint32)]})
            place = layer["place"]
            plot.image_rgba(
                image="image",
                source=source,
                x=place["west"],
                y=place["north"],
                dw=place["width"] * place["dx"],
                dh=place["height"] * place["dy"],
                anchor="top_left",
                origin="top_left",
                name=layer["key"],
                visible=False,
                level="image",
            )
    metres = None if frame.crs is None or not frame.crs.is_projected else frame.crs
    if metres is not None and metres.linear_units_factor[1] == 1:
        plot.add_layout(
            ScaleBar(
                range=plot.x_range,
                unit="m",
                location="bottom_left",
                background_fill_alpha=0.8,
                label="@{value} @{unit}",
                bar_length=0.1,
                padding=4,
            )
        )
    return plot


def _add_marks(plot: Plot, layer: Mapping) -> None:
    """Outlines over a pale seam, points and names of a layer of features, all still empty."""
    lines = ColumnDataSource({"xs": [], "ys": [], "colour": []})
    points = ColumnDataSource({"x": [], "y": [], "colour": []})
    names = ColumnDataSource({"x": [], "y": [], "text": []})
    more = {"name": layer["key"], "visible": False}
    plot.multi_line(
        "xs", "ys", source=lines, line_color="#ffffff", line_width=4, line_alpha=0.8, **more
    )
    plot.multi_line(
        "xs",
        "ys",
        source=lines,
        line_color="colour",
        line_width=2,
        line_dash="dashed" if layer["dashed"] else "solid",
        **more,
    )
    plot.scatter(
        "x",
        "y",
        source=points,
        size=9 if len(layer["marks"]) < 300 else 5,
        fill_color="colour",
        line_color="#ffffff",
        **more,
    )
    plot.text(
        "x",
        "y",
        "text",
        source=names,
        x_offset=7,
        y_offset=-4,
        text_font_size="13px",
        text_font_style="bold",
        text_color=INK,
        background_fill_color="#ffffff",
        background_fill_alpha=0.8,
        **more,
    )


def _tell_frame(frame: Frame, bounds: tuple[float, float, float, float]) -> dict:
    """What the script needs to tell coordinates: names of the axes, and degrees at nodes."""
    geographic = frame.crs is not None and frame.crs.is_geographic
    told = {
        "kind": "pixels" if frame.turned else "degrees" if geographic else "plain",
        "name": _crs_name(frame),
        "unit": _unit(frame),
        # How much longer a unit northwards is drawn than one eastwards.
        "stretch": 1 / np.cos(np.radians((bounds[1] + bounds[3]) / 2)) if geographic else 1.0,
    }
    if frame.crs is None or geographic:
        return told
    west, south, east, north = bounds
    around_x, around_y = AROUND * (east - west), AROUND * (north - south)
    xs = np.linspace(west - around_x, east + around_x, NODES)
    ys = np.linspace(south - around_y, north + around_y, NODES)
    places = [axis.ravel() for axis in np.meshgrid(xs, ys)]
    longitude, latitude = (np.array(axis) for axis in transform_points(frame.crs, DEGREES, *places))
    if not np.isfinite([longitude, latitude]).all():
        return told
    longitude = wrap_degrees(longitude, longitude[len(longitude) // 2])
    told["nodes"] = {
        "xs": [xs[0], xs[-1]],
        "ys": [ys[0], ys[-1]],
        "number": NODES,
        "longitude": longitude.round(7).tolist(),
        "latitude": latitude.round(7).tolist(),
    }
    return told


def _crs_name(frame: Frame) -> str:
    if frame.crs is None:
        return ""
    code = frame.crs.to_epsg()
    return f"EPSG:{code}" if code else "own coordinate system"


def _unit(frame: Frame) -> str:
    if frame.crs is None or not frame.crs.is_projected:
        return ""
    name, factor = frame.crs.linear_units_factor
    return "m" if factor == 1 else name


def _say_frame(frame: Frame, layers: Sequence[MapLayer]) -> list[str]:
    notes = []
    if frame.turned is not None:
        notes.append(
            "The scene's grid is turned and has no coordinate system: the map shows its columns "
            "and rows."
        )
    elif frame.crs is None:
        notes.append(
            "The scene has no coordinate system: coordinates are its own, without longitude and "
            "latitude."
        )
    if any("coarser" in note for layer in layers for note in layer.told["notes"]):
        notes.append(
            f"The scene is larger than {MOST_PX} pixels a side, which a browser bears: layers are "
            "shown coarser, as their notes say. The rasters themselves have every pixel."
        )
    return notes


def _say_left_out(left_out: Sequence[str], crowded: Sequence[str], most_bytes: int) -> list[str]:
    notes = [f"Not shown: {text}" for text in left_out]
    if crowded:
        notes.append(
            f"Not shown, to keep this page below {most_bytes / 1e6:g} MB: {'; '.join(crowded)}. "
            "Open them in QGIS."
        )
    return notes


def _renumber(value: object, ids: dict[str, str]) -> object:
    """JSON of Bokeh's with ids of its own: those of Bokeh count what a process has made before."""
    if isinstance(value, list):
        return [_renumber(item, ids) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: ids.setdefault(item, f"m{len(ids)}")
        if key == "id" and isinstance(item, str)
        else _renumber(item, ids)
        for key, item in value.items()
    }


def _policy(scripts: Sequence[str]) -> str:
    """What the page may do: run these scripts and show what it holds, and reach nothing else."""
    hashes = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts]
    allowed = " ".join(f"'sha256-{text}'" for text in hashes)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; "
        "img-src data: blob:; base-uri 'none'; form-action 'none'"
    )


def _json(value: object) -> str:
    """JSON that may stand in a page."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")
