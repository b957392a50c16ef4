"""Tell how the scenes of a study were joined: who taught, and how far they agree."""

import argparse
from pathlib import Path

from gossan.desk.whole_ground import describe_ground
from gossan.files import read_json, write_json
from toolkit import FROM_FILE, puts_together, run


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, fromfile_prefix_chars=FROM_FILE)
    add = parser.add_argument
    add("--teacher", required=True, help="scene that taught all others")
    add("--folder", type=Path, required=True, help="folder below which the maps lie")
    add(
        "--records",
        nargs="+",
        type=Path,
        required=True,
        help="record of each map, by mosaic_scenes.py",
    )
    add("--cubes", nargs="+", type=Path, required=True, help="records of the scenes' cubes (JSON)")
    add("--output", type=Path, required=True, help="what the page tells, to write (JSON)")
    return parser


@puts_together("folder")
def main(arguments: argparse.Namespace) -> None:
    """Read the records and write what they say together."""
    maps = {
        path.relative_to(arguments.folder).with_suffix(".tif").as_posix(): read_json(path)
        for path in arguments.records
    }
    cubes = [read_json(path) for path in arguments.cubes]
    write_json(arguments.output, describe_ground(maps, cubes, arguments.teacher))


if __name__ == "__main__":
    run(build_parser(), main)
