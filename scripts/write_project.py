"""Write a scene's project for QGIS, and beside it what is known of the ground, in our formats."""

import argparse
from pathlib import Path

from gossan.desk.known_layers import replace_known
from gossan.desk.layers import read_layers
from gossan.desk.qgis_project import build_project
from gossan.errors import InputError
from gossan.files import write_text
from gossan.legend import read_classes
from toolkit import run


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--layers", type=Path, required=True, help="the scene's layers (layers.json)")
    add("--classes", type=Path, required=True, help="table of the classes of truths (CSV)")
    add(
        "--method-classes",
        nargs=2,
        action="append",
        default=[],
        metavar=("METHOD", "PATH"),
        help="table of the classes of a method's own truth; once for each method that has one",
    )
    add("--known", type=Path, required=True, help="folder to write for what is known")
    add("--output", type=Path, required=True, help="project to write, beside --layers (.qgs)")
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Read the list, copy what is known, write the project."""
    scene = read_layers(arguments.layers)
    for path in (arguments.output, arguments.known):
        if path.absolute().parent != scene.folder.absolute():
            raise InputError(f"{path}: must lie beside {arguments.layers}, for paths are relative")
    classes = {"": read_classes(arguments.classes)}
    classes |= {method: read_classes(path) for method, path in arguments.method_classes}
    arguments.known.mkdir(exist_ok=True)
    scene = replace_known(scene, arguments.known, classes)
    write_text(arguments.output, build_project(scene))


if __name__ == "__main__":
    run(build_parser(), main)
