"""Render the index: a small map of each scene with what was found, and the studies' reports."""

import argparse
from pathlib import Path

from gossan.files import read_json, write_text
from gossan.report.index import read_card, render_index
from gossan.report.layout import read_style, read_template, relative_link
from toolkit import FROM_FILE, find_paper, puts_together, run

STATIC = Path(__file__).resolve().parents[1] / "resources" / "static"


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, fromfile_prefix_chars=FROM_FILE)
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
    add(
        "--cards",
        type=Path,
        default=STATIC / "cards.html.j2",
        help="template of a list of scenes",
    )
    add("--style", type=Path, default=STATIC / "report.css", help="style sheet of the page")
    add("--output", type=Path, required=True, help="page to write (HTML)")
    return parser


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
            read_card(place, scene, name, synthetic, arguments.output)
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
        {
            "index": read_template(arguments.template, uses=("style", "studies", "scenes")),
            "cards": read_template(arguments.cards, macros=("cards",)),
        },
        read_style(arguments.style),
        studies,
        scenes,
    )
    write_text(arguments.output, page)


if __name__ == "__main__":
    run(build_parser(), main)
