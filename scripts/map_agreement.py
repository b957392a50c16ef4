"""Map what the methods agree on: the share of their maps that call a pixel favourable."""

import argparse
import threading
from pathlib import Path

import numpy as np

from gossan.errors import InputError
from gossan.files import write_json
from gossan.maps import ClassMap, Ramp, write_maps
from gossan.prospects.potential import POTENTIAL, check_thresholds, classify_potential
from gossan.raster import is_synthetic, read_info
from gossan.targets.agreement import CodesOnGrid, Opinion, count_votes, grid_in_metres
from toolkit import add_blocks, run

METHOD = "Agreement of methods"


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add(
        "--map",
        dest="maps",
        nargs="+",
        action="append",
        required=True,
        metavar="WORD",
        help="a method's opinion; once per method: `classes TITLE RASTER TABLE CLASS …` (a class "
        "raster, its class table, the classes that are favourable or none for all), "
        "`confidence TITLE RASTER …` (one raster per zone), or `potential TITLE RASTER`. All come "
        "onto the grid of the first; if that is in degrees, onto UTM",
    )
    add(
        "--medium",
        type=float,
        required=True,
        help="least share of the methods for medium potential",
    )
    add("--high", type=float, required=True, help="least share of the methods for high potential")
    add("--scene", required=True, help="scene id")
    add("--potential", type=Path, required=True, help="raster of potential classes to write")
    add("--score", type=Path, required=True, help="raster of shares to write")
    add("--record", type=Path, required=True, help="which maps went in, to write (JSON)")
    add_blocks(parser)
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Count the opinions block by block, and write potential, share and record."""
    medium, high = arguments.medium, arguments.high
    check_thresholds(medium, high)
    opinions = [Opinion.parse(words) for words in arguments.maps]
    titles = [opinion.title for opinion in opinions]
    for title in titles:
        if titles.count(title) > 1:
            raise InputError(f"map: two are called {title!r}; give each method its own title")
    first = opinions[0].paths[0]
    grid = grid_in_metres(read_info(first).grid, str(first))
    counts = np.zeros((len(opinions), 2), np.int64)
    answered_by = np.zeros(len(opinions) + 1, np.int64)
    levels = np.zeros(256, np.int64)
    lock = threading.Lock()

    readers = [[CodesOnGrid(path, grid) for path in opinion.paths] for opinion in opinions]

    def work(*blocks: np.ndarray) -> list[np.ndarray]:
        rest = list(blocks)
        judged = []
        for opinion in opinions:
            judged.append(opinion.judge(rest[: len(opinion.paths)]))
            del rest[: len(opinion.paths)]
        share, answers = count_votes(judged)
        codes = classify_potential(share, medium, high)
        with lock:
            counts[:] += [[part.sum() for part in pair] for pair in judged]
            answered_by[:] += np.bincount(answers.ravel(), minlength=len(answered_by))
            levels[:] += np.bincount(codes.ravel(), minlength=256)
        return [codes, share]

    synthetic = any(is_synthetic(reader.info.tags) for own in readers for reader in own)
    tags = {
        "METHOD": METHOD,
        "METHODS": ", ".join(titles),
        "MEDIUM": f"{medium:g}",
        "HIGH": f"{high:g}",
        "SYNTHETIC": "yes" if synthetic else "no",
    }
    write_maps(
        work,
        [reader.read for own in readers for reader in own],
        [
            ClassMap(arguments.potential, POTENTIAL, ("potential",), tags=tags),
            Ramp(arguments.score, ("score",), 0, 1, tags=tags),
        ],
        grid=grid,
        block_px=arguments.block_px,
        threads=arguments.threads,
        progress="agreement",
    )
    maps = [
        {
            "title": opinion.title,
            "kind": opinion.kind,
            "files": [path.name for path in opinion.paths],
            "favourable": list(opinion.names),
            "method": own[0].info.tags.get("METHOD"),
            "sensor": own[0].info.tags.get("SENSOR"),
            "synthetic": any(is_synthetic(reader.info.tags) for reader in own),
            "resampled": any(reader.resampled for reader in own),
            "answered_pixels": int(answered),
            "favourable_pixels": int(favourable),
        }
        for opinion, own, (answered, favourable) in zip(opinions, readers, counts, strict=True)
    ]
    record = {
        "scene": arguments.scene,
        "method": METHOD,
        "synthetic": synthetic,
        "medium": medium,
        "high": high,
        "maps": maps,
        "pixels": int(answered_by[1:].sum()),
        "pixels_by_answers": {
            str(number): int(pixels) for number, pixels in enumerate(answered_by[1:], start=1)
        },
        "potential": {item.name: int(levels[item.code]) for item in POTENTIAL},
    }
    write_json(arguments.record, record)


if __name__ == "__main__":
    run(build_parser(), main)
