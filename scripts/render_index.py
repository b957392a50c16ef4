"""Render the index: a small map of each scene with what was found, and the studies' reports."""

import argparse
from pathlib import Path

from gossan.files import read_json, write_text
from gossan.report.index import render_index
from gossan.report.layout import read_style, read_template, relative_link
from toolkit import find_paper, puts_together, run

STATIC = Path(__file__).resolve().parents[1] / "resources" / "static"


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add(
        "--study",
        nargs=2,
        action="append",
        required=True,
        dest="studies",
        metavar=("NAME", "FOLDER"),
        help="a study and its folder, with report.html, accuracy.json and settings.json, and "
        "mosaic/ where its scenes are joined; repeat the flag for each study",
    )
    add(
        "--scenes",
        type=Path,
        required=True,
        help="folder of all scenes, each with index.html, thumbnail.png and summary.json; a scene "
        "without them is told by its name alone",
    )
    add(
        "--published",
        type=Path,
        default=STATIC / "published.json",
        help="published figures of the studies (JSON)",
    )
    add("--template", type=Path, default=STATIC / "index.html.j2", help="template of the page")
    add("--style", type=Path, default=STATIC / "report.css", help="style sheet of the page")
    add("--output", type=Path, required=True, help="page to write (HTML)")
    return parser


def _read_scene(
    folder: Path, page: Path, scene: str, study: str, synthetic: bool
) -> dict[str, object]:
    """What the index, on that page, shows of a scene whose own page lies in the folder."""
    known = {"scene": scene, "study": study, "synthetic": synthetic, "href": "", "picture": ""}
    if not (folder / "summary.json").is_file():
        return {**known, "sensors": "", "found": "", "trust": "", "doubt": ""}
    return {
        **known,
        **read_json(folder / "summary.json"),
        "href": relative_link(folder / "index.html", page),
        "picture": relative_link(folder / "thumbnail.png", page),
    }


@puts_together("output")
def main(arguments: argparse.Namespace) -> None:
    """Read the records and write the page."""
    studies, scenes = [], []
    for name, folder in arguments.studies:
        record = read_json(Path(folder) / "settings.json")
        known = [
            (arguments.scenes / scene["scene"], scene["scene"], scene["synthetic"])
            for scene in record["scenes"]
        ]
        whole = Path(folder) / "mosaic"
        if (whole / "summary.json").is_file():
            known.insert(0, (whole, name, any(synthetic for *_, synthetic in known)))
        shown = [
            _read_scene(place, arguments.output, scene, name, synthetic)
            for place, scene, synthetic in known
        ]
        if len(shown) > len(record["scenes"]):
            number = len(record["scenes"])
            shown[0]["sensors"] = f"{number} scene{'s' * (number > 1)} as one"
        scenes += shown
        paper = find_paper((record.get("settings") or {}).get("paper", ""), arguments.published)
        studies.append(
            {
                "name": name,
                "href": relative_link(Path(folder) / "report.html", arguments.output),
                "title": paper.get("title", ""),
                "citation": paper.get("citation", ""),
                "synthetic": all(scene["synthetic"] for scene in record["scenes"]),
                "records": read_json(Path(folder) / "accuracy.json")["records"],
            }
        )
    page = render_index(
        read_template(arguments.template, uses=("style", "studies", "scenes")),
        read_style(arguments.style),
        studies,
        scenes,
    )
    write_text(arguments.output, page)


if __name__ == "__main__":
    run(build_parser(), main)
