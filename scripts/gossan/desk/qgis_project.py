"""A project of QGIS that shows a scene: its layers in groups, styled, with paths beside it.

QGIS keeps a project as XML (.qgs). What is written here is what its version 3.22 reads, and newer
ones do; the styles are those that lie beside the rasters and within the GeoPackages.
"""

import os
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyogrio
from rasterio.crs import CRS
from rasterio.enums import WktVersion

from gossan.cube.colours import choose_views, view_style
from gossan.cube.instruments import INSTRUMENTS
from gossan.desk.layers import GROUPS, KNOWN, SceneLayer, SceneLayers
from gossan.errors import InputError
from gossan.files import newest
from gossan.legend import read_qml
from gossan.paths import split_layer
from gossan.raster import Grid, read_info
from gossan.vector_styles import MARKER, QGIS_VERSION, VectorStyle, as_text, read_style, symbol_kind

MOST_SHOWN = 200
"""Of what is known, layers of at most so many features are drawn from the start."""
SYNTHETIC = "SYNTHETIC: simulated ground, not an observed place"
_SENSORS = {name: item.label for name, item in INSTRUMENTS.items()} | {"stack": "all sensors"}


@dataclass(frozen=True)
class _Entry:
    """A layer as the project has it: `source` as QGIS names it, `style` the root of a .qml."""

    layer: SceneLayer
    name: str
    source: str
    crs: CRS | None
    style: ET.Element | None
    visible: bool
    bands: int = 0
    geometry: str = ""

    @property
    def provider(self) -> str:
        """What of QGIS reads it."""
        return "ogr" if self.geometry else "gdal"


def build_project(scene: SceneLayers) -> str:
    """The text of the project that shows a scene, to be written into `scene.folder`.

    Drawn from the start are targets, the main map, what is known where it is not much, and the
    colours of the scene below; all else is a click away. What the user brought must have been
    copied (`known_layers.replace_known`). Raises InputError for a scene without a raster.
    """
    main = scene.main_map()
    rasters = [layer for layer in scene.layers if _is_raster(layer)]
    if not rasters:
        raise InputError(f"{scene.folder}: holds no raster yet; run the methods of the scene first")
    grid = read_info((main or rasters[0]).path).grid
    cubes = [layer for layer in rasters if layer.kind == "cube" and layer.method == "cube"]
    under = [layer for layer in cubes if main and layer.sensor == main.sensor] or cubes
    entries: list[_Entry] = []
    for layer in scene.layers:
        if layer.kind == "cube":
            entries += _cube_entries(scene, layer, under[:1] == [layer])
        elif _is_raster(layer):
            entries.append(_raster_entry(scene, layer, layer == main))
        elif layer.kind != KNOWN and split_layer(layer.path)[0].suffix.lower() == ".gpkg":
            entries += _vector_entries(scene, layer)
    return as_text(_project(scene, grid, entries))


def _is_raster(layer: SceneLayer) -> bool:
    return layer.kind != KNOWN and layer.path.suffix.lower() == ".tif"


def _cube_entries(scene: SceneLayers, layer: SceneLayer, shown: bool) -> Iterator[_Entry]:
    """A layer for each way of showing a cube's colours, of which the first is `shown`, or not."""
    info = read_info(layer.path)
    for number, (title, places) in enumerate(choose_views(info.bands)):
        text = title if layer.method == "cube" else f"{layer.title}, {title.lower()}"
        yield _Entry(
            layer,
            _named(text, layer.sensor),
            _beside(scene, layer.path),
            info.grid.crs,
            ET.fromstring(view_style(layer.path, places)),
            shown and number == 0,
            bands=len(info.bands.names),
        )


def _raster_entry(scene: SceneLayers, layer: SceneLayer, shown: bool) -> _Entry:
    info = read_info(layer.path)
    qml = newest(layer.path.with_suffix(".qml"))
    style = read_qml(qml) if qml.is_file() else None
    # Of several bands that are drawn one at a time the name tells which.
    drawn = None if style is None else style.find("pipe/rasterrenderer").get("band")
    several = layer.kind in ("flags", "image") and len(info.bands.names) > 1
    title = (
        f"{layer.title}, {info.bands.names[int(drawn) - 1]}" if several and drawn else layer.title
    )
    return _Entry(
        layer,
        _named(title, layer.sensor),
        _beside(scene, layer.path),
        info.grid.crs,
        style,
        shown,
        bands=len(info.bands.names),
    )


def _vector_entries(scene: SceneLayers, layer: SceneLayer) -> Iterator[_Entry]:
    """The layers of a GeoPackage that have a geometry, or the one that is named.

    What was written last lies on top, such as points on their outlines.
    """
    file, only = split_layer(layer.path)
    # The copy of what is known has its name only when the project has its own.
    now = newest(file)
    names = [str(name) for name, kind in pyogrio.list_layers(now) if kind]
    for name in [only] if only else reversed(names):
        told = pyogrio.read_info(now, layer=name, force_feature_count=True)
        ranked = "rank" in told["fields"] and symbol_kind(told["geometry_type"]) == MARKER
        plain = VectorStyle(label="rank" if ranked else "")
        style = read_style(now, name) or plain.qml(told["geometry_type"])
        several = not only and len(names) > 1
        ours = layer.group == "targets"
        # A truth is compared with a map, so it does not lie on it from the start.
        few = layer.group == "truth" and not layer.method and told["features"] <= MOST_SHOWN
        yield _Entry(
            layer,
            _named(f"{layer.title}: {name}" if several else layer.title, layer.sensor),
            f"{_beside(scene, file)}|layername={name}",
            CRS.from_user_input(told["crs"]) if told["crs"] else None,
            ET.fromstring(style),
            ours or few,
            geometry=told["geometry_type"],
        )


def _named(title: str, sensor: str) -> str:
    return f"{title} ({_SENSORS.get(sensor, sensor)})" if sensor else title


def _beside(scene: SceneLayers, path: Path) -> str:
    """A path as QGIS writes it relative to the project."""
    relative = Path(os.path.relpath(path, scene.folder)).as_posix()
    return relative if relative.startswith("..") else f"./{relative}"


def _project(scene: SceneLayers, grid: Grid, entries: Sequence[_Entry]) -> ET.Element:
    title = f"{scene.scene} ({scene.study})" + (f", {SYNTHETIC}" if scene.synthetic else "")
    # QGIS takes an id of ten letters or less for none.
    ids = [
        f"{re.sub('[^A-Za-z0-9]+', '_', entry.layer.key)}_layer_{number:03d}"
        for number, entry in enumerate(entries)
    ]
    root = ET.Element("qgis", version=QGIS_VERSION, projectname=title)
    ET.SubElement(root, "homePath", path="")
    ET.SubElement(root, "title").text = title
    _add_crs(ET.SubElement(root, "projectCrs"), grid.crs)
    _add_tree(root, entries, ids)
    _add_canvas(root, grid)
    layers = ET.SubElement(root, "projectlayers")
    order = ET.SubElement(root, "layerorder")
    for entry, name in zip(entries, ids, strict=True):
        _add_layer(layers, scene, entry, name)
        ET.SubElement(order, "layer", id=name)
    properties = ET.SubElement(root, "properties")
    ET.SubElement(ET.SubElement(properties, "Paths"), "Absolute", type="bool").text = "false"
    # Without it QGIS reads no reference system of the project.
    systems = ET.SubElement(properties, "SpatialRefSys")
    ET.SubElement(systems, "ProjectionsEnabled", type="int").text = "1"
    metadata = ET.SubElement(root, "projectMetadata")
    ET.SubElement(metadata, "title").text = title
    ET.SubElement(metadata, "abstract").text = SYNTHETIC if scene.synthetic else ""
    view = ET.SubElement(root, "ProjectViewSettings", UseProjectScales="0", rotation="0")
    ET.SubElement(view, "Scales")
    sides = dict(zip(("xmin", "ymin", "xmax", "ymax"), map(repr, grid.bounds), strict=True))
    _add_crs(ET.SubElement(view, "DefaultViewExtent", sides), grid.crs)
    return root


def _add_tree(root: ET.Element, entries: Sequence[_Entry], ids: Sequence[str]) -> None:
    tree = ET.SubElement(root, "layer-tree-group")
    for group, title in GROUPS.items():
        own = [pair for pair in zip(entries, ids, strict=True) if pair[0].layer.group == group]
        if not own:
            continue
        shown = any(entry.visible for entry, _ in own)
        branch = ET.SubElement(
            tree,
            "layer-tree-group",
            name=title,
            checked="Qt::Checked",
            expanded="1" if shown else "0",
        )
        for entry, name in own:
            legend = entry.visible and entry.layer.group in ("targets", "maps")
            ET.SubElement(
                branch,
                "layer-tree-layer",
                id=name,
                name=entry.name,
                source=entry.source,
                providerKey=entry.provider,
                checked="Qt::Checked" if entry.visible else "Qt::Unchecked",
                expanded="1" if legend else "0",
            )

    # Outlines and points lie on every raster, whichever group they are in.
    order = ET.SubElement(tree, "custom-order", enabled="1")
    pairs = sorted(zip(entries, ids, strict=True), key=lambda pair: not pair[0].geometry)
    for _, name in pairs:
        ET.SubElement(order, "item").text = name


def _add_canvas(root: ET.Element, grid: Grid) -> None:
    """The part of the ground that the window shows first."""
    canvas = ET.SubElement(root, "mapcanvas", name="theMapCanvas", annotationsVisible="1")
    metric = grid.crs is not None and grid.crs.is_projected
    ET.SubElement(canvas, "units").text = "meters" if metric else "degrees"
    _add_extent(canvas, grid.bounds)
    ET.SubElement(canvas, "rotation").text = "0"
    _add_crs(ET.SubElement(canvas, "destinationsrs"), grid.crs)


def _add_extent(parent: ET.Element, bounds: Sequence[float]) -> None:
    extent = ET.SubElement(parent, "extent")
    for name, value in zip(("xmin", "ymin", "xmax", "ymax"), bounds, strict=True):
        ET.SubElement(extent, name).text = repr(value)


def _add_layer(parent: ET.Element, scene: SceneLayers, entry: _Entry, name: str) -> None:
    kind = "vector" if entry.geometry else "raster"
    layer = ET.SubElement(parent, "maplayer", type=kind, styleCategories="AllStyleCategories")
    ET.SubElement(layer, "id").text = name
    ET.SubElement(layer, "datasource").text = entry.source
    ET.SubElement(layer, "layername").text = entry.name
    _add_crs(ET.SubElement(layer, "srs"), entry.crs)
    _describe(layer, scene, entry)
    if entry.geometry:
        symbols = {"marker": "Point", "line": "Line", "fill": "Polygon"}
        layer.set("geometry", symbols[symbol_kind(entry.geometry)])
        ET.SubElement(layer, "provider", encoding="UTF-8").text = entry.provider
    else:
        ET.SubElement(layer, "provider").text = entry.provider
        nodata = ET.SubElement(layer, "noData")
        for band in range(1, entry.bands + 1):
            ET.SubElement(nodata, "noDataList", bandNo=str(band), useSrcNoData="1")
    if entry.style is not None:
        layer.set("labelsEnabled", entry.style.get("labelsEnabled", "0"))
        layer.extend(entry.style)


def _describe(layer: ET.Element, scene: SceneLayers, entry: _Entry) -> None:
    """What the layer is, which QGIS shows under the pointer and in the layer's properties."""
    own = entry.layer
    title = f"{entry.name}, {scene.scene}, study {scene.study}"
    told = [own.note, f"in {own.unit}" if own.unit else "", SYNTHETIC if scene.synthetic else ""]
    note = "; ".join(filter(None, told))
    ET.SubElement(layer, "title").text = title
    ET.SubElement(layer, "abstract").text = note
    metadata = ET.SubElement(layer, "resourceMetadata")
    ET.SubElement(metadata, "title").text = title
    ET.SubElement(metadata, "abstract").text = note


def _add_crs(parent: ET.Element, crs: CRS | None) -> None:
    """A reference system by its definition, and by its number where it is exactly that."""
    system = ET.SubElement(parent, "spatialrefsys")
    if crs is None:
        return
    ET.SubElement(system, "wkt").text = crs.to_wkt(version=WktVersion.WKT2_2019)
    authority = crs.to_authority(confidence_threshold=100)
    if authority is not None:
        ET.SubElement(system, "authid").text = ":".join(authority)
    ET.SubElement(system, "geographicflag").text = "true" if crs.is_geographic else "false"
