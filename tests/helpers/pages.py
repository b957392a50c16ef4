"""Pages of sections that are made up in a test."""

import re
import struct
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from gossan.report.page import METHOD_TITLES, OVERVIEW, PAGES, render_pages
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


def render_each(
    sections: Sequence[Section], paper: Mapping | None = None, **changes
) -> dict[str, str]:
    """The pages of a study with these sections, by name."""
    names = ("base", "cards", *METHOD_TITLES)
    options = {
        "study": "mine",
        "paper": paper or {},
        "known_answers": ANSWERS,
        "locations": {},
        "records": [],
        "settings": {"study": "mine"},
        "files": [],
        "fetched": [],
        "places": {name: f"{name}.html" for name in PAGES},
        "outside": {},
    }
    return render_pages(
        {name: (STATIC / f"{name}.html.j2").read_text() for name in names},
        (STATIC / "report.css").read_text(),
        sections=sections,
        **options | changes,
    )


def render(sections: Sequence[Section], paper: Mapping | None = None, **changes) -> str:
    """The same pages as one, after each other."""
    return join_pages(render_each(sections, paper, **changes))


def join_pages(pages: Mapping[str, str]) -> str:
    """Pages of a report as one: links between their places lead within it, others are left out."""
    first, *others = pages.values()
    more = (re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL) for text in others)
    whole = "".join([first, *more])
    whole = re.sub(r'href="(?:[\w./-]*/)?(?:report|accuracy|paper|making)\.html#', 'href="#', whole)
    return re.sub(r'<a href="(?:[\w./-]*/)?(?:report|accuracy|paper|making)\.html">', "<a>", whole)


def read_report(overview: Path) -> str:
    """The pages of a report on disk as one."""
    folder = overview.with_suffix("")
    places = {OVERVIEW: overview} | {
        name: folder / f"{name}.html" for name in PAGES if name != OVERVIEW
    }
    own = rf'href="(?:\.\./)?{re.escape(overview.name)}'
    texts = {name: path.read_text() for name, path in places.items() if path.is_file()}
    return join_pages(
        {name: re.sub(own, 'href="report.html', text) for name, text in texts.items()}
    )
