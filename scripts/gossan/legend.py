"""Class tables, and the styles that go beside a raster: QGIS .qml and GDAL .aux.xml."""

import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from gossan.delimited import label_fault, read_delimited
from gossan.errors import InputError
from gossan.files import staged, write_text

UNCLASSIFIED = 0
NODATA = 255
# Attribute of features, or column of points, that names their class.
CLASS_ATTRIBUTE = "class"
# Tag of a class raster that says where its knowledge of the ground is from.
TRUTH_TAG = "TRUTH"
# What no class has, on maps, figures and in other programs alike: ground that was looked at and
# fits no class is nearly white, what was not seen (masked, outside) grey.
UNCLASSIFIED_COLOUR = "#F1F0EC"
NODATA_COLOUR = "#A9ADB0"
# Where a mineral absorbs: electronic absorptions of iron in the visible and near infrared, or
# vibrations of OH, CO3, SO4 and Si-OH in the shortwave infrared; a pixel may have one of each
# (Clark et al. 2003, J. Geophys. Res. 108(E12), 5131). Empty: nowhere that sensors here see.
GROUPS = ("1um", "2um", "")
# Five anchors of viridis (Smith and van der Walt, CC0): even steps in lightness, and readable
# with any colour vision.
PERCEPTUAL_RAMP = ("#440154", "#3B528B", "#21918C", "#5EC962", "#FDE725")

_QML_DOCTYPE = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
# GDAL's numbers for the type and the use of an attribute column (GDALRATFieldType and
# GDALRATFieldUsage).
_INTEGER, _STRING = 0, 2
_NAME, _VALUE, _RED, _GREEN, _BLUE, _ALPHA = 2, 5, 6, 7, 8, 9


@dataclass(frozen=True)
class MapClass:
    """One class of a map: code 1-254, name for files, label for people, colour "#RRGGBB".

    `record` picks a library spectrum; `group`, one of GROUPS, says where the class absorbs;
    `max_angle_rad` overrides the study's spectral-angle threshold for this class.
    """

    code: int
    name: str
    label: str
    colour: str
    kind: str = "mineral"
    record: str = ""
    group: str = ""
    max_angle_rad: float | None = None

    @property
    def rgb(self) -> tuple[int, int, int]:
        """The colour as three numbers from 0 to 255."""
        red, green, blue = bytes.fromhex(self.colour[1:])
        return red, green, blue


def read_classes(path: str | Path) -> list[MapClass]:
    """Read a class table: a CSV with at least the columns code, name, label and colour.

    Columns kind, record, group and max_angle_rad are used where present, others are ignored.
    Classes keep the table's order. Raises InputError, naming file, line and column, for a missing
    file or column, an empty table, a code outside 1-254, a code or name given twice, a bad colour,
    or an unknown group.
    """
    table = read_delimited(path, ("code", "name", "label", "colour"), whole=True)
    classes = [
        _parse_class(row, f"{path}, line {line}")
        for row, line in zip(table.rows, table.lines, strict=True)
    ]
    if not classes:
        raise InputError(f"{path}: holds no class; add at least one row")
    for key in ("code", "name"):
        seen = set()
        for item in classes:
            value = getattr(item, key)
            if value in seen:
                raise InputError(f"{path}: {key} {value} stands twice; make it unique")
            seen.add(value)
    return classes


def _parse_class(row: dict[str, str], where: str) -> MapClass:
    text = {key: str(value) for key, value in row.items()}
    if not re.fullmatch(r"[0-9]{1,9}", text["code"]):
        raise InputError(f"{where}: code {text['code'][:40]!r} is not a whole number; use 1 to 254")
    code = int(text["code"])
    if not UNCLASSIFIED < code < NODATA:
        raise InputError(
            f"{where}: code {code} is reserved or too large; use 1 to 254 "
            f"({UNCLASSIFIED} is unclassified, {NODATA} is nodata)"
        )
    if not text["name"]:
        raise InputError(f"{where}: name is empty; name the class")
    for key in ("name", "label", "kind"):
        if fault := label_fault(text.get(key, "")):
            raise InputError(f"{where}: {key} {text[key][:40]!r} {fault}")
    if not re.fullmatch(r"#[0-9A-Fa-f]{6}", text["colour"]):
        raise InputError(f"{where}: colour {text['colour']!r} is not of the form #RRGGBB")
    group = text.get("group", "")
    if group not in GROUPS:
        raise InputError(
            f"{where}: group {group!r} is not known; write 1um (iron), 2um (OH, CO3) or nothing"
        )
    limit = text.get("max_angle_rad", "")
    try:
        max_angle_rad = float(limit) if limit else None
    except ValueError:
        max_angle_rad = -1.0
    if max_angle_rad is not None and not 0 < max_angle_rad < 4:
        raise InputError(f"{where}: max_angle_rad {limit!r} is not an angle in radians")
    return MapClass(
        code=code,
        name=text["name"],
        label=text["label"] or text["name"],
        colour=text["colour"].upper(),
        kind=text.get("kind") or "mineral",
        record=text.get("record", ""),
        group=group,
        max_angle_rad=max_angle_rad,
    )


OWN_COLUMNS = ("name", "code", "label", "colour", "kind", "record", "group")
# Codes of a user's minerals that bring none of their own: above those of the shipped table.
FIRST_OWN_CODE = 200


def read_own_classes(path: str | Path) -> list[dict[str, str]]:
    """Rows of a user's class table: a CSV with the column `name` and any of OWN_COLUMNS.

    Raises InputError for a file that cannot be read, for a column of another name, and for a row
    with more cells than columns.
    """
    table = read_delimited(path)
    columns = table.columns
    unknown = [name for name in columns if name not in OWN_COLUMNS]
    if "name" not in columns or unknown:
        what = f"has the column {', '.join(unknown)}" if unknown else "lacks the column name"
        raise InputError(f"{path}: {what}; its columns may be {', '.join(OWN_COLUMNS)}")
    return table.rows


def merge_classes(
    known: Sequence[MapClass], own: Sequence[dict[str, str]]
) -> tuple[list[MapClass], list[str]]:
    """The known classes with a user's rows over them, and what is wrong with those rows.

    A row of a known name changes what it fills in; a row of a new name adds a class, with a code
    from FIRST_OWN_CODE on unless it brings one. Codes, names and colours must be unique.
    """
    merged = {item.name: item for item in known}
    brought = {row["code"] for row in own if row.get("code")}
    faults, seen = [], set()
    for row in own:
        name = row["name"]
        if not name or name in seen:
            faults.append(f"{name!r} stands twice; keep one row" if name else "a row has no name")
            continue
        seen.add(name)
        before = merged.get(name)
        filled = {key: value for key, value in row.items() if value}
        if before is None and "colour" not in filled:
            faults.append(f"{name}: a new mineral needs a colour, such as #7E57C2")
            continue
        taken = brought | {str(item.code) for item in merged.values()}
        codes = map(str, range(FIRST_OWN_CODE, NODATA))
        free = next((code for code in codes if code not in taken), None)
        if before is None and free is None and "code" not in filled:
            faults.append(f"{name}: no code from {FIRST_OWN_CODE} on is free; give it one")
            continue
        start = (
            {"code": free, "label": name}
            if before is None
            else {
                "code": str(before.code),
                "label": before.label,
                "colour": before.colour,
                "kind": before.kind,
                "record": before.record,
                "group": before.group,
            }
        )
        try:
            merged[name] = _parse_class({**start, **filled}, name)
        except InputError as error:
            faults.append(str(error))
    for key in ("code", "colour"):
        owners: dict[object, str] = {}
        for item in merged.values():
            other = owners.setdefault(getattr(item, key), item.name)
            if other != item.name:
                faults.append(
                    f"{item.name}: {key} {getattr(item, key)} is {other}'s too; choose another"
                )
    return list(merged.values()), faults


def class_colours(classes: Sequence[MapClass]) -> dict[int, str]:
    """Code -> "#RRGGBB", the colour table of a class raster (`raster.Layer.colours`)."""
    colours = {item.code: item.colour for item in classes}
    return {UNCLASSIFIED: UNCLASSIFIED_COLOUR, NODATA: NODATA_COLOUR} | colours


def write_class_style(raster_path: str | Path, classes: Sequence[MapClass], bands: int = 1) -> None:
    """Write the legend of a uint8 class raster in the two forms that programs look for.

    <stem>.qml is a QGIS style of band 1 with one coloured, labelled entry per class, a transparent
    "Unclassified", through which the ground shows, and nodata in grey; <file>.aux.xml holds GDAL's
    category names, colour table and attribute table of each of the first `bands`. Programs that
    read those leave nodata transparent, so "Unclassified" is opaque there: the two never look
    alike. Both files appear, or neither.
    """
    raster_path = Path(raster_path)
    with ExitStack() as stack:
        qml = stack.enter_context(staged(raster_path.with_suffix(".qml")))
        aux = stack.enter_context(staged(raster_path.with_name(raster_path.name + ".aux.xml")))
        qml.write_text(_qml(_paletted_renderer(classes)), encoding="utf-8")
        aux.write_text(_class_pam(classes, bands), encoding="utf-8")


def read_class_style(raster_path: str | Path) -> list[MapClass]:
    """The classes that `write_class_style` wrote beside a raster: codes, labels and colours.

    They come in the order of their codes, each with its label as `name`; [] where nothing was
    written. Raises InputError for a file that is no such style.
    """
    path = Path(f"{raster_path}.aux.xml")
    if not path.is_file():
        return []
    try:
        rows = ET.parse(path).getroot().iterfind("PAMRasterBand[1]/GDALRasterAttributeTable/Row")
        cells = [[cell.text or "" for cell in row] for row in rows]
        return [
            MapClass(int(code), label, label, "#" + bytes(map(int, rgb)).hex().upper())
            for code, label, *rgb, _ in cells
            if int(code) != UNCLASSIFIED
        ]
    except (ET.ParseError, ValueError) as error:
        raise InputError(f"{path}: no style of a class map; make the map again") from error


def read_qml(path: str | Path) -> ET.Element:
    """The style of a raster that was written for QGIS, with a renderer in its pipe.

    Raises InputError, naming the file, for any other.
    """
    try:
        root = ET.parse(path).getroot()
    except (ET.ParseError, ValueError, LookupError) as error:
        raise InputError(f"{path}: is no style of QGIS ({error}); make the map again") from error
    if root.find("pipe/rasterrenderer") is None:
        raise InputError(f"{path}: is no style of a raster in QGIS; make the map again")
    return root


def write_continuous_style(
    raster_path: str | Path,
    minimum: float,
    maximum: float,
    *,
    unit: str = "",
    reverse: bool = False,
) -> None:
    """Write <stem>.qml, which draws band 1 from `minimum` to `maximum` in a perceptual ramp.

    Dark is the minimum, light the maximum, or the other way round with `reverse`; nodata is
    transparent. `unit` follows the numbers in the legend. Raises ValueError unless the range is
    finite and not empty.
    """
    text = ramp_style(minimum, maximum, unit=unit, reverse=reverse)
    write_text(Path(raster_path).with_suffix(".qml"), text)


def ramp_style(minimum: float, maximum: float, *, unit: str = "", reverse: bool = False) -> str:
    """The text of the style that `write_continuous_style` writes."""
    if not float("-inf") < minimum < maximum < float("inf"):
        raise ValueError(f"the range {minimum} to {maximum} is empty")
    return _qml(_ramp_renderer(minimum, maximum, unit, reverse))


def write_rgb_style(
    raster_path: str | Path,
    bands: Sequence[int],
    limits: Sequence[tuple[float, float]],
) -> None:
    """Write <stem>.qml, which draws three bands of a raster as red, green and blue.

    `bands` are numbers from 1, `limits` the value of each band drawn dark and the one drawn light,
    in the raster's unit; nodata is transparent. Raises ValueError unless both are three and each
    range is finite and not empty.
    """
    write_text(Path(raster_path).with_suffix(".qml"), rgb_style(bands, limits))


def rgb_style(bands: Sequence[int], limits: Sequence[tuple[float, float]]) -> str:
    """The text of the style that `write_rgb_style` writes."""
    return _qml(_rgb_renderer(bands, limits))


def write_mask_style(raster_path: str | Path, classes: Sequence[MapClass]) -> None:
    """Write <stem>.qml for a raster whose every code says something, so that none is unclassified.

    Of the codes only those of `classes` are drawn.
    """
    renderer = _paletted_renderer(classes)
    palette = renderer.find("colorPalette")
    palette.remove(palette[0])
    write_text(Path(raster_path).with_suffix(".qml"), _qml(renderer))


def _paletted_renderer(classes: Sequence[MapClass]) -> ET.Element:
    renderer = _renderer("paletted")
    red, green, blue = bytes.fromhex(NODATA_COLOUR[1:])
    renderer.set("nodataColor", f"{red},{green},{blue},255")
    palette = ET.SubElement(renderer, "colorPalette")
    _entry(palette, "paletteEntry", UNCLASSIFIED, UNCLASSIFIED_COLOUR, "Unclassified", alpha=0)
    for item in classes:
        _entry(palette, "paletteEntry", item.code, item.colour, item.label)
    return renderer


def _ramp_renderer(minimum: float, maximum: float, unit: str, reverse: bool) -> ET.Element:
    renderer = _renderer("singlebandpseudocolor")
    renderer.set("classificationMin", repr(float(minimum)))
    renderer.set("classificationMax", repr(float(maximum)))
    shader = ET.SubElement(
        ET.SubElement(renderer, "rastershader"),
        "colorrampshader",
        colorRampType="INTERPOLATED",
        classificationMode="1",
        clip="0",
        labelPrecision="4",
        minimumValue=repr(float(minimum)),
        maximumValue=repr(float(maximum)),
    )
    colours = PERCEPTUAL_RAMP[::-1] if reverse else PERCEPTUAL_RAMP
    for step, colour in enumerate(colours):
        share = step / (len(colours) - 1)
        value = minimum * (1 - share) + maximum * share
        _entry(shader, "item", repr(float(value)), colour, f"{value:.4g} {unit}".strip())
    return renderer


def _rgb_renderer(bands: Sequence[int], limits: Sequence[tuple[float, float]]) -> ET.Element:
    if len(bands) != 3 or len(limits) != 3:
        raise ValueError(f"three bands and three ranges make a colour, not {bands} and {limits}")
    renderer = _renderer("multibandcolor")
    del renderer.attrib["band"]
    for colour, band, (low, high) in zip(("red", "green", "blue"), bands, limits, strict=True):
        if band < 1 or not float("-inf") < low < high < float("inf"):
            raise ValueError(f"band {band} cannot be drawn from {low} to {high}")
        renderer.set(f"{colour}Band", str(band))
        stretch = ET.SubElement(renderer, f"{colour}ContrastEnhancement")
        ET.SubElement(stretch, "minValue").text = repr(float(low))
        ET.SubElement(stretch, "maxValue").text = repr(float(high))
        ET.SubElement(stretch, "algorithm").text = "StretchToMinimumMaximum"
    return renderer


def _renderer(kind: str) -> ET.Element:
    renderer = ET.Element(
        "rasterrenderer", type=kind, band="1", opacity="1", alphaBand="-1", nodataColor=""
    )
    ET.SubElement(renderer, "rasterTransparency")
    return renderer


def _entry(
    parent: ET.Element, tag: str, value: int | str, colour: str, label: str, alpha: int = 255
) -> None:
    ET.SubElement(
        parent, tag, value=str(value), color=colour.lower(), label=label, alpha=str(alpha)
    )


def _qml(renderer: ET.Element) -> str:
    root = ET.Element("qgis", version="3.28.0", styleCategories="AllStyleCategories")
    pipe = ET.SubElement(root, "pipe")
    pipe.append(renderer)
    ET.SubElement(pipe, "brightnesscontrast", brightness="0", contrast="0", gamma="1")
    ET.SubElement(pipe, "huesaturation", saturation="0", grayscaleMode="0", colorizeOn="0")
    ET.SubElement(pipe, "rasterresampler", maxOversampling="2")
    ET.SubElement(root, "blendMode").text = "0"
    return _QML_DOCTYPE + _text(root)


def _class_pam(classes: Sequence[MapClass], bands: int) -> str:
    root = ET.Element("PAMDataset")
    for place in range(1, bands + 1):
        _add_class_band(root, place, classes)
    return _text(root)


def _add_class_band(root: ET.Element, place: int, classes: Sequence[MapClass]) -> None:
    band = ET.SubElement(root, "PAMRasterBand", band=str(place))
    ET.SubElement(band, "ColorInterp").text = "Palette"
    labels = {UNCLASSIFIED: "Unclassified"} | {item.code: item.label for item in classes}
    colours = {
        code: (*bytes.fromhex(colour[1:]), 255) for code, colour in class_colours(classes).items()
    }
    table = ET.SubElement(band, "ColorTable")
    names = ET.SubElement(band, "CategoryNames")
    for code in range(256):
        colour = colours.get(code, (0, 0, 0, 0))
        ET.SubElement(table, "Entry", {f"c{n}": str(part) for n, part in enumerate(colour, 1)})
        if code <= max(labels):
            ET.SubElement(names, "Category").text = labels.get(code, "")
    attributes = ET.SubElement(band, "GDALRasterAttributeTable", tableType="thematic")
    columns = (
        ("Value", _INTEGER, _VALUE),
        ("Class", _STRING, _NAME),
        ("Red", _INTEGER, _RED),
        ("Green", _INTEGER, _GREEN),
        ("Blue", _INTEGER, _BLUE),
        ("Alpha", _INTEGER, _ALPHA),
    )
    for index, (name, kind, use) in enumerate(columns):
        column = ET.SubElement(attributes, "FieldDefn", index=str(index))
        ET.SubElement(column, "Name").text = name
        ET.SubElement(column, "Type").text = str(kind)
        ET.SubElement(column, "Usage").text = str(use)
    for index, code in enumerate(sorted(labels)):
        row = ET.SubElement(attributes, "Row", index=str(index))
        for cell in (code, labels[code], *colours[code]):
            ET.SubElement(row, "F").text = str(cell)


def _text(root: ET.Element) -> str:
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"
