"""Render the report of a study of prospectivity: one self-contained HTML page."""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from gossan.errors import InputError
from gossan.files import read_json, write_text
from gossan.prospects.prospect_tests import SCORE_COLUMNS
from gossan.report.page import records_of, relative_link
from gossan.report.prospects_section import ProspectScene, figure_names, render_prospect_report
from gossan.tables import read_table
from toolkit import add_page, run

# Name -> columns of a table, None for a record (JSON).
TABLES: Mapping[str, Sequence[str] | None] = {
    "strata": (
        *("mine", "mineral", "stratum", "class", "asked", "drawn", "train", "test"),
        "labelled_by",
    ),
    "eigenvalues": ("component", "eigenvalue", "cumulative_share"),
    "labels": None,
    "robustness": (
        *("reference", "shift_rad", "split", "macro_f1", "ore_false_positive_share"),
        "iron_share",
    ),
    "forest": None,
    "targets": None,
    "overlay": (
        *("sites", "potential", "area_share", "n", "found", "share", "ratio"),
        "touching_share",
    ),
}


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--study", required=True, help="study id")
    add(
        "--scene",
        nargs=4,
        action="append",
        required=True,
        dest="scenes",
        metavar=("ID", "CUBE_JSON", "FIGURES_DIR", "SCORES_CSV"),
        help="a scene with its record, its folder of figures and the table of validate_forest; "
        "repeat the flag for each scene",
    )
    add(
        "--table",
        nargs=3,
        action="append",
        default=[],
        dest="tables",
        metavar=("NAME", "ID", "PATH"),
        help="what else a scene has, by name: strata (table of sample_strata), eigenvalues (table "
        "of transform_mnf), labels and robustness (record and table of label_iron), forest (record "
        "of train_forest for the forest of the map), targets and overlay (record and table of "
        "rank_targets); repeat the flag for each",
    )
    add_page(parser, "prospects.html.j2")
    return parser


def read_tables(
    given: Sequence[tuple[str, str, str]], scenes: Sequence[str]
) -> dict[str, dict[str, Sequence | Mapping]]:
    """Scene -> name -> rows or record; InputError for an unknown name or scene, or one twice."""
    tables: dict[str, dict[str, Sequence | Mapping]] = {scene: {} for scene in scenes}
    for name, scene, path in given:
        if name not in TABLES:
            raise InputError(f"table: {name} is none of {', '.join(TABLES)}")
        if scene not in tables:
            raise InputError(f"table: {scene} is no --scene; name the scene too")
        if name in tables[scene]:
            raise InputError(f"table: {name} of {scene} is given twice; give it once")
        columns = TABLES[name]
        tables[scene][name] = read_json(path) if columns is None else read_table(path, columns)
    return tables


def main(arguments: argparse.Namespace) -> None:
    """Read the parts and write the page."""
    accuracy = read_json(arguments.accuracy)
    tables = read_tables(arguments.tables, [scene for scene, *_ in arguments.scenes])
    scenes = []
    for scene, record, figures, scores in arguments.scenes:
        cube = read_json(record)
        scenes.append(
            ProspectScene(
                id=scene,
                cube=cube,
                figures={
                    name: Path(figures) / f"{name}.png"
                    for name in figure_names(cube, tables[scene])
                },
                scores=read_table(scores, SCORE_COLUMNS),
                records=records_of(accuracy, scene),
                tables=tables[scene],
            )
        )
    page = render_prospect_report(
        arguments.template.read_text(encoding="utf-8"),
        arguments.base.read_text(encoding="utf-8"),
        arguments.style.read_text(encoding="utf-8"),
        study=arguments.study,
        scenes=scenes,
        config=read_json(arguments.config),
        published=read_json(arguments.published).get(arguments.study, {}),
        files=[(path, relative_link(path, arguments.output)) for path in arguments.files],
    )
    write_text(arguments.output, page)


if __name__ == "__main__":
    run(build_parser(), main)
