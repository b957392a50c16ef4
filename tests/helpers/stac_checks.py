"""What the schemas of STAC ask of an item or catalogue, checked without a network.

The core is checked by the schemas that pystac ships; of its extensions, whose schemas lie on the
web alone, each rule for the fields that gossan writes stands here.
"""

import re
from collections.abc import Iterator, Mapping

from pystac import STACObjectType
from pystac.validation.stac_validator import JsonSchemaSTACValidator

URL = re.compile(r"https://stac-extensions\.github\.io/([a-z]+)/v(\d+)\.\d+\.\d+/schema\.json")
PREFIXES = {
    "projection": "proj",
    "raster": "raster",
    "eo": "eo",
    "classification": "classification",
}


def number(value) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def numbers(*lengths: int):
    return lambda value: (
        isinstance(value, list) and len(value) in lengths and all(map(number, value))
    )


def classes(value) -> bool:
    known = {"value", "name", "title", "description", "color_hint", "nodata"}
    return (
        isinstance(value, list)
        and len(value) > 0
        and len({item["value"] for item in value}) == len({item["name"] for item in value})
        and len({item["value"] for item in value}) == len(value)
        and all(
            set(item) <= known
            and type(item["value"]) is int
            and re.fullmatch(r"[0-9A-Za-z_-]+", item["name"])
            and re.fullmatch(r"[0-9A-F]{6}", item.get("color_hint", "000000"))
            and isinstance(item.get("description", ""), str)
            and isinstance(item.get("nodata", False), bool)
            for item in value
        )
    )


FIELDS = {
    "proj:code": lambda value: value is None or bool(re.fullmatch(r"[A-Z]+:[0-9]+", value)),
    "proj:wkt2": lambda value: value is None or isinstance(value, str),
    "proj:shape": lambda value: numbers(2)(value) and all(isinstance(n, int) for n in value),
    "proj:transform": numbers(6, 9),
    "proj:bbox": numbers(4, 6),
    "raster:scale": number,
    "raster:offset": number,
    "eo:center_wavelength": lambda value: number(value) and value > 0,
    "eo:full_width_half_max": lambda value: number(value) and value > 0,
    "classification:classes": classes,
}
"""Fields of extensions that gossan writes, and what their values must be."""


def fields_in(value) -> Iterator[tuple[str, object]]:
    """Fields with a prefix, in an item's properties, its assets and their bands."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if ":" in key:
                yield key, inner
            else:
                yield from fields_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from fields_in(inner)


def faults_of(document: Mapping) -> list[str]:
    """What is wrong with an item or a catalogue."""
    kind = STACObjectType.ITEM if document["type"] == "Feature" else STACObjectType.CATALOG
    faults = []
    try:
        JsonSchemaSTACValidator().validate_core(dict(document), kind, document["stac_version"])
    except Exception as error:
        faults.append(str(error))
    if kind == STACObjectType.CATALOG:
        return faults
    declared = set()
    for url in document["stac_extensions"]:
        match = URL.fullmatch(url)
        if match is None or match.group(2) != "2" or match.group(1) not in PREFIXES:
            faults.append(f"{url}: no extension of version 2 that is known")
        else:
            declared.add(PREFIXES[match.group(1)])
    found = [*fields_in(document["properties"]), *fields_in(document["assets"])]
    used = {key.partition(":")[0] for key, _ in found} - {"gossan"}
    faults += [f"{name}: declared, and no field uses it" for name in sorted(declared - used)]
    faults += [f"{name}: used, and not declared" for name in sorted(used - declared)]
    for key, value in found:
        if not key.startswith("gossan:") and not (key in FIELDS and FIELDS[key](value)):
            faults.append(f"{key}: {value!r}")
    return faults
