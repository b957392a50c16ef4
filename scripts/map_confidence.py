"""Map the published confidence in an alteration zone: the scaled LL of each band, in ranges."""

import argparse
from pathlib import Path

from toolkit import add_blocks, run


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--subbands", type=Path, required=True, help='wavelet sub-bands; bands named "4 LL", …'
    )
    parser.add_argument("--zone", required=True, help="name of the zone")
    for level in ("medium", "high"):
        parser.add_argument(
            f"--{level}",
            type=float,
            nargs=2,
            required=True,
            metavar=("LOW", "HIGH"),
            help=f"scaled LL of {level} confidence, lower end included, upper end not unless it "
            "is 1",
        )
    parser.add_argument("--output", type=Path, required=True, help="confidence raster to write")
    add_blocks(parser)
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Find the extremes of each LL, scale it and write its confidence."""
    import numpy as np

    from gossan.maps import ClassMap, write_maps
    from gossan.raster import iter_blocks, read_info
    from gossan.zones.confidence import (
        CONFIDENCE,
        Levels,
        find_extremes,
        low_pass_bands,
        low_pass_places,
        map_confidence,
        require_contrast,
        scale_low_pass,
    )

    levels = Levels(tuple(arguments.medium), tuple(arguments.high))
    info = read_info(arguments.subbands)
    bands = low_pass_bands(info.bands.names, str(arguments.subbands))
    places = low_pass_places(info.bands.names, bands, str(arguments.subbands))
    options = {"block_px": arguments.block_px, "threads": arguments.threads}
    extremes = [
        found
        for _, found in iter_blocks(
            lambda block: find_extremes(block[places]),
            [arguments.subbands],
            progress="extremes",
            **options,
        )
    ]
    low = np.min([found[0] for found in extremes], axis=0)
    high = np.max([found[1] for found in extremes], axis=0)
    require_contrast(low, high, bands, str(arguments.subbands))
    confidence = ClassMap(
        arguments.output,
        CONFIDENCE,
        bands,
        every_band=True,
        tags={
            **info.tags,
            "METHOD": "Published confidence ranges",
            "ZONE": arguments.zone,
            "MEDIUM": f"{levels.medium[0]:g} {levels.medium[1]:g}",
            "HIGH": f"{levels.high[0]:g} {levels.high[1]:g}",
        },
    )
    write_maps(
        lambda block: map_confidence(scale_low_pass(block[places], low, high), levels),
        [arguments.subbands],
        [confidence],
        progress=arguments.zone,
        **options,
    )


if __name__ == "__main__":
    run(build_parser(), main)
