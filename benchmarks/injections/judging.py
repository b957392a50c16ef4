"""What is made of a tool's answer to a fault."""

import csv
import json
import math
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Mapping
from pathlib import Path

from injections.damage import NOTICED, SAME, Damage
from injections.forks import Ran
from injections.jobs import digest, list_files

OUTCOMES = ("refused", "tolerated", "traceback", "half", "silent", "unclear", "hang")
GOOD = ("refused", "tolerated")
OLD = b"an older result\n"


def judge(
    ran: Ran,
    damage: Damage,
    expected: Mapping[str, str],
    box: Path,
    before: Mapping[str, str],
    base: Path,
) -> tuple[str, str]:
    """The outcome and what shows it.

    expected: digests of what a sound run writes; before: of all files of the box as the tool found
    it.
    """
    if (box / "PWNED").exists():
        return "silent", "code of the input ran: PWNED was written"
    if ran.code is None:
        return "hang", f"no end after {ran.seconds:.0f} s"
    line = error_line(ran.said)
    after = {name: digest(box / name) for name in list_files(box)}
    new = {name for name, what in after.items() if before.get(name) != what}
    if "Traceback (most recent call last)" in ran.said or ran.code not in (0, 1, 2):
        last = [text for text in ran.said.splitlines() if text.strip()][-1:]
        return "traceback", f"code {ran.code}: {' '.join(last)[:400]}"
    if ran.code:
        if new:
            return "half", f"{', '.join(sorted(new)[:4])} written, then: {line}"
        return name_refusal(line, damage, ran.said)
    stray = {name for name in new if name not in expected}
    missing = [name for name in expected if name not in after]
    other = [name for name in expected if name in after and after[name] != expected[name]]
    if any(".part" in name or "/." in f"/{name}" for name in stray):
        return "half", f"temporary files stay: {', '.join(sorted(stray)[:4])}"
    if damage.due == "disk":
        bad = missing + other
        return (
            ("half", f"exit 0, but not whole: {', '.join(bad[:4])}") if bad else ("tolerated", "")
        )
    if not missing and not other:
        return "tolerated", ""
    return judge_change(damage, missing, other, box, base)


def judge_change(
    damage: Damage, missing: list[str], other: list[str], box: Path, base: Path
) -> tuple[str, str]:
    """What another answer than the sound one means."""
    told = f"exit 0; other than sound: {', '.join((missing + other)[:5])}"
    if damage.due == "label":
        fault = find_markup(box, other)
        return ("silent", fault) if fault else ("tolerated", "")
    if damage.what.startswith("removed") and _told_apart(damage.names[1], other, box, base):
        return "tolerated", ""
    if damage.due in ("kept", NOTICED) and not missing:
        images = [name for name in other if name.endswith((".tif", ".npz", ".gpkg"))]
        if all(same_pixels(box / name, base / name) for name in images):
            rest = [name for name in other if name not in images]
            if rest and all(name.endswith(".json") for name in rest):
                odd = [text for name in rest for text in odd_numbers(box / name, base / name)]
                if damage.due == "kept" and not odd:
                    return "tolerated", ""
                if damage.due == NOTICED and not odd:
                    return "tolerated", ""
                return "silent", f"{told}: {'; '.join(odd[:3])}"
            if not rest:
                return "tolerated", ""
        return "silent", told
    if damage.due in (NOTICED, SAME, "kept"):
        return "silent", told
    return "tolerated", ""


def _told_apart(name: str, other: list[str], box: Path, base: Path) -> bool:
    """Whether a record that names a file no longer does: of a folder of dates, one is taken away.

    No other file says which dates a folder should hold, so the record of what was used is due.
    """
    stem = Path(name).name.split(".")[0]
    return any(
        stem in (base / path).read_text() and stem not in (box / path).read_text()
        for path in other
        if path.endswith(".json")
    )


def error_line(said: str) -> str:
    """The lines that say what is wrong, joined."""
    lines = [text for text in said.splitlines() if re.match(r"(\S+\.py: )?error: ", text)]
    return "\n".join(lines)


def name_refusal(line: str, damage: Damage, said: str) -> tuple[str, str]:
    """Whether one line names what is wrong."""
    if not line:
        return "unclear", f"no line of error: {said[-300:]!r}"
    if "\n" in line:
        return "unclear", f"several lines of error: {line[:400]}"
    low = line.lower()
    if any(name.lower() in low for name in damage.names if len(name) > 1):
        return "refused", line
    return "unclear", f"names neither file nor key ({', '.join(damage.names[:4])}): {line[:400]}"


def same_pixels(one: Path, two: Path) -> bool:
    """Whether two rasters hold the same numbers on the same grid."""
    import numpy as np
    import rasterio

    if one.suffix != ".tif":
        return False
    try:
        with rasterio.open(one) as first, rasterio.open(two) as second:
            return (
                first.transform == second.transform
                and first.crs == second.crs
                and first.shape == second.shape
                and first.count == second.count
                and np.array_equal(
                    first.read(), second.read(), equal_nan=first.dtypes[0].startswith("float")
                )
            )
    except rasterio.RasterioIOError:
        return False


def odd_numbers(one: Path, two: Path) -> list[str]:
    """Numbers of a record that the sound record has not and nobody can have measured."""
    mine, theirs = json.loads(one.read_text()), json.loads(two.read_text())
    return list(_odd(mine, theirs, ""))


def _odd(mine: object, theirs: object, way: str) -> Iterable[str]:
    if isinstance(mine, dict):
        other = theirs if isinstance(theirs, dict) else {}
        for key, value in mine.items():
            yield from _odd(value, other.get(key), f"{way}.{key}")
    elif isinstance(mine, list):
        other = theirs if isinstance(theirs, list) else []
        for place, value in enumerate(mine):
            yield from _odd(value, other[place] if place < len(other) else None, f"{way}.{place}")
    elif (
        isinstance(mine, (int, float))
        and mine != theirs
        and (not math.isfinite(mine) or mine > 1e6 or mine < -1000)
    ):
        yield f"{way[1:]} = {mine}"


def find_markup(box: Path, names: list[str]) -> str:
    """What a label did to pages, styles and tables; "" where nothing."""
    for name in names:
        path = box / name
        if name.endswith((".html", ".kml", ".qml", ".xml")):
            text = path.read_text(encoding="utf-8", errors="replace")
            if "<script>alert(1)" in text:
                return f"{name} has the markup of a label"
            if not name.endswith(".html"):
                try:
                    ET.fromstring(text)
                except ET.ParseError as error:
                    return f"{name} is broken: {error}"
        if name.endswith(".csv"):
            with path.open(encoding="utf-8", newline="") as file:
                if any(cell.startswith("=cmd") for row in csv.reader(file) for cell in row):
                    return f"{name} has a formula"
    return ""
