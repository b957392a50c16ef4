"""What is known of a simulated ground: class rasters of the truth, zones, surveys."""

import argparse
from pathlib import Path

from gossan.twin.grounds import GROUNDS, MOST_DIFFICULTY, check_difficulty, check_size
from toolkit import add_ground, add_threads, run

TABLES = ("minerals", "covers", "iron")


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_ground(parser, tuple(GROUNDS), MOST_DIFFICULTY)
    for table in TABLES:
        grounds = [name for name, ground in GROUNDS.items() if table in ground.tables]
        parser.add_argument(
            f"--{table}", type=Path, help=f"table of class codes (CSV), of {', '.join(grounds)}"
        )
    files = "; ".join(f"{name}: {', '.join(ground.files)}" for name, ground in GROUNDS.items())
    parser.add_argument(
        "--output-dir", type=Path, required=True, help=f"folder to write to ({files})"
    )
    add_threads(parser)
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Check the numbers, read the class tables, write."""
    check_size(arguments.ground, arguments.size_px)
    check_difficulty(arguments.difficulty)
    # Imported here, so that --help does not wait for the compiler of the noise.
    from gossan.legend import read_classes
    from gossan.twin.site import find_site
    from gossan.twin.truth import write_truth

    given = {name: getattr(arguments, name) for name in GROUNDS[arguments.ground].tables}
    tables = {name: read_classes(path) for name, path in given.items() if path is not None}
    site = find_site(
        arguments.ground,
        seed=arguments.seed,
        size_px=arguments.size_px,
        difficulty=arguments.difficulty,
    )
    write_truth(arguments.output_dir, site, tables, threads=arguments.threads)


if __name__ == "__main__":
    run(build_parser(), main)
