"""Render the report of a study of classes: one self-contained HTML page."""

import argparse
from pathlib import Path

from gossan.errors import InputError
from gossan.files import read_json, write_text
from gossan.legend import read_classes
from gossan.minerals.class_tables import read_areas
from gossan.report.minerals_section import FIGURE_TITLES, Scene, render_report
from gossan.report.page import records_of, relative_link
from gossan.report.patches_section import NETWORK_FIGURES, Networks, read_proportions, read_run
from gossan.tables import read_table
from toolkit import add_page, run


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--study", required=True, help="study id")
    add(
        "--scene",
        nargs=5,
        action="append",
        required=True,
        dest="scenes",
        metavar=("ID", "CUBE_JSON", "FIGURES_DIR", "AREAS_CSV", "RECORDS_CSV"),
        help="a scene with its record, its folder of figures, its table of areas and its table "
        "of the spectra that its classes used; repeat the flag for each scene",
    )
    add(
        "--cnn",
        nargs=3,
        action="append",
        default=[],
        metavar=("ID", "FIGURES_DIR", "PROPORTIONS_CSV"),
        help="a scene with networks: its folder of figures by draw_networks and its table of "
        "proportions by classify_patches; repeat the flag for each such scene",
    )
    add(
        "--network",
        nargs=3,
        action="append",
        default=[],
        dest="networks",
        metavar=("ID", "RUN", "FOLDER"),
        help="a network of a scene that --cnn names, with the folder of its training (record.json, "
        "history.csv, accuracy.json); repeat the flag for each network, in the order to show them",
    )
    add("--classes", type=Path, required=True, help="the study's classes.csv")
    add(
        "--residuals",
        type=Path,
        help="residuals of the analytic library (CSV), shown for the classes that it served",
    )
    add_page(parser, "report.html.j2")
    return parser


def read_networks(arguments: argparse.Namespace) -> dict[str, tuple[Networks, Path]]:
    """Networks and folder of figures by scene; InputError where one flag lacks the other."""
    found = {
        scene: (
            Networks(
                [
                    read_run(name, folder)
                    for own, name, folder in arguments.networks
                    if own == scene
                ],
                read_proportions(proportions),
            ),
            Path(figures),
        )
        for scene, figures, proportions in arguments.cnn
    }
    known = [scene for scene, *_ in arguments.scenes]
    for scene, (networks, _) in found.items():
        if scene not in known:
            raise InputError(f"cnn: {scene!r} is no scene of the page; give it by --scene too")
        if not networks.runs:
            raise InputError(f"cnn: scene {scene!r} has no network; give one by --network")
    for scene, name, _ in arguments.networks:
        if scene not in found:
            raise InputError(f"network: {name!r} is of scene {scene!r}; give that by --cnn too")
    return found


def main(arguments: argparse.Namespace) -> None:
    """Read the parts and write the page."""
    accuracy = read_json(arguments.accuracy)
    networks = read_networks(arguments)
    scenes = [
        Scene(
            id=scene,
            cube=read_json(cube),
            figures={name: Path(figures) / f"{name}.png" for name in FIGURE_TITLES}
            | {
                name: networks[scene][1] / f"{name}.png"
                for name in (NETWORK_FIGURES if scene in networks else ())
            },
            areas=read_areas(areas),
            accuracy=records_of(accuracy, scene)[0],
            records=read_table(records, ["name", "library", "record"]),
            networks=networks[scene][0] if scene in networks else None,
        )
        for scene, cube, figures, areas, records in arguments.scenes
    ]
    page = render_report(
        arguments.template.read_text(encoding="utf-8"),
        arguments.base.read_text(encoding="utf-8"),
        arguments.style.read_text(encoding="utf-8"),
        study=arguments.study,
        scenes=scenes,
        classes=read_classes(arguments.classes),
        config=read_json(arguments.config),
        published=read_json(arguments.published).get(arguments.study, {}),
        residuals=read_table(arguments.residuals, ["name", "record", "rms", "angle_rad"])
        if arguments.residuals
        else [],
        files=[(path, relative_link(path, arguments.output)) for path in arguments.files],
    )
    write_text(arguments.output, page)


if __name__ == "__main__":
    run(build_parser(), main)
