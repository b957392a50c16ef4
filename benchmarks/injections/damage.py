"""Damages of one file: drawn at random, told in words, with what is due of who reads it.

What is due says what an answer other than the undamaged one means when the tool says nothing:

- `noticed`: a stored checksum, a rule of the format or physics shows the damage, so it is silent;
- `unseen`: nobody can see it in the file (another valid number, a row that is not there);
- `same`: nothing that is asked for has changed, so that the answer must be the same or a refusal.
"""

import csv
import gzip
import io
import json
import re
import shutil
import sqlite3
import struct
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

Generator = np.random.Generator
NOTICED, UNSEEN, SAME = "noticed", "unseen", "same"
NUMBER = re.compile(r"[-+]?\d+(\.\d+)?([eE][-+]?\d+)?")
NONSENSE = ("nan", "inf", "-1e30", "1e999", "9" * 5000, "abc", "", "0x10", "12;5", "--3")
IMPOSSIBLE = ("nan", "inf", "-1e30", "1e30", "9" * 5000, "abc", "", "1e-30")
DATES = ("2024-13-40", "20241340", "99999-01-01", "0000-00-00", "yesterday", "-1", "1e9")
LABELS = (
    "<script>alert(1)</script>",
    "a\x01b",
    "=cmd|' /C calc'!A0",
    "\u202egnitroper",
    "x" * 100_000,
    "]]><x>",
    "a\nb",
)
EMPTY_TEXT = ("", "\ufeff", "\n")


@dataclass
class Damage:
    """What was done to a file, what is due, and words that a refusal may name it by."""

    what: str
    due: str
    names: list[str] = field(default_factory=list)


class NotPossibleError(Exception):
    """This file cannot be damaged in this way."""


Maker = Callable[[Path, Generator], Damage]


def put(path: Path, content: bytes | str) -> None:
    """Write a file anew; what it was linked to stays as it is."""
    path.unlink(missing_ok=True)
    if isinstance(content, str):
        content = content.encode("utf-8", errors="surrogatepass")
    path.write_bytes(content)


def own(path: Path) -> Path:
    """Make a file one's own, to be changed in place."""
    put(path, path.read_bytes())
    return path


def pick(generator: Generator, values: Any) -> Any:
    """One of several."""
    values = list(values)
    if not values:
        raise NotPossibleError
    return values[int(generator.integers(len(values)))]


# Stretches that a checksum or a compression guards


def guarded(path: Path) -> list[tuple[int, int]]:
    """Stretches of bytes (start, length) of a file of which damage can be seen."""
    data, suffix = path.read_bytes(), path.suffix.lower()
    if data[:2] == b"\x1f\x8b":
        return [(10, len(data) - 10)]
    if data[:4] == b"PK\x03\x04":
        return list(_of_zip(path, data))
    if data[:4] in (b"II*\0", b"II+\0", b"MM\0*"):
        return list(_of_tiff(data))
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return [(8, len(data) - 8)]
    if suffix == ".tar":
        return list(_of_tar(path))
    if data[:8] == b"\x89HDF\r\n\x1a\n":
        return list(_of_hdf5(path))
    return []


def _of_zip(path: Path, data: bytes) -> Iterator[tuple[int, int]]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if member.compress_size:
                head = data[member.header_offset : member.header_offset + 30]
                start = member.header_offset + 30 + sum(struct.unpack("<HH", head[26:30]))
                yield start, member.compress_size


def _of_tar(path: Path) -> Iterator[tuple[int, int]]:
    with tarfile.open(path) as archive:
        for member in archive:
            yield member.offset, 148


def _of_hdf5(path: Path) -> Iterator[tuple[int, int]]:
    import h5py

    found = []

    def visit(_: str, item: object) -> None:
        if isinstance(item, h5py.Dataset) and item.chunks and item.compression:
            for place in range(item.id.get_num_chunks()):
                chunk = item.id.get_chunk_info(place)
                found.append((chunk.byte_offset, chunk.size))

    with h5py.File(path, "r") as file:
        file.visititems(visit)
    yield from found


_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 16: 8}


def _of_tiff(data: bytes) -> Iterator[tuple[int, int]]:
    """Deflated tiles and strips of a classic or big TIFF."""
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] in (b"+\0", b"\0+")
    place = struct.unpack(order + ("Q" if big else "I"), data[8:16] if big else data[4:8])[0]
    while place:
        width, form = (20, "HHQ") if big else (12, "HHI")
        count = struct.unpack_from(order + ("Q" if big else "H"), data, place)[0]
        first = place + (8 if big else 2)
        tags = {}
        for number in range(count):
            spot = first + number * width
            tag, kind, n = struct.unpack_from(order + form, data, spot)
            size, spot = _SIZES.get(kind, 1) * n, spot + (12 if big else 8)
            if size > (8 if big else 4):
                spot = struct.unpack_from(order + ("Q" if big else "I"), data, spot)[0]
            if kind in (3, 4, 16):
                letter = {3: "H", 4: "I", 16: "Q"}[kind]
                tags[tag] = struct.unpack_from(f"{order}{n}{letter}", data, spot)
        if tags.get(259, (1,))[0] in (8, 32946):
            starts, sizes = tags.get(324) or tags[273], tags.get(325) or tags[279]
            yield from ((a, b) for a, b in zip(starts, sizes, strict=True) if b)
        place = struct.unpack_from(order + ("Q" if big else "I"), data, first + count * width)[0]


# Damages of any file


def truncate(path: Path, generator: Generator) -> Damage:
    """Cut a file short."""
    data = path.read_bytes()
    if len(data) < 4:
        raise NotPossibleError
    length = int(generator.integers(1, len(data)))
    put(path, data[:length])
    return Damage(f"cut to {length} of {len(data)} bytes", _seen_when_cut(path, data, length))


def _seen_when_cut(path: Path, data: bytes, length: int) -> str:
    suffix = path.suffix.lower()
    lost = data[length:]
    if not lost.strip():
        return UNSEEN
    if suffix == ".csv":
        rows = list(csv.reader(io.StringIO(data[:length].decode(errors="ignore"))))
        return NOTICED if rows and len(rows[-1]) < len(rows[0]) else UNSEEN
    if suffix in (".hdr", ".css", ".j2", ".qml", ".txt", ".html", ".yaml", ".tsv", ".prj", ".rst"):
        return UNSEEN
    return NOTICED


def empty(path: Path, generator: Generator) -> Damage:
    """Leave nothing of a file."""
    put(path, pick(generator, EMPTY_TEXT))
    return Damage("emptied", NOTICED)


def flip(path: Path, generator: Generator) -> Damage:
    """Flip bits of a byte, in a guarded stretch if there is one."""
    data = bytearray(path.read_bytes())
    if not data:
        raise NotPossibleError
    stretches = guarded(path)
    due = UNSEEN
    if stretches and generator.random() < 0.8:
        start, length = pick(generator, stretches)
        place, due = start + int(generator.integers(length)), NOTICED
    else:
        place = int(generator.integers(len(data)))
        if any(start <= place < start + length for start, length in stretches):
            due = NOTICED
    data[place] ^= int(generator.integers(1, 256))
    put(path, bytes(data))
    return Damage(f"byte {place} of {len(data)} flipped", due)


def zero(path: Path, generator: Generator) -> Damage:
    """Put zeros where a stretch of bytes was, as a lost sector does."""
    data = bytearray(path.read_bytes())
    if len(data) < 64:
        raise NotPossibleError
    length = min(int(pick(generator, (64, 512, 4096))), len(data) // 2)
    start = int(generator.integers(len(data) - length))
    before = bytes(data[start : start + length])
    data[start : start + length] = bytes(length)
    hit = any(a < start + length and start < a + b for a, b in guarded(path))
    if before == bytes(length):
        raise NotPossibleError
    put(path, bytes(data))
    is_text = path.suffix.lower() in (".csv", ".json", ".xml", ".hdr", ".imd", ".txt", ".j2")
    return Damage(f"{length} bytes from {start} zeroed", NOTICED if hit or is_text else UNSEEN)


def append(path: Path, generator: Generator) -> Damage:
    """Add bytes at the end."""
    put(path, path.read_bytes() + generator.bytes(int(generator.integers(1, 2000))))
    return Damage("bytes added at the end", UNSEEN)


def remove(path: Path, generator: Generator) -> Damage:
    """Take a file away."""
    path.unlink()
    return Damage("removed", NOTICED)


def as_folder(path: Path, generator: Generator) -> Damage:
    """Put a folder in its place."""
    path.unlink()
    path.mkdir()
    return Damage("a folder in its place", NOTICED)


def as_prose(path: Path, generator: Generator) -> Damage:
    """Put an answer of a web server in its place."""
    put(path, "<html><body><h1>403 Forbidden</h1></body></html>\n")
    is_page = path.suffix.lower() in (".css", ".j2", ".html")
    return Damage("a page of a web server in its place", UNSEEN if is_page else NOTICED)


def as_noise(path: Path, generator: Generator) -> Damage:
    """Put random bytes in its place."""
    size = path.stat().st_size
    put(path, generator.bytes(max(64, min(size, 5000))))
    # Numbers without a format of their own may have any bytes.
    is_bare = path.suffix == ".img" and path.stat().st_size == size
    return Damage("random bytes in its place", UNSEEN if is_bare else NOTICED)


ANY = (truncate, truncate, empty, flip, flip, zero, append, remove, as_folder, as_prose, as_noise)


# Tables


def _rows(path: Path) -> list[list[str]]:
    try:
        rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"))))
    except (UnicodeDecodeError, csv.Error) as error:
        raise NotPossibleError from error
    if len(rows) < 2 or not rows[0]:
        raise NotPossibleError
    return rows


def _save(path: Path, rows: list[list[str]], **how: str) -> None:
    stream = io.StringIO()
    csv.writer(stream, lineterminator=how.get("end", "\n"), delimiter=how.get("by", ",")).writerows(
        rows
    )
    put(path, how.get("before", "") + stream.getvalue())


def _cells(rows: list[list[str]], fits: Callable[[str], object]) -> list[tuple[int, int]]:
    """Places, row and column, of the cells below the header that fit."""
    return [
        (y, x)
        for y, row in enumerate(rows[1:], 1)
        for x, value in enumerate(row)
        if x < len(rows[0]) and fits(value)
    ]


def cell(path: Path, generator: Generator) -> Damage:
    """Put what is no number into a numeric cell."""
    rows = _rows(path)
    y, x = pick(generator, _cells(rows, lambda value: NUMBER.fullmatch(value)))
    value = str(pick(generator, NONSENSE))
    old, rows[y][x] = rows[y][x], value
    _save(path, rows)
    due = UNSEEN if value == "" else NOTICED
    return Damage(f"{rows[0][x]} of row {y}: {value[:20]!r} for {old}", due, [rows[0][x]])


def impossible_wavelength(path: Path, generator: Generator) -> Damage:
    """A wavelength, width or code that cannot be."""
    rows = _rows(path)
    columns = [
        x for x, name in enumerate(rows[0]) if re.search("wavelength|fwhm|centre|width", name)
    ]
    x, y = pick(generator, columns), int(generator.integers(1, len(rows)))
    value = str(pick(generator, ("-0.5", "0", "1e6", "-1e9")))
    if x >= len(rows[y]):
        raise NotPossibleError
    old, rows[y][x] = rows[y][x], value
    _save(path, rows)
    return Damage(f"{rows[0][x]} of row {y}: {value} for {old}", NOTICED, [rows[0][x]])


def column(path: Path, generator: Generator) -> Damage:
    """Drop, double or rename a column."""
    rows = _rows(path)
    x = int(generator.integers(len(rows[0])))
    name = rows[0][x]
    how = pick(generator, ("dropped", "doubled", "renamed"))
    for y, row in enumerate(rows):
        if x < len(row):
            if how == "dropped":
                del row[x]
            elif how == "doubled":
                row.append(name if y == 0 else "7")
            elif y == 0:
                row[x] = "zzz"
    _save(path, rows)
    return Damage(f"column {name} {how}", UNSEEN if how != "doubled" else NOTICED, [name])


def row(path: Path, generator: Generator) -> Damage:
    """A row that is short, long or there twice; or only the header."""
    rows = _rows(path)
    y = int(generator.integers(1, len(rows)))
    how = pick(generator, ("short", "long", "twice", "alone", "none"))
    due = NOTICED
    if how == "short":
        rows[y] = rows[y][: max(1, int(generator.integers(len(rows[y]))))]
        due = NOTICED if len(rows[y]) < len(rows[0]) else UNSEEN
    elif how == "long":
        rows[y] = [*rows[y], "surplus"]
    elif how == "twice":
        rows.insert(y, list(rows[y]))
        keyed = rows[0][0] in ("code", "name", "band", "mineral", "method")
        firsts = [row[0] for row in rows[1:] if row]
        due = NOTICED if keyed and len(set(firsts)) == len(firsts) - 1 else UNSEEN
    elif how == "alone":
        rows, due = [rows[0]], UNSEEN
    else:
        rows, due = rows[1:], NOTICED
    _save(path, rows)
    return Damage(f"row {y} {how}", due)


def label(path: Path, generator: Generator) -> Damage:
    """Put markup, controls or formulas into a text."""
    rows = _rows(path)
    y, x = pick(generator, _cells(rows, lambda value: value and not NUMBER.fullmatch(value)))
    value = pick(generator, LABELS)
    rows[y][x] = value
    _save(path, rows)
    return Damage(
        f"{rows[0][x]} of row {y}: {value[:30]!r}",
        "label",
        [rows[0][x], " ".join(value[:20].split())],
    )


def as_saved_elsewhere(path: Path, generator: Generator) -> Damage:
    """As another program saves the same table."""
    rows = _rows(path)
    how = pick(
        generator, ("BOM", "CRLF", "CR", "blank lines", "blanks", "quoted", "UTF-16", "tabs")
    )
    text = path.read_text(encoding="utf-8")
    if how == "BOM":
        put(path, "\ufeff" + text)
    elif how == "CRLF":
        put(path, text.replace("\r\n", "\n").replace("\n", "\r\n"))
    elif how == "CR":
        put(path, text.replace("\r\n", "\n").replace("\n", "\r"))
    elif how == "blank lines":
        put(path, text + "\n\n")
    elif how == "blanks":
        _save(path, [[f"{value} " for value in row] for row in rows])
    elif how == "quoted":
        stream = io.StringIO()
        csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
        put(path, stream.getvalue())
    elif how == "UTF-16":
        put(path, text.encode("utf-16"))
    else:
        _save(path, rows, by="\t")
    return Damage(f"saved with {how}", SAME)


def european(path: Path, generator: Generator) -> Damage:
    """Semicolons between cells and commas in numbers, and, at times, a cell of Latin-1."""
    rows = _rows(path)
    turned = [
        [value.replace(".", ",") if NUMBER.fullmatch(value) else value for value in row]
        for row in rows
    ]
    _save(path, turned, by=";")
    return Damage("semicolons and decimal commas", SAME)


def binary_in_text(path: Path, generator: Generator) -> Damage:
    """A byte that no text has."""
    data = path.read_bytes()
    if not data:
        raise NotPossibleError
    place, odd = int(generator.integers(len(data))), pick(generator, (b"\0", b"\xff\xfe", b"\x80"))
    put(path, data[:place] + odd + data[place:])
    # What is no UTF-8 is read as Latin-1, in which every other byte is a letter.
    return Damage(f"the bytes {odd!r} at {place}", NOTICED if odd == b"\0" else UNSEEN)


TABLE = (
    *(cell, cell, cell, impossible_wavelength, column, column, row, row, label, label),
    *(as_saved_elsewhere, as_saved_elsewhere, european, binary_in_text),
)


# JSON


def _spots(value: Any, way: tuple = ()) -> Iterator[tuple]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield (*way, key)
            yield from _spots(item, (*way, key))
    elif isinstance(value, list):
        for place, item in enumerate(value[:50]):
            yield (*way, place)
            yield from _spots(item, (*way, place))


def _load(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise NotPossibleError from error


def _key_of(way: tuple) -> list[str]:
    return [str(part) for part in way if isinstance(part, str)][::-1]


def json_key(path: Path, generator: Generator) -> Damage:
    """Drop a key, or put a value of another kind there."""
    value = _load(path)
    way = pick(generator, _spots(value))
    holder = value
    for part in way[:-1]:
        holder = holder[part]
    how = pick(generator, ("dropped", "text", "number", "null", "list", "object"))
    old = holder[way[-1]]
    due = NOTICED
    if how == "dropped":
        del holder[way[-1]]
        due = UNSEEN
    else:
        new = {"text": "zzz", "number": -7, "null": None, "list": [[]], "object": {"a": {}}}[how]
        if isinstance(old, type(new)):
            raise NotPossibleError
        if new is None or (isinstance(old, float) and how == "number"):
            due = UNSEEN
        holder[way[-1]] = new
    put(path, json.dumps(value))
    return Damage(f"{'.'.join(map(str, way))}: {how}", due, _key_of(way))


def json_number(path: Path, generator: Generator) -> Damage:
    """A number that JSON has not, or that is far off."""
    value = _load(path)
    spots = []
    for way in _spots(value):
        item = value
        for part in way:
            item = item[part]
        if isinstance(item, (int, float)) and not isinstance(item, bool):
            spots.append(way)
    way = pick(generator, spots)
    holder = value
    for part in way[:-1]:
        holder = holder[part]
    text = pick(generator, ("NaN", "Infinity", "1e999", "9" * 5000, "-1e30"))
    holder[way[-1]] = "@@@"
    # A report tells settings as they are.
    due = UNSEEN if path.name == "settings.json" and text == "-1e30" else NOTICED
    put(path, json.dumps(value).replace('"@@@"', text))
    return Damage(f"{'.'.join(map(str, way))}: {text[:20]}", due, _key_of(way))


def json_whole(path: Path, generator: Generator) -> Damage:
    """Another JSON than an object with its keys once."""
    text = path.read_text(encoding="utf-8").strip()
    how = pick(generator, ("list", "deep", "twice", "BOM", "null", "empty object", "comment"))
    due = NOTICED
    if how == "list":
        put(path, f"[{text}]")
    elif how == "deep":
        put(path, "[" * 100_000)
    elif how == "twice":
        keys = list(_load(path))
        if not text.startswith("{") or not keys:
            raise NotPossibleError
        key = pick(generator, keys)
        put(path, f'{text[:-1].rstrip()}, {json.dumps(key)}: "again"}}')
        return Damage(f"{key} is there twice", NOTICED, [key])
    elif how == "BOM":
        put(path, "\ufeff" + text)
        due = SAME
    elif how == "null":
        put(path, "null")
    elif how == "comment":
        put(path, "// made by hand\n" + text)
        due = SAME
    else:
        put(path, "{}")
    return Damage(f"JSON: {how}", due)


JSON = (json_key, json_key, json_key, json_number, json_number, json_whole)


# Rasters


def _rewrite(path: Path, change: Callable[[dict, np.ndarray, dict], Any]) -> None:
    """Write a raster again as a plain GeoTIFF after a change of its profile, values or words."""
    import rasterio

    with rasterio.open(path) as source:
        profile, values = dict(source.profile), source.read()
        told = {
            "descriptions": list(source.descriptions),
            "scales": list(source.scales),
            "tags": source.tags(),
            "bands": [
                (source.tags(number), source.tags(number, ns="IMAGERY"))
                for number in source.indexes
            ],
        }
    values = change(profile, values, told)
    profile.update(
        driver="GTiff",
        count=len(values),
        height=values.shape[1],
        width=values.shape[2],
        dtype=values.dtype,
        tiled=False,
        compress="deflate",
    )
    for key in ("blockxsize", "blockysize", "interleave"):
        profile.pop(key, None)
    path.unlink()
    with rasterio.open(path, "w", **profile) as target:
        target.write(values)
        target.update_tags(**told["tags"])
        for number in range(1, len(values) + 1):
            if number <= len(told["bands"]):
                target.update_tags(number, **told["bands"][number - 1][0])
                target.update_tags(number, ns="IMAGERY", **told["bands"][number - 1][1])
                target.set_band_description(number, told["descriptions"][number - 1] or "")
        target.scales = (told["scales"] * len(values))[: len(values)]


def raster(path: Path, generator: Generator) -> Damage:
    """Another grid, reference system, size, band or value than belongs there."""
    from affine import Affine

    how = pick(
        generator,
        (
            *("no CRS", "no grid", "shifted", "turned", "other zone", "smaller", "one band less"),
            *(
                "all nodata",
                "all NaN",
                "nodata gone",
                "huge values",
                "bands exchanged",
                "two bands",
            ),
            *("wavelengths gone", "wavelength NaN", "nodata NaN text", "complex numbers"),
        ),
    )
    due = NOTICED

    def change(profile: dict, values: np.ndarray, told: dict) -> np.ndarray:
        nonlocal due
        if how == "no CRS":
            profile["crs"], due = None, UNSEEN
        elif how == "no grid":
            profile["transform"], due = Affine.identity(), UNSEEN
        elif how == "shifted":
            profile["transform"] = profile["transform"] @ Affine.translation(1.5, 0.5)
            due = UNSEEN
        elif how == "turned":
            profile["transform"] = profile["transform"] @ Affine.rotation(20)
            due = UNSEEN
        elif how == "other zone":
            profile["crs"], due = "EPSG:32755", UNSEEN
        elif how == "smaller":
            values, due = values[:, :-3, :-2], UNSEEN
        elif how == "one band less":
            if len(values) < 2:
                raise NotPossibleError
            values, due = values[:-1], UNSEEN
        elif how == "all nodata":
            if profile.get("nodata") is None:
                raise NotPossibleError
            values[:], due = profile["nodata"], UNSEEN
        elif how == "all NaN":
            values, due = np.full(values.shape, np.nan, np.float32), UNSEEN
        elif how == "nodata gone":
            profile["nodata"], due = None, UNSEEN
        elif how == "huge values":
            top = np.finfo(np.float32).max if values.dtype.kind == "f" else 0
            if not top:
                raise NotPossibleError
            values[:] = top
        elif how == "bands exchanged":
            if len(values) < 2:
                raise NotPossibleError
            values, due = values[::-1], UNSEEN
        elif how == "two bands":
            values, due = np.concatenate([values, values[:1]]), UNSEEN
        elif how.startswith("wavelength"):
            if not any("CENTRAL_WAVELENGTH_UM" in tags for _, tags in told["bands"]):
                raise NotPossibleError
            for _, tags in told["bands"]:
                if how == "wavelength NaN":
                    tags["CENTRAL_WAVELENGTH_UM"] = "nan"
                else:
                    tags.clear()
            due = NOTICED if how == "wavelength NaN" else UNSEEN
        elif how == "complex numbers":
            values = values.astype(np.complex64)
            profile["nodata"] = None
        else:
            raise NotPossibleError
        return values

    _rewrite(path, change)
    return Damage(how, due, ["grid", "CRS", "coordinate", "band"])


RASTER = (raster, raster, raster, flip, flip, truncate, truncate, zero)


# Vectors


def vector(path: Path, generator: Generator) -> Damage:
    """Another layer, attribute or geometry in a GeoPackage."""
    own(path)
    how = pick(
        generator, ("no CRS", "two layers", "no features", "attribute gone", "geometry broken")
    )
    file = sqlite3.connect(path)
    try:
        table, geometry = file.execute(
            "SELECT table_name, column_name FROM gpkg_geometry_columns"
        ).fetchone()
        file.execute("PRAGMA writable_schema = ON")
        for (name,) in file.execute(
            "SELECT name FROM sqlite_master WHERE type='trigger'"
        ).fetchall():
            file.execute(f'DROP TRIGGER "{name}"')
        due = UNSEEN
        if how == "no CRS":
            file.execute("UPDATE gpkg_geometry_columns SET srs_id = -1")
            file.execute("UPDATE gpkg_contents SET srs_id = -1")
            due = NOTICED
        elif how == "two layers":
            file.execute(f'CREATE TABLE draft AS SELECT * FROM "{table}"')
            file.execute(
                "INSERT INTO gpkg_contents SELECT 'draft', data_type, 'draft', description, "
                "last_change, min_x, min_y, max_x, max_y, srs_id FROM gpkg_contents "
                f"WHERE table_name = '{table}'"
            )
            file.execute(
                "INSERT INTO gpkg_geometry_columns SELECT 'draft', column_name, "
                "geometry_type_name, srs_id, z, m FROM gpkg_geometry_columns "
                f"WHERE table_name = '{table}'"
            )
            due = SAME
        elif how == "no features":
            file.execute(f'DELETE FROM "{table}"')
        elif how == "attribute gone":
            columns = [
                row[1]
                for row in file.execute(f'PRAGMA table_info("{table}")')
                if row[1] not in (geometry, "fid", "id")
            ]
            column = pick(generator, columns)
            file.execute(f'ALTER TABLE "{table}" DROP COLUMN "{column}"')
            how = f"attribute {column} gone"
        else:
            # A feature without a geometry, which is left out, as the tools say.
            file.execute(f'UPDATE "{table}" SET "{geometry}" = x\'00\' WHERE rowid = 1')
        file.commit()
    except sqlite3.Error as error:
        raise NotPossibleError from error
    finally:
        file.close()
    return Damage(how, due)


VECTOR = (vector, vector, vector)


# Archives of arrays, networks


def arrays(path: Path, generator: Generator) -> Damage:
    """An array that is missing, pickled, NaN, of another shape or kind."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = pick(generator, members)
    try:
        value = np.load(io.BytesIO(members[name]), allow_pickle=False)
    except ValueError as error:
        raise NotPossibleError from error
    how = pick(generator, ("missing", "pickled", "NaN", "flat", "text", "shorter", "negative"))
    due = NOTICED
    if how == "missing":
        del members[name]
    else:
        if how == "pickled":
            value = np.array([Evil()], object)
        elif how == "NaN":
            if value.dtype.kind != "f":
                raise NotPossibleError
            value = np.full(value.shape, np.nan, value.dtype)
            due = UNSEEN if value.size == 0 else NOTICED
        elif how == "flat":
            if value.ndim < 2:
                raise NotPossibleError
            value = value.ravel()
        elif how == "text":
            if value.dtype.kind not in "iuf":
                raise NotPossibleError
            value = value.astype("U20")
        elif how == "shorter":
            if value.ndim < 1 or len(value) < 2:
                raise NotPossibleError
            value = value[:-1]
            due = NOTICED
        else:
            if value.dtype.kind != "i" or not value.size:
                raise NotPossibleError
            value = -np.abs(value) - 1_000_000
        stream = io.BytesIO()
        np.save(stream, value, allow_pickle=True)
        members[name] = stream.getvalue()
    path.unlink()
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)
    return Damage(f"array {name}: {how}", due, [name.removesuffix(".npy")])


class Evil:
    """What leaves a file named PWNED when it is unpickled."""

    def __reduce__(self) -> tuple:
        """Touch the file."""
        import os

        return os.system, ("touch PWNED",)


def onnx_network(path: Path, generator: Generator) -> Damage:
    """Weights that are NaN or lie elsewhere, an output or metadata that is missing."""
    import onnx
    from onnx import numpy_helper

    model = onnx.load(str(path), load_external_data=False)
    how = pick(generator, ("NaN", "external", "no metadata", "metadata", "no nodes", "other shape"))
    due = NOTICED
    weights = [
        item for item in model.graph.initializer if item.data_type == 1 and np.prod(item.dims) > 1
    ]
    if how in ("NaN", "other shape"):
        item = pick(generator, weights)
        values = numpy_helper.to_array(item)
        values = np.full(values.shape, np.nan, np.float32) if how == "NaN" else values[:-1]
        item.CopyFrom(numpy_helper.from_array(values, item.name))
    elif how == "external":
        item = pick(generator, weights)
        item.ClearField("raw_data")
        item.data_location = onnx.TensorProto.EXTERNAL
        entry = item.external_data.add()
        entry.key, entry.value = "location", "../../../../../../../../etc/passwd"
    elif how == "no metadata":
        if not model.metadata_props:
            raise NotPossibleError
        del model.metadata_props[:]
    elif how == "metadata":
        entry = pick(generator, model.metadata_props)
        entry.value = str(pick(generator, ("", "zzz", "[" * 50_000, "nan", "{}")))
        how = f"metadata {entry.key} = {entry.value[:10]!r}"
        due = UNSEEN
    else:
        del model.graph.node[:]
    put(path, model.SerializeToString())
    return Damage(f"network: {how}", due, ["network"])


ARRAYS = (arrays, arrays, arrays, flip, truncate)
NETWORK = (onnx_network, onnx_network, truncate, as_noise)


# Metadata in text: keys with values, or elements


_ENTRY = re.compile(r"^([ \t]*)([\w:-]+)([ \t]*=[ \t]*)([^\n]*?)([ \t;]*)$", re.MULTILINE)
_ELEMENT = re.compile(r"<([\w:]+)([^<>]*)>([^<>]+)</\1>")


def metadata_entry(path: Path, generator: Generator) -> Damage:
    """Drop, double or change an entry of a text of metadata."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise NotPossibleError from error
    changed, damage = change_metadata(text, generator)
    put(path, changed)
    # Wavelengths, names and factors of an ENVI image may be told or not.
    if path.suffix == ".hdr" and (" dropped" in damage.what or ": ''" in damage.what):
        damage.due = UNSEEN
    return damage


def change_metadata(text: str, generator: Generator) -> tuple[str, Damage]:
    """A text of metadata with one entry dropped, doubled or changed."""
    is_xml = text.lstrip().startswith("<")
    found = pick(generator, (_ELEMENT if is_xml else _ENTRY).finditer(text))
    key, value = (found[1], found[3]) if is_xml else (found[2], found[4])
    how = pick(generator, ("dropped", "doubled", "changed", "changed", "changed"))
    bare = value.strip().strip('"')
    numeric = bool(NUMBER.fullmatch(bare))
    is_date = bool(re.match(r"\d{4}-?\d\d-?\d\d", bare))
    due = NOTICED
    if how == "dropped":
        put_in, due = "", "kept"
        told = f"{key} dropped"
    else:
        values = DATES if is_date else IMPOSSIBLE if numeric else ("zzz", "", "nan", "x" * 5000)
        new = str(pick(generator, values))
        if not numeric and not is_date:
            due = "kept"
        other = value.replace(bare, new) if bare else new
        entry = found[0].replace(value, other, 1) if value else found[0]
        if found[0] == entry:
            raise NotPossibleError
        if how == "doubled":
            put_in, told = f"{found[0]}\n{entry}", f"{key} twice, {bare[:20]!r} and {new[:20]!r}"
            due = "kept" if is_xml else NOTICED
        else:
            put_in, told = entry, f"{key}: {new[:20]!r} for {bare[:20]!r}"
    text = text[: found.start()] + put_in + text[found.end() :]
    return text, Damage(told, due, [key])


def hdf5_entry(path: Path, generator: Generator) -> Damage:
    """Drop or change an attribute, a variable or its shape."""
    import h5py

    own(path)
    with h5py.File(path, "r+") as file:
        names: list[str] = []
        file.visit(names.append)
        spots = [("", key) for key in file.attrs]
        spots += [(name, key) for name in names for key in file[name].attrs]
        spots += [(name, None) for name in names if isinstance(file[name], h5py.Dataset)]
        name, key = pick(generator, spots)
        if key is None:
            return _change_variable(file, name, generator)
        holder = file[name] if name else file
        value = holder.attrs[key]
        if generator.random() < 0.3:
            del holder.attrs[key]
            return Damage(f"attribute {key} dropped", "kept", [key])
        if isinstance(value, (bytes, np.bytes_, str)):
            new: object = np.bytes_(pick(generator, (*DATES, "", "zzz")))
            due = "kept"
        else:
            new = pick(generator, (np.nan, np.inf, -1e30, 1e30, 0, "zzz", []))
            due = NOTICED if new != 0 and new != [] else "kept"
            if isinstance(new, float):
                new = np.full(np.shape(value), new)
        holder.attrs[key] = new
        return Damage(f"attribute {key}: {str(new)[:20]}", due, [key])


def _change_variable(file: Any, name: str, generator: Generator) -> Damage:
    how = pick(generator, ("dropped", "flat", "NaN", "text", "link", "longer", "group"))
    values = file[name][()]
    del file[name]
    if how == "flat":
        file[name] = np.ravel(values)
    elif how == "NaN":
        if np.asarray(values).dtype.kind != "f":
            raise NotPossibleError
        file[name] = np.full(np.shape(values), np.nan, np.float32)
    elif how == "text":
        file[name] = np.bytes_("zzz")
    elif how == "link":
        import h5py

        file[name] = h5py.ExternalLink("secret.h5", "secret")
    elif how == "longer":
        if np.ndim(values) < 1:
            raise NotPossibleError
        file[name] = np.concatenate([values, values])
    elif how == "group":
        file.create_group(name)
    last = name.rsplit("/", 1)[-1]
    due = UNSEEN if how == "NaN" and np.ndim(values) > 1 else NOTICED
    return Damage(f"variable {name}: {how}", due, [last, name])


def gz_or_zip_member(path: Path, generator: Generator) -> Damage:
    """Leave a member of an archive out, cut, double, rename, exchange it, or spoil its metadata."""
    is_zip = zipfile.is_zipfile(path)
    members = members_of(path, is_zip)
    names = [name for name, content in members if content is not None]
    name = pick(generator, names)
    how = pick(
        generator,
        ("left out", "doubled", "cut", "exchanged", "metadata", "metadata", "metadata", "foreign"),
    )
    changed, damage = [], Damage(f"member {name} {how}", NOTICED, [Path(name).name, path.name])
    other = pick(generator, names)
    contents = dict(members)
    if how == "metadata":
        name = pick(
            generator, [n for n in names if n.lower().endswith(("mtl.txt", ".xml", ".json"))]
        )
        text, damage = change_metadata(contents[name].decode(), generator)
        damage.names += [Path(name).name, path.name]
        contents[name] = text.encode()
    for member, content in members:
        if how == "left out" and member == name:
            continue
        content = contents[member]
        if how == "cut" and member == name and content:
            content = content[: len(content) // 2]
        if how == "exchanged" and member in (name, other):
            content = contents[other if member == name else name]
            damage.due = UNSEEN
            damage.what = f"members {name} and {other} exchanged"
            damage.names.append(Path(other).name)
        changed.append((member, content))
        if how == "doubled" and member == name:
            changed.append((member, contents[other]))
    if how == "foreign":
        stem = pick(generator, ("__MACOSX/._x.tif", ".DS_Store", "Thumbs.db", "readme.txt"))
        changed.append((stem, b"foreign"))
        damage = Damage(f"member {stem} added", SAME, [stem, Path(stem).name])
    pack(path, changed, is_zip)
    return damage


def members_of(path: Path, is_zip: bool) -> list[tuple[str, bytes | None]]:
    """Names and contents of an archive's members, None for a folder."""
    if is_zip:
        with zipfile.ZipFile(path) as archive:
            return [
                (item.filename, None if item.is_dir() else archive.read(item))
                for item in archive.infolist()
            ]
    with tarfile.open(path) as archive:
        return [
            (item.name, archive.extractfile(item).read() if item.isfile() else None)
            for item in archive
        ]


def pack(path: Path, members: list[tuple[str, bytes | None]], is_zip: bool) -> None:
    """Write an archive anew with these members, compressed as it was."""
    stored = False
    if is_zip:
        with zipfile.ZipFile(path) as archive:
            stored = all(item.compress_type == zipfile.ZIP_STORED for item in archive.infolist())
    path.unlink()
    if is_zip:
        import warnings

        compression = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
        with warnings.catch_warnings(), zipfile.ZipFile(path, "w", compression) as archive:
            warnings.simplefilter("ignore")
            for name, content in members:
                archive.writestr(name, content if content is not None else b"")
        return
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        add_members(archive, members)


def add_members(archive: tarfile.TarFile, members: list[tuple[str, bytes | None]]) -> None:
    """Write files, and folders (None), into a tar."""
    for name, content in members:
        entry = tarfile.TarInfo(name)
        if content is None:
            entry.type, entry.mode = tarfile.DIRTYPE, 0o755
            archive.addfile(entry)
        else:
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))


def gunzip(path: Path) -> bytes:
    """What a gzip file holds."""
    return gzip.decompress(path.read_bytes())


def makers_of(path: Path) -> tuple[Maker, ...]:
    """Ways to damage a file of its kind beside those of any file."""
    name = path.name.lower()
    head = path.read_bytes()[:8] if path.is_file() else b""
    if head[:8] == b"\x89HDF\r\n\x1a\n":
        return (hdf5_entry,)
    for ends, makers in (
        ((".zip", ".tar", ".gz", ".tgz"), (gz_or_zip_member,)),
        ((".npz",), ARRAYS),
        ((".onnx",), NETWORK),
        ((".csv",), TABLE),
        ((".json",), JSON),
        ((".gpkg",), VECTOR),
        (("mtl.txt", ".xml", ".imd", ".hdr", ".odl"), (metadata_entry,)),
        ((".tif", ".img"), RASTER),
    ):
        if name.endswith(ends):
            return makers
    return ()


def beside(path: Path, generator: Generator) -> Damage:
    """Put what systems and people leave in folders beside a file."""
    name = pick(
        generator,
        (
            *(f"._{path.name}", ".DS_Store", "Thumbs.db", "desktop.ini", "notes.txt", "copy/a.tif"),
            *(f"{path.name}~", f"__MACOSX/._{path.name}", "readme.pdf"),
        ),
    )
    target = path.parent / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(b"\0\x05\x16\x07 foreign")
    return Damage(f"{name} beside it", SAME, [name, Path(name).name])


def copy_of(path: Path, target: Path) -> None:
    """A copy in another place."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(path, target)
