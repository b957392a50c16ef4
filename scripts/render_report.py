"""Render the report of a study: HTML pages that link to each other, each whole in itself."""

import argparse
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from gossan.errors import InputError
from gossan.files import read_json, staged, together, write_text
from gossan.report.index import read_card
from gossan.report.layout import read_style, read_template, relative_link
from gossan.report.page import METHOD_TITLES, OVERVIEW, PAGES, records_of, render_pages
from gossan.report.paper import check_paper
from gossan.report.study import ANSWERS, list_files, list_sources, read_sections
from gossan.results import read_results
from gossan.tables import read_table
from toolkit import find_paper, puts_together, run

STATIC = Path(__file__).resolve().parents[1] / "resources" / "static"
TESTED = ("minerals", "zones", "prospects", "embedding")


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--study", required=True, help="study id")
    add("--settings", type=Path, required=True, help="record of the study's settings (JSON)")
    add("--results", type=Path, required=True, help="folder of all results")
    add("--accuracy", type=Path, required=True, help="the study's accuracy.json")
    add(
        "--published",
        type=Path,
        default=STATIC / "published.json",
        help="published numbers of papers (JSON)",
    )
    add(
        "--residuals",
        type=Path,
        default=STATIC / "analytic_residuals.csv",
        help="residuals of the analytic library (CSV), shown for the classes that it served",
    )
    add(
        "--table",
        type=Path,
        default=STATIC / "results.csv",
        help="table of what a scene leaves (CSV)",
    )
    add("--base", type=Path, default=STATIC / "base.html.j2", help="template of the page")
    add(
        "--cards",
        type=Path,
        default=STATIC / "cards.html.j2",
        help="template of a list of scenes",
    )
    add(
        "--template",
        nargs=2,
        action="append",
        default=[],
        dest="templates",
        metavar=("METHOD", "FILE"),
        help="template of a method's sections (default: the one that comes along); repeat the "
        f"flag for each of {', '.join(METHOD_TITLES)}",
    )
    add("--style", type=Path, default=STATIC / "report.css", help="style sheet of the page")
    add(
        "--fetched",
        type=Path,
        nargs="+",
        action="extend",
        default=[],
        help="records of products that were fetched by name (JSON; default: none)",
    )
    add("--output", type=Path, required=True, help="overview to write (HTML)")
    add(
        "--pages",
        type=Path,
        required=True,
        help="folder to write, with the pages on accuracy, on the paper and on how it was made",
    )
    return parser


def read_templates(arguments: argparse.Namespace) -> dict[str, str]:
    """Texts of the templates by name; InputError for one of an unknown method or another kind."""
    paths = {name: STATIC / f"{name}.html.j2" for name in METHOD_TITLES}
    for name, path in arguments.templates:
        if name not in paths:
            raise InputError(f"--template: {name} is none of {', '.join(paths)}")
        paths[name] = Path(path)
    texts = {name: read_template(path, macros=("contents", "body")) for name, path in paths.items()}
    return {
        **texts,
        "cards": read_template(arguments.cards, macros=("cards",)),
        "base": read_template(arguments.base, uses=("style", "study", "sections")),
    }


def read_cards(arguments: argparse.Namespace, scenes: Iterable[Mapping]) -> Iterator[dict]:
    """What the report of a study of many scenes shows of each."""
    for scene in scenes:
        folder = arguments.results / "scenes" / scene["scene"]
        yield read_card(
            folder, scene["scene"], arguments.study, scene["synthetic"], arguments.output
        )


@puts_together("settings")
def main(arguments: argparse.Namespace) -> None:
    """Read the parts and write the pages."""
    settings = read_json(arguments.settings)
    if settings.get("study") != arguments.study:
        raise InputError(
            f"{arguments.settings}: is of the study {settings.get('study')!r}, not of "
            f"{arguments.study!r}; record its settings"
        )
    accuracy = read_json(arguments.accuracy)
    name = (settings.get("settings") or {}).get("paper", "")
    paper = check_paper(find_paper(name, arguments.published), arguments.published)
    residuals = read_table(arguments.residuals, ["name", "record", "rms", "angle_rad"])
    templates = read_templates(arguments)
    style = read_style(arguments.style)
    table = read_results(arguments.table)
    sources = list_sources(settings, arguments.results, paper, residuals)
    overview, folder = arguments.output, arguments.pages
    cards = []
    if settings.get("overview"):
        sources, cards = [], list(read_cards(arguments, settings["scenes"]))
    for source in sources:
        if source.method in TESTED and source.holds("trained"):
            records_of(accuracy, source.id)
    pictures = {
        scene["scene"]: arguments.results / "scenes" / scene["scene"] / "location.png"
        for scene in settings["scenes"]
    }
    scenes = {scene: arguments.results / "scenes" / scene / "index.html" for scene in pictures}
    pages = render_pages(
        templates,
        style,
        study=arguments.study,
        sections=read_sections(sources),
        cards=cards,
        paper=paper,
        known_answers=ANSWERS,
        locations={scene: path for scene, path in pictures.items() if path.is_file()},
        records=accuracy.get("records", []),
        settings=settings,
        files=[]
        if cards
        else list_files(settings, arguments.results, table, folder / "making.html"),
        fetched=[read_json(path) for path in arguments.fetched],
        places={
            name: overview.name
            if name == OVERVIEW
            else relative_link(folder / f"{name}.html", overview)
            for name in PAGES
        },
        outside={
            name: relative_link(path, overview)
            for name, path in {
                "": arguments.results / "index.html",
                **({} if cards else scenes),
            }.items()
        },
    )
    with together():
        write_text(overview, pages.pop(OVERVIEW))
        with staged(folder, folder=True) as temporary:
            for name, text in pages.items():
                write_text(temporary / f"{name}.html", text)


if __name__ == "__main__":
    run(build_parser(), main)
