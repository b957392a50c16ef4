"""The tables of docs/reference/papers.md, from published.json; run me to write them anew."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/reference/papers.md"
PUBLISHED = ROOT / "resources/static/published.json"
HEADING = re.compile(r"^## `(\w+)`\n", re.MULTILINE)


def tables(papers: Mapping) -> str:
    """A section for each paper: what it has, and where it is, or why it is nowhere."""
    parts = []
    for name, paper in papers.items():
        rows = []
        for row in paper["contents"]:
            places = ", ".join(f"`{place}`" for place in row.get("ours", [])) or "–"
            rows.append(f"| {row['paper']} | {places} | {row.get('differs') or row['why']} |")
        heads = ("| the paper | our report | what differs, or why not |", "| --- | --- | --- |")
        told = f"{paper['citation'][0].upper()}{paper['citation'][1:]}."
        parts.append("\n".join([f"## `{name}`", "", told, "", *heads, *rows]))
    return "\n\n".join(parts) + "\n"


def page_of(papers: Mapping) -> str:
    """The page with its own words and the tables of these papers."""
    words = HEADING.split(PAGE.read_text(encoding="utf-8"))[0]
    return words + tables(papers)


if __name__ == "__main__":
    PAGE.write_text(page_of(json.loads(PUBLISHED.read_text(encoding="utf-8"))), encoding="utf-8")
