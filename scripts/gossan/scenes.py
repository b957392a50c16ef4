"""The table of scenes, and the plan: which methods of a study run on which sensors of a scene."""

import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from gossan.config import METHODS, favourable_minerals, has_grades, methods_of
from gossan.delimited import find_degrees, header_of, read_delimited, read_text
from gossan.errors import InputError
from gossan.legend import CLASS_ATTRIBUTE
from gossan.paths import is_there, list_files, named_path, split_layer
from gossan.schema import nearest, schema_faults
from gossan.vector_files import fault_of_degrees
from gossan.vector_heads import read_head

TWIN = "twin"
# Several sensors on one grid, which methods take for one more sensor.
STACK = "stack"
RASTERS = "rasters"
# Pictures of each sensor's cube, which no section of a study asks for.
IMAGES = "images"
# Methods that run once a scene; all others run on each of its sensors.
WHOLE_SCENE = ("embedding", "targets")
# Methods whose maps a mosaic joins, and which one scene teaches for all of it.
JOINED = ("minerals", "prospects")
# Methods whose maps are compared with a truth.
ASSESSED = ("minerals", "zones", "prospects", "embedding")
# The simulated ground whose grades of iron are known.
IRON = "iron"
# What is known of a simulated ground, by what a method compares with it.
TWIN_TRUTHS = {
    "porphyry": {"minerals": "truth.tif"},
    "porphyry-zones": {"minerals": "truth.tif", "zones": "zones.gpkg"},
    IRON: {"prospects": "truth.tif"},
    "epithermal": {"minerals": "truth.tif"},
}
TWIN_PRODUCTS = {
    "landsat": "landsat.tar",
    "aster": "aster.hdf",
    "sentinel2": "sentinel2",
    "emit": "emit.nc",
    "enmap": "enmap",
    "prisma": "prisma.he5",
    "worldview3": "worldview3",
}
SURVEYS = (
    *("mines", "ore_points", "geology", "claims", "occurrences"),
    *("known_mines", "districts"),
)
TWIN_RASTERS = ("dem.tif", "magnetics.tif")
# Endings, in place of a file's own or after it, of what is read with a shapefile or a table of
# MapInfo, with an ENVI image or library, with any raster, and with a GeoPackage.
_BESIDE = {
    ".shp": (".dbf", ".shx", ".prj", ".cpg"),
    ".tab": (".dat", ".map", ".id", ".ind"),
    ".mif": (".mid",),
    ".gpkg": ("-wal",),
}
_BESIDE_RASTERS = (
    *(".hdr", ".sli", ".prj", ".aux.xml", ".aux", ".tfw", ".tifw", ".wld", ".ovr", ".msk"),
)
# Records of USGS spectra are text; their wavelengths lie in a folder as far up as this.
_USGS, _LEVELS_UP = (".txt", ".asc"), 4
_STAC_MAX_BYTES = 16 << 20
# Bands are sought as far from a wavelength as this (µm); see preprocess_scene --centres-um.
_REACH_UM = 0.06
_LEAST_ZONE_BANDS = 2
_LEAST_RANGE_BANDS = 3


def read_scenes(path: str | Path, schema: Mapping) -> tuple[list[dict[str, str]], list[str]]:
    """Rows of the table of scenes, and its faults, one line each.

    Lines that start with `#` are comments. Errors: InputError when the file cannot be read.
    """
    columns = list(schema["properties"])
    try:
        table = read_delimited(path, clean=str.strip)
    except InputError as error:
        raise InputError(f"scenes: cannot read {path}; give a table ({error})") from error
    if table.columns not in (columns, columns[:-1]):
        return [], [f"{path}: the first line must be these columns with tabs between: {columns}"]
    rows, faults = [], []
    by_scene: dict[str, list[dict[str, str]]] = {}
    for number, row in zip(table.lines, table.rows, strict=True):
        place = f"{path}, line {number}"
        if not row["sensor"]:
            faults.append(f"{place}: has not {len(columns)} columns; separate them with tabs")
            continue
        row = {name: row.get(name, "") for name in columns}
        row["product"] = named_path(row["product"])
        faults += schema_faults(row, schema, f"{place}, ")
        faults += [f"{place}, {fault}" for fault in _row_faults(row)]
        same = by_scene.setdefault(row["scene"], [])
        faults += [f"{place}, {fault}" for fault in _repetition_faults(row, same)]
        rows.append(row)
        same.append(row)
    if not rows and not faults:
        faults.append(f"{path}: lists no scene; add a row")
    return rows, faults


def ground_of(product: str) -> str:
    """The simulated ground that a product is of; empty for a real one."""
    if product == TWIN:
        return next(iter(TWIN_TRUTHS))
    prefix, _, ground = product.partition(":")
    return ground.partition(":")[0] if prefix == TWIN else ""


def tile_of(product: str) -> str:
    """The number of the tile, from 1, that a product of simulated ground is; empty for all."""
    return product.partition(":")[2].partition(":")[2] if ground_of(product) else ""


def belongings(path: str | Path) -> list[str]:
    """What is read with a file or folder that a user names, as far as it is there, in order.

    All of the user's files of a folder; beside a file its header, attributes, reference system,
    overviews and journal, in whatever capitals; EMIT's mask; the tiles of an image of WorldView-3;
    the wavelengths of USGS spectra; what a STAC item or catalogue on disk names.
    """
    file, _ = split_layer(path)
    if file.is_dir():
        found = {*list_files(file, "**/*"), *_wavelengths(file.parents[: _LEVELS_UP - 1])}
    else:
        is_part = _partner_of(file)
        names = os.listdir(file.parent) if file.parent.is_dir() else ()  # noqa: PTH208
        found = {file.parent / name for name in names if is_part(name.casefold())}
        if file.suffix.lower() in _USGS:
            found |= set(_wavelengths(file.parents[:_LEVELS_UP]))
        if file.suffix.lower() in (".json", ".geojson"):
            found |= _stac_files(file)
    return sorted(str(item) for item in found - {file} if item.is_file())


def _partner_of(file: Path) -> Callable[[str], bool]:
    """Whether a file of that name, in small letters, in the same folder is read with this one."""
    name, stem, ending = (text.casefold() for text in (file.name, file.stem, file.suffix))
    endings = _BESIDE.get(ending, _BESIDE_RASTERS)
    names = {f"{start}{other}" for start in (stem, name) for other in endings}
    if ending == ".hdr":
        names.add(stem)  # `lib.sli` of `lib.sli.hdr`

    def is_part(other: str) -> bool:
        if ending == ".nc":
            # A mask may be of another version than its reflectance.
            mask = re.sub(r"mask_\d{3}_", "mask_", other)
            due = re.sub(r"rfl_\d{3}_", "rfl_", name).replace("rfl", "mask")
            return mask == due or other == f"{stem}_mask.nc"
        if ending == ".imd":
            return re.sub(r"_r\d+c\d+", "", other).rpartition(".")[0] == stem
        return other in names

    return is_part


def _wavelengths(folders: Iterable[Path]) -> list[Path]:
    """Files of wavelengths of USGS spectra, which may lie above them."""
    return [file for folder in folders for file in folder.glob("*[Ww]avelengths*.txt")]


def _stac_files(path: Path) -> set[Path]:
    """Files on disk that a STAC item, or all items of a static catalogue, name."""
    found: set[Path] = set()
    waiting = [path]
    while waiting:
        file = waiting.pop()
        document = _read_stac(file)
        for item in document.get("features") or [document]:
            assets = item.get("assets") if isinstance(item, dict) else None
            for asset in (assets or {}).values() if isinstance(assets, dict) else ():
                found |= _placed(file, asset)
        links = document.get("links")
        for link in links if isinstance(links, list) else ():
            if isinstance(link, dict) and link.get("rel") in ("child", "item", "items"):
                new = _placed(file, link) - found
                waiting += new
                found |= new
    return found


def _read_stac(file: Path) -> Mapping[str, Any]:
    """A document that names other files; {} for what is none, or is too large for it."""
    try:
        content = file.read_bytes() if file.stat().st_size <= _STAC_MAX_BYTES else b""
        document = json.loads(content) if b'"assets"' in content or b'"links"' in content else {}
    except (OSError, ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _placed(file: Path, entry: Any) -> set[Path]:
    """The file on disk that an asset or a link of a document names, if it is there."""
    href = entry.get("href") if isinstance(entry, dict) else None
    if not isinstance(href, str) or "://" in href or "\0" in href:
        return set()
    place = Path(os.path.normpath(file.parent / unquote(href)))
    return {place} if place.is_file() else set()


def truths_of(text: str) -> dict[str, str]:
    """Ground truth by method; under "" what holds for all methods."""
    return dict(_truth_parts(text))


def _truth_parts(text: str) -> Iterator[tuple[str, str]]:
    if text and Path(named_path(text)).exists():  # whatever semicolons and colons it holds
        yield "", named_path(text)
        return
    for part in filter(None, (part.strip() for part in text.split(";"))):
        method, colon, path = part.partition(":")
        is_of_method = colon and method in METHODS
        yield (method, named_path(path.strip())) if is_of_method else ("", named_path(part))


def _row_faults(row: Mapping[str, str]) -> Iterator[str]:
    ground = ground_of(row["product"])
    if ground and ground not in TWIN_TRUTHS:
        yield (
            f"product: no simulated ground is called {ground!r}"
            f"{nearest(ground, TWIN_TRUTHS) or '; choose from ' + ', '.join(TWIN_TRUTHS)}"
        )
    elif tile_of(row["product"]) and (
        (ground, row["sensor"]) != (IRON, "sentinel2")
        or not re.fullmatch("[1-9]", tile_of(row["product"]))
    ):
        yield (
            f"product: {row['product']} names a tile, from 1, which only sentinel2 over "
            f"{TWIN}:{IRON} has; leave it out"
        )
    elif ground and row["sensor"] == RASTERS:
        yield f"product: `{TWIN}` has no product of {RASTERS}; choose another sensor"
    elif row["product"].startswith(("http://", "https://")):
        yield f"product: {row['product']} is an address; download the product and name its file"
    elif row["product"] and not ground and not is_there(row["product"]):
        yield f"product: {row['product']} does not exist; correct the path"
    parts = list(_truth_parts(row["truth"]))
    methods = [method for method, _ in parts]
    for method in dict.fromkeys(methods):
        if methods.count(method) > 1:
            yield f"truth: two for {method or 'all methods'}; give one, or METHOD:PATH; METHOD:PATH"
        if method and method not in ASSESSED:
            yield f"truth: {method} is compared with none; give it to {', '.join(ASSESSED)}"
    for method, path in parts:
        if not path:
            yield f"truth: names no file for {method}; name one, or leave {method} out"
        elif path == TWIN and not ground:
            yield f"truth: `{TWIN}` goes only with product `{TWIN}:GROUND`"
        elif path != TWIN and not is_there(path):
            yield f"truth: {path} does not exist; correct the path"


def truth_faults(scenes: Iterable[Mapping]) -> list[str]:
    """What keeps points and vector files from being a truth, as far as their heads tell.

    One line each, for the first scene that has a method which is compared with it.
    """
    asked: dict[str, str] = {}
    for scene in scenes:
        for path in (named_truth(scene, name) for name in scene["methods"] if name in ASSESSED):
            if path not in ("", TWIN):
                asked.setdefault(path, scene["scene"])
    return [
        f"scene {scene!r}, truth: {fault}"
        for path, scene in asked.items()
        for fault in _head_faults(path)
    ]


def _head_faults(path: str) -> list[str]:
    faults = []
    if path.lower().endswith(".csv"):
        try:
            columns = header_of(read_text(path))
            find_degrees(columns, path, "ground truth")
        except InputError as error:
            return [str(error)]
    else:
        head = read_head(path)
        if head is None:
            return []
        columns = head.columns
        if head.bounds and (fault := fault_of_degrees(head.bounds)):
            faults.append(f"{path}: {fault}")
    if CLASS_ATTRIBUTE not in columns:
        faults.append(
            f"{path}: needs a column {CLASS_ATTRIBUTE} with names of classes; "
            f"it has the columns {', '.join(columns) or '(none)'}"
        )
    return faults


def _repetition_faults(row: Mapping[str, str], earlier: list[dict[str, str]]) -> Iterator[str]:
    """Faults of a row beside earlier rows of its scene, which are of its other sensors."""
    if not earlier:
        return
    scene = repr(row["scene"])
    if row["study"] != earlier[0]["study"]:
        yield f"study: the rows of {scene} must have the same; give each study its own scene name"
    if row["sensor"] in [other["sensor"] for other in earlier]:
        yield f"sensor: {scene} has two rows of {row['sensor']}; keep one"
    if row["truth"] != earlier[0]["truth"]:
        yield f"truth: the rows of {scene} must have the same"
    if ground_of(row["product"]) != ground_of(earlier[0]["product"]):
        yield f"product: the rows of {scene} must be of one ground"


def plan_scenes(
    rows: Iterable[Mapping[str, str]], studies: Mapping[str, Mapping]
) -> dict[str, dict[str, Any]]:
    """Scenes by name, in the order of their first rows.

    Each has `scene`, `study`, `ground` (of a simulated scene), `truths` by method, `sensors`: path
    of the product by sensor, `stack`: sensors that go into it, `images`: whether there are any,
    and `methods`: the sensors (or STACK) that each method runs on; [""] for a method of the whole
    scene. `teacher` is the scene whose lessons map it as a part of a mosaic; "" where it learns
    itself. Targets of a mosaic are those of the whole, and no scene's.
    """
    scenes: dict[str, dict[str, Any]] = {}
    for row in rows:
        start = {
            "scene": row["scene"],
            "study": row["study"],
            "ground": ground_of(row["product"]),
            "truths": truths_of(row["truth"]),
            "sensors": {},
        }
        scenes.setdefault(row["scene"], start)["sensors"][row["sensor"]] = row["product"]
    first: dict[str, str] = {}
    for scene in scenes.values():
        settings = studies[scene["study"]]
        first.setdefault(scene["study"], scene["scene"])
        scene["stack"] = stack_members(settings, scene["sensors"])
        scene["images"] = settings["cube"]["images"]
        scene["methods"] = {
            method: _sensors_of_method(method, settings, list(scene["sensors"]))
            for method in methods_of(settings)
            if method != "targets" or "mosaic" not in settings
        }
        scene["teacher"] = ""
        if "mosaic" in settings:
            teacher = settings["mosaic"]["teacher"] or first[scene["study"]]
            scene["teacher"] = teacher if teacher != scene["scene"] else ""
    return scenes


def stack_members(settings: Mapping, sensors: Iterable[str]) -> list[str]:
    """Sensors that go into a scene's stack: those that a key names, else all but raster stacks."""
    named = settings["stack"]["sensors"] or settings.get("embedding", {}).get("sensors", [])
    given = list(sensors)
    return [name for name in given if name in named] if named else _spectral(given)


def _spectral(sensors: list[str]) -> list[str]:
    """All sensors but a raster stack, which may be a model of heights; or that, if it is alone."""
    return [name for name in sensors if name != RASTERS] or sensors


def _sensors_of_method(method: str, settings: Mapping, sensors: list[str]) -> list[str]:
    if method in WHOLE_SCENE:
        return [""]
    named = settings[method]["sensors"]
    if named:
        return [name for name in [*sensors, STACK] if name in named]
    if method == "prospects":
        return [STACK] if len(_spectral(sensors)) > 1 else _spectral(sensors)
    if method == "patches" and "minerals" in settings:
        return _sensors_of_method("minerals", settings, sensors)
    return _spectral(sensors)


def parts_of(scene: Mapping) -> Iterator[tuple[str, str]]:
    """(method, sensor) of all that a scene has: `cube` of each sensor, IMAGES, then its methods."""
    used = {sensor for sensors in scene["methods"].values() for sensor in sensors}
    stacked = STACK in used or "embedding" in scene["methods"]
    used |= set(scene["stack"]) if stacked else set()
    cubes = [sensor for sensor in scene["sensors"] if sensor in used]
    cubes += [STACK] if stacked else []
    yield from (("cube", sensor) for sensor in cubes)
    if scene["images"]:
        yield from ((IMAGES, sensor) for sensor in cubes if sensor != STACK)
    for method, sensors in scene["methods"].items():
        yield from ((method, sensor) for sensor in sensors)


def named_truth(scene: Mapping, method: str) -> str:
    """What the table names as a scene's truth for a method: a path, TWIN, or nothing."""
    return scene["truths"].get(method) or scene["truths"].get("", "")


def truth_of(scene: Mapping, method: str) -> str:
    """Path of what is known of a scene's ground for a method; empty where nothing is.

    The path of a simulated truth is told by its name alone, for it lies in the scene's own folder.
    """
    path = named_truth(scene, method)
    if path != TWIN:
        return path
    kind = method if method in ("zones", "prospects") else "minerals"
    return TWIN_TRUTHS[scene["ground"]].get(kind, "")


def teaches_targets(scene: Mapping, settings: Mapping) -> str:
    """The method by whose truth favourability is learned; "" where nothing is known.

    Mines and ore points of `prospects` are none: they taught its forest, and are to be found.
    """
    for method in ("minerals", "embedding", "zones"):
        wanted = method == "zones" or bool(
            method in settings and favourable_minerals(settings, method)
        )
        if method in settings and wanted and truth_of(scene, method):
            return method
    return ""


def conditions(scene: Mapping, settings: Mapping, method: str, sensor: str) -> set[str]:
    """What holds for a method of a scene, in the words of the column `when` of the results."""
    section = settings.get(method, {})
    held = {
        "truth": bool(truth_of(scene, method)),
        "twin": scene["ground"] == IRON if method == "prospects" else bool(scene["ground"]),
        "composite": sensor == "sentinel2",
        STACK: sensor == STACK,
        "trained": not section.get("model") and not (scene["teacher"] and method in JOINED),
        "published": "published" in section,
    }
    if method == "minerals":
        held["rules"] = section["rule_images"]
        held["from_scene"] = bool(section["from_scene"])
    if method == "zones":
        held["scored"] = held["truth"] or bool(section["score"]["model"])
    if method == "prospects":
        held["points"] = bool(section["points"]["train"])
        held["sampled"] = held["trained"] and not held["points"]
        held["iron"] = has_grades(section)
        held["cover"] = not section["model"] or not held["iron"]
        held["published"] = held["sampled"] and "published" in section
    if method == "targets":
        held["truth"] = bool(teaches_targets(scene, settings))
        surveys = settings.get("prospects", {})
        for name in ("claims", "known_mines", "districts"):
            held[name] = bool(surveys.get(name)) or scene["ground"] == IRON
    return {name for name, holds in held.items() if holds}


def plan_faults(
    scenes: Iterable[Mapping], studies: Mapping[str, Mapping], sensors: Mapping, twin: Mapping
) -> list[str]:
    """What a scene's sensors or size cannot serve, one line each; a fault of many scenes once.

    `sensors` are the facts of resources/static/sensors.json.
    """
    faults = []
    planned = {scene["scene"]: scene for scene in scenes}
    for study in dict.fromkeys(scene["study"] for scene in planned.values()):
        if "mosaic" in studies[study]:
            own = [scene for scene in planned.values() if scene["study"] == study]
            found = _mosaic_faults(own, planned, studies)
            faults += [f"studies.{study}.{fault}" for fault in found]
    for scene in planned.values():
        settings = studies[scene["study"]]
        for fault in _scene_faults(scene, settings, sensors, twin):
            faults.append(f"scene {scene['scene']!r}, studies.{scene['study']}.{fault}")
    return faults


def _scene_faults(
    scene: Mapping, settings: Mapping, facts: Mapping, twin: Mapping
) -> Iterator[str]:
    have = list(scene["sensors"])
    named = {"stack": settings["stack"]["sensors"]}
    named |= {method: settings[method].get("sensors", []) for method in scene["methods"]}
    for key, names in named.items():
        for name in names:
            if name != STACK and name not in have:
                yield f"{key}.sensors: the scene has no {name}; it has {', '.join(have)}"
    extent = settings["stack"]["extent"]
    stacked = ("cube", STACK) in parts_of(scene)
    if stacked and extent in facts and extent not in scene["stack"]:
        yield f"stack.extent: {extent} is not in the stack; it has {', '.join(scene['stack'])}"
    if settings["cube"]["window"] and len(have) > 1:
        yield "cube.window: pixels of several sensors are not the same; give a polygon"
    for sensor in settings["cube"]["bands"]:
        yield from _band_faults(sensor, settings["cube"]["bands"][sensor], facts)
    if "patches" in scene["methods"]:
        for sensor in scene["methods"]["patches"]:
            if sensor not in scene["methods"].get("minerals", [sensor]):
                yield f"patches.sensors: minerals does not map {sensor}; name it there too"
        yield from _patch_faults(scene, settings, twin)
    for sensor in scene["methods"].get("minerals", []):
        yield from _range_faults(sensor, settings, facts)
    for sensor in scene["methods"].get("zones", []):
        yield from _zone_faults(sensor, settings, facts)
    for sensor in scene["methods"].get("mnf", []):
        bands = _band_centres(sensor, settings, facts)
        if bands and settings["mnf"]["components"] > len(bands):
            yield f"mnf.components: {sensor} has {len(bands)} bands; ask for as many at most"
    if "prospects" in scene["methods"] and not scene["teacher"]:
        yield from _prospect_faults(scene, settings["prospects"])
    for product in scene["sensors"].values():
        if tile_of(product) and int(tile_of(product)) > twin["tiles"]:
            yield f"mosaic: {product} is none of the {twin['tiles']} tiles of twin.tiles; set it"


def _mosaic_faults(
    own: Sequence[Mapping], planned: Mapping[str, Mapping], studies: Mapping[str, Mapping]
) -> Iterator[str]:
    """What keeps scenes of a study from being one ground, as far as table and settings tell."""
    settings, first = studies[own[0]["study"]], own[0]
    if len(own) < 2:
        yield "mosaic: the study has one scene, which is its own whole; leave mosaic out"
        return
    joined = [method for method in JOINED if method in settings]
    if not joined:
        yield f"mosaic: joins maps of {' and '.join(JOINED)}; add one of them, or leave mosaic out"
    for method in ("patches", "zones", "embedding"):
        if method in settings:
            yield (
                f"mosaic: {method} learns or measures in each scene by itself, so its maps are not "
                "joined; leave it to a study without a mosaic"
            )
    if settings.get("minerals", {}).get("from_scene"):
        yield "minerals.from_scene: each scene of a mosaic would give other spectra; leave it out"
    for scene in own[1:]:
        if set(scene["sensors"]) != set(first["sensors"]):
            yield (
                f"mosaic: {scene['scene']} has {', '.join(scene['sensors'])} where "
                f"{first['scene']} has {', '.join(first['sensors'])}; give all the same sensors"
            )
    zones = {scene["scene"]: _zones_of(scene) for scene in own}
    for name, found in zones.items():
        if found and zones[first["scene"]] and found != zones[first["scene"]]:
            yield (
                f"mosaic: {name} lies in UTM zone {'/'.join(sorted(found))}, {first['scene']} in "
                f"{'/'.join(sorted(zones[first['scene']]))}; make a study of each zone"
            )
    yield from _teacher_faults(joined, settings, first, planned, studies)


def _zones_of(scene: Mapping) -> set[str]:
    """Zones of UTM that the names of Sentinel-2's products tell; empty where they tell none."""
    product = Path(scene["sensors"].get("sentinel2", ""))
    inside = os.listdir(product) if product.is_dir() else []  # noqa: PTH208
    names = [product.name, *inside] if product.name else []
    return {found[1] for name in names if (found := re.search(r"_T(\d\d)[C-X][A-Z]{2}_", name))}


def _teacher_faults(
    joined: Sequence[str],
    settings: Mapping,
    first: Mapping,
    planned: Mapping[str, Mapping],
    studies: Mapping[str, Mapping],
) -> Iterator[str]:
    name = settings["mosaic"]["teacher"]
    if name and name not in planned:
        yield f"mosaic.teacher: no scene is called {name!r}{nearest(name, planned)}"
        return
    teacher = planned[name] if name else first
    other = studies[teacher["study"]]
    learning = [m for m in joined if m != "prospects" or not settings[m]["model"]]
    keys = ("atmosphere", "normalisation")
    differing = [key for key in keys if settings["cube"][key] != other["cube"][key]]
    if learning and differing:
        yield (
            f"mosaic.teacher: {teacher['scene']} is of a study with another cube.{differing[0]}, "
            "so its reflectance is not that of the others; give both the same"
        )
    for method in learning:
        lacks = set(first["methods"][method]) - set(teacher["methods"].get(method, []))
        if lacks:
            yield (
                f"mosaic.teacher: {teacher['scene']} has no {method} of {', '.join(sorted(lacks))}"
                "; name a scene that has"
            )
        elif method == "minerals":
            keys = ("references", "match", "teach", "range_um", "library", "max_angle_rad_of")
            differing = [key for key in keys if settings[method][key] != other[method][key]]
            if differing or settings["classes"] != other["classes"]:
                yield (
                    f"mosaic.teacher: {teacher['scene']} is of a study with other "
                    f"{'minerals.' + differing[0] if differing else 'classes'}; give both the same"
                )
        elif other[method]["model"]:
            yield f"mosaic.teacher: {teacher['scene']} is itself mapped by a model; name that here"
        elif has_grades(settings[method]) != has_grades(other[method]):
            yield (
                f"mosaic.teacher: {teacher['scene']} learns from labelled points where this study "
                "has none, or the other way round; give both prospects.points, or neither"
            )


def _band_faults(sensor: str, bands: Iterable[str], facts: Mapping) -> Iterator[str]:
    known = facts.get(sensor, {}).get("bands_um", {})
    for band in bands:
        if known and band not in known:
            yield f"cube.bands.{sensor}: has no band {band!r}; choose from {', '.join(known)}"


def _band_centres(sensor: str, settings: Mapping, facts: Mapping) -> list[float]:
    """Centre wavelengths (µm) of a cube's bands; empty where only its files tell."""
    known = facts.get(sensor, {}).get("bands_um", {})
    if sensor == RASTERS:
        return list(settings["cube"]["wavelengths_um"])
    names = settings["cube"]["bands"].get(sensor) or list(known)
    return [known[name] for name in names if name in known]


def _range_faults(sensor: str, settings: Mapping, facts: Mapping) -> Iterator[str]:
    """Fewer bands than spectra are compared at, within the ranges of `minerals`."""
    ranges, bands = settings["minerals"]["range_um"], _band_centres(sensor, settings, facts)
    within = [um for um in bands if any(low <= um <= high for low, high in ranges)]
    if ranges and bands and len(within) < _LEAST_RANGE_BANDS:
        told = " and ".join(f"{low:g} to {high:g}" for low, high in ranges)
        yield (
            f"minerals.range_um: {sensor} has {len(within)} of its {len(bands)} bands within "
            f"{told} µm; spectra are compared at {_LEAST_RANGE_BANDS} at least, so give a wider "
            "range"
        )


def _zone_faults(sensor: str, settings: Mapping, facts: Mapping) -> Iterator[str]:
    wanted = settings["zones"]["centres_um"]

    def reached(bands: Iterable[float]) -> set[float]:
        nearest_bands = [min(bands, key=lambda band: abs(band - centre)) for centre in wanted]
        return {
            band
            for band, centre in zip(nearest_bands, wanted, strict=True)
            if abs(band - centre) <= _REACH_UM
        }

    # The bands of the zones are the product's, whatever the cube keeps; of many dates the cube's.
    bands = list(facts.get(sensor, {}).get("bands_um", {}).values())
    if sensor == "sentinel2":
        bands = _band_centres(sensor, settings, facts)
    if bands and len(reached(bands)) < _LEAST_ZONE_BANDS:
        others = [
            name
            for name, fact in facts.items()
            if fact["bands_um"] and len(reached(fact["bands_um"].values())) >= _LEAST_ZONE_BANDS
        ]
        spectrometers = [
            name for name, fact in facts.items() if not fact["bands_um"] and name != RASTERS
        ]
        yield (
            f"zones: {sensor} has fewer than {_LEAST_ZONE_BANDS} bands at zones.centres_um; use "
            f"{', '.join([*others, *spectrometers])}, or other wavelengths"
        )


def _patch_faults(scene: Mapping, settings: Mapping, twin: Mapping) -> Iterator[str]:
    window = settings["cube"]["window"]
    size_px = settings["patches"]["size_px"]
    sides = window[2:]
    if (
        not sides
        and scene["ground"] in ("porphyry", "epithermal")
        and "landsat" in scene["sensors"]
    ):
        sides = [twin["size_px"][scene["ground"]]]
    if sides and min(sides) < size_px:
        yield (
            f"patches.size_px: the scene is {min(sides)} pixels wide, a patch {size_px}; give a "
            "larger scene or smaller patches"
        )


def _prospect_faults(scene: Mapping, section: Mapping) -> Iterator[str]:
    if scene["ground"] == IRON or section["model"] or section["points"]["train"]:
        return
    missing = [key for key in ("mines", "ore_points") if not section[key]]
    if missing:
        yield (
            f"prospects.{missing[0]}: is not given; name mines and points on ore, labelled points "
            "(prospects.points.train), or a model"
        )
