"""Write the STAC catalogue of a run: its scenes, and of each an item a method and sensor."""

import argparse
from pathlib import Path

from gossan.desk.catalogue import describe_run
from gossan.desk.layers import read_layers
from gossan.errors import InputError
from gossan.files import staged, write_json
from toolkit import FROM_FILE, run


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, fromfile_prefix_chars=FROM_FILE)
    add = parser.add_argument
    add("--layers", type=Path, nargs="+", required=True, help="lists of the scenes' layers (JSON)")
    add(
        "--thumbnails",
        type=Path,
        nargs="+",
        default=[],
        help="pictures of the scenes, in the same order (default: none)",
    )
    add("--catalog", type=Path, required=True, help="catalogue of the run to write (JSON)")
    add("--folder", type=Path, required=True, help="folder to write, with what it leads to")
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Read the lists and what the rasters say of themselves; write all documents."""
    scenes = [read_layers(path) for path in arguments.layers]
    if arguments.thumbnails and len(arguments.thumbnails) != len(scenes):
        raise InputError(
            f"--thumbnails: are {len(arguments.thumbnails)} for {len(scenes)} scenes; give one a "
            "scene, or none"
        )
    names = [scene.scene for scene in scenes]
    thumbnails = dict(zip(names, arguments.thumbnails, strict=False))
    documents = describe_run(scenes, arguments.catalog, arguments.folder, thumbnails)
    with staged(arguments.folder, folder=True) as folder:
        for path, document in documents.items():
            if path == arguments.catalog:
                continue
            place = folder / path.relative_to(arguments.folder)
            place.parent.mkdir(parents=True, exist_ok=True)
            write_json(place, document)
        write_json(arguments.catalog, documents[arguments.catalog])


if __name__ == "__main__":
    run(build_parser(), main)
