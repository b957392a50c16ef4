"""What the user knows of a scene, copied beside its results in the formats and styles of ours.

A project then needs no file but those of the scene's folder, which can be moved or handed on; and
what opens it reads nothing that was not checked here.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gossan.desk.layers import KNOWN, SceneLayers
from gossan.legend import CLASS_ATTRIBUTE, NODATA, UNCLASSIFIED, MapClass, write_class_style
from gossan.raster import Layer, map_blocks, read_info
from gossan.vector_files import is_vector, read_vector
from gossan.vector_styles import Category, VectorStyle
from gossan.vectors import write_layers

if TYPE_CHECKING:
    import geopandas

PACKAGE = "known.gpkg"
NAMES = ("name", "Name", "NAME", "label")
"""Attributes whose text is written beside features, the first that there is."""
COLOURS = ("#1B1B1B", "#6A1B9A", "#0D47A1", "#AD1457", "#00695C", "#E65100")
"""Colours of layers one after another, and of classes that have none."""
_FAMILIES = {
    **dict.fromkeys(("Point", "MultiPoint"), "MultiPoint"),
    **dict.fromkeys(("LineString", "MultiLineString", "LinearRing"), "MultiLineString"),
    **dict.fromkeys(("Polygon", "MultiPolygon"), "MultiPolygon"),
}


def replace_known(
    scene: SceneLayers, folder: Path, classes: Mapping[str, Sequence[MapClass]]
) -> SceneLayers:
    """The layers of a scene with copies in `folder` in place of what the user brought.

    Vectors become layers of one GeoPackage, one for each kind of geometry, class rasters rasters
    of ours. `classes` by method are those that its truth is told in, "" those of methods not
    named. Raises InputError for a file that cannot be read.
    """
    layers, tables, styles = [], {}, {}
    for place, layer in enumerate(scene.layers):
        legend = classes.get(layer.method, classes.get("", ()))
        if layer.kind != KNOWN:
            layers.append(layer)
        elif not is_vector(layer.path):
            path = folder / f"{_plain(layer.title)}.tif"
            _copy_raster(layer.path, path, legend)
            layers.append(replace(layer, kind="classes", path=path))
        else:
            features, _ = read_vector(layer.path, "features")
            colour = COLOURS[place % len(COLOURS)]
            families = _families(features)
            for family, table in families.items():
                told = f"{family.removeprefix('Multi')}s".lower()
                title = layer.title if len(families) == 1 else f"{layer.title}, {told}"
                name = _plain(title)
                tables[name] = (table, family)
                styles[name] = _style(table, legend, colour, title)
                path = folder / f"{PACKAGE}|layername={name}"
                layers.append(replace(layer, kind="vector", path=path, title=title))
    if tables:
        write_layers(folder / PACKAGE, tables, styles)
    return replace(scene, layers=tuple(layers))


def _plain(title: str) -> str:
    """A title as the name of a file or table."""
    return re.sub("[^a-z0-9]+", "-", title.lower()).strip("-")


def _copy_raster(source: Path, target: Path, classes: Sequence[MapClass]) -> None:
    """A class raster of any type of number as one of ours, with the legend of the codes in it."""
    info = read_info(source)
    seen = np.zeros(NODATA + 1, bool)

    def take(block: np.ndarray) -> np.ndarray:
        odd = ~((block >= UNCLASSIFIED) & (block < NODATA))
        codes = np.where(odd, NODATA, block).astype(np.uint8)
        seen[np.unique(codes)] = True
        return codes

    layer = Layer(target, "uint8", NODATA, info.bands.names, overviews="mode", tags=info.tags)
    map_blocks(take, [source], [layer])
    known = {item.code: item for item in classes}
    codes = [int(code) for code in np.flatnonzero(seen[:NODATA]) if code != UNCLASSIFIED]
    write_class_style(target, [known.get(code) or _unnamed(code) for code in codes])


def _unnamed(code: int) -> MapClass:
    return MapClass(code, f"code {code}", f"Code {code}", COLOURS[code % len(COLOURS)])


def _families(features: "geopandas.GeoDataFrame") -> dict[str, "geopandas.GeoDataFrame"]:
    """Features by the kind of their geometries, flat, with attributes that any format can hold."""
    import shapely

    if "geometry" not in features.columns:
        return {}
    features = features[features.geometry.notna() & ~features.geometry.is_empty]
    features = _plain_columns(features).explode(ignore_index=True)
    families: dict[str, geopandas.GeoDataFrame] = {}
    for family in dict.fromkeys(_FAMILIES.values()):
        own = features[features.geometry.geom_type.map(_FAMILIES.get) == family]
        if len(own):
            flat = shapely.force_2d(own.geometry.to_numpy())
            families[family] = own.set_geometry(flat, crs=features.crs).reset_index(drop=True)
    return families


def _plain_columns(features: "geopandas.GeoDataFrame") -> "geopandas.GeoDataFrame":
    """Attributes as numbers or texts, under names that a GeoPackage can tell apart."""
    import pandas

    features = features.copy()
    taken = {"fid", "geom", "geometry"}
    names = {}
    for name in features.columns.drop("geometry"):
        plain = name
        while plain.casefold() in taken:
            plain += "_"
        taken.add(plain.casefold())
        names[name] = plain
        if features[name].dtype.kind not in "iufb":
            values = features[name].array
            features[name] = [None if pandas.isna(value) else str(value) for value in values]
    return features.rename(columns=names)


def _style(
    table: "geopandas.GeoDataFrame", classes: Sequence[MapClass], colour: str, note: str
) -> VectorStyle:
    label = next((name for name in NAMES if name in table.columns), "")
    if CLASS_ATTRIBUTE not in table.columns:
        return VectorStyle(colour, label=label, note=note)
    known = {item.name: item for item in classes}
    values = sorted(set(table[CLASS_ATTRIBUTE].dropna().map(str)))
    spare = {value: COLOURS[place % len(COLOURS)] for place, value in enumerate(values)}
    categories = [
        Category(value, known[value].label, known[value].colour)
        if value in known
        else Category(value, value, spare[value])
        for value in values
    ]
    return VectorStyle(
        colour,
        attribute=CLASS_ATTRIBUTE,
        categories=categories,
        filled=True,
        label=label,
        note=note,
    )
