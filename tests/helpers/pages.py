"""Pages of sections that are made up in a test."""

import struct
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from gossan.report.page import METHOD_TITLES, render_page
from gossan.report.sections import Section, Source
from gossan.report.study import ANSWERS

STATIC = Path(__file__).resolve().parents[2] / "resources" / "static"


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


# A picture of one grey pixel, whole.
PNG = (
    b"\x89PNG\r\n\x1a\n"
    + _chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    + _chunk(b"IDAT", zlib.compress(b"\0\x80"))
    + _chunk(b"IEND", b"")
)


def make_source(
    method: str, sensor: str = "", paper: Mapping | None = None, own: Mapping | None = None, **more
) -> Source:
    """Where nothing lies: for sections of scenes that a test made up."""
    return Source(
        scene={"scene": "tiny", "sensors": {}, "methods": {}},
        sensor=sensor,
        method=method,
        scene_dir=Path("nowhere"),
        study_dir=Path("nowhere"),
        settings={"library": ["analytic"], method: own or {}},
        paper=paper or {},
        **more,
    )


def render(sections: Sequence[Section], paper: Mapping | None = None, **changes) -> str:
    """The page of a study with these sections."""
    names = ("base", *METHOD_TITLES)
    options = {
        "study": "mine",
        "paper": paper or {},
        "known_answers": ANSWERS,
        "locations": {},
        "records": [],
        "settings": {"study": "mine"},
        "files": [],
    }
    return render_page(
        {name: (STATIC / f"{name}.html.j2").read_text() for name in names},
        (STATIC / "report.css").read_text(),
        sections=sections,
        **options | changes,
    )
