"""Map what the methods say together: favourability, who is in favour, where they disagree."""

import argparse
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from gossan.accuracy.blocks import Bootstrap
from gossan.accuracy.truth import open_truth
from gossan.errors import InputError
from gossan.files import write_json
from gossan.legend import read_classes
from gossan.maps import ClassMap, Ramp, write_maps
from gossan.prospects.potential import POTENTIAL, check_thresholds, classify_potential
from gossan.raster import is_synthetic
from gossan.tables import write_rows
from gossan.targets.agreement import KINDS, Opinion
from gossan.targets.combined_accuracy import COLUMNS
from gossan.targets.consensus import assess, combine
from gossan.targets.favourability import SUPPORT, count_votes, votes_of
from gossan.targets.favourable_ground import (
    MINERALS,
    ZONES,
    FavourableGround,
    leave_out,
    open_ground,
)
from gossan.targets.voices import Voices, require_one_title
from toolkit import add_blocks, one_blas_thread, run

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
        help="a map of a method, whose title may stand several times: KIND TITLE and its files. "
        f"Kinds: {', '.join(KINDS)}. `classes TITLE CLASS TABLE NAME …`: a class raster, its "
        "table, the classes that are favourable or none for all; `margins` with margins or "
        "probabilities before the table, `angles` with angle and contrast, `distances` with "
        "distances; `confidence TITLE RASTER …`: one per zone; `scores TITLE RECORD RASTER …`: "
        "likewise, with score.json; `potential TITLE CLASS SCORE`. All come onto the grid of the "
        "first; if that is in degrees, onto UTM",
    )
    add("--medium", type=float, required=True, help="least score of medium potential")
    add("--high", type=float, required=True, help="least score of high potential")
    add(
        "--truth",
        type=Path,
        help="what is known of the ground, to learn from and to test on, in spatial blocks",
    )
    add(
        "--truth-of",
        choices=(MINERALS, ZONES),
        default=MINERALS,
        help="whether it is of minerals, in codes or names of --classes, or of zones",
    )
    add("--classes", type=Path, help="all classes that a truth of minerals may name (CSV)")
    add(
        "--favourable",
        nargs="+",
        default=[],
        metavar="NAME",
        help="minerals or zones of the truth that are favourable",
    )
    add(
        "--outside",
        choices=("other", "untested"),
        default="untested",
        help="what ground outside all polygons of the truth is",
    )
    add(
        "--left-out",
        type=Path,
        help="vector file of points or polygons with the attribute `class`, which gave references "
        "of --classes their spectra: there the truth neither teaches nor tests",
    )
    add("--spatial-block-px", type=int, required=True, help="side of a spatial block, in pixels")
    add("--bootstrap", type=int, required=True, help="number of bootstrap samples")
    add("--seed", type=int, required=True, help="seed of sample and bootstrap")
    add("--scene", required=True, help="scene id")
    add("--potential", type=Path, required=True, help="raster of potential classes to write")
    add("--score", type=Path, required=True, help="raster of favourability to write")
    add(
        "--support",
        type=Path,
        required=True,
        help="raster to write: how many methods are in favour, how many have an answer, how far "
        "they disagree, then each method's vote",
    )
    add("--record", type=Path, required=True, help="what went in and how, to write (JSON)")
    add(
        "--comparison",
        type=Path,
        required=True,
        help="table to write of the combined map beside each method alone, on the truth (CSV)",
    )
    add_blocks(parser)
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Ask the maps block by block, and write score, support, potential and record."""
    medium, high = arguments.medium, arguments.high
    check_thresholds(medium, high)
    opinions = [Opinion.parse(words) for words in arguments.maps]
    require_one_title(opinions)
    bootstrap = Bootstrap(arguments.spatial_block_px, arguments.bootstrap, arguments.seed)
    voices = Voices.open(opinions)
    ground = read_ground(arguments, voices)
    blocks = {"block_px": arguments.block_px, "threads": arguments.threads}
    sample = voices.sample(ground, arguments.seed, **blocks)
    with one_blas_thread():
        consensus = combine(voices, sample, bootstrap)
        comparison, notes = assess(voices, sample, consensus, bootstrap)
    combination = consensus.combination
    tally = Tally(voices)

    def work(*rasters: np.ndarray) -> list[np.ndarray]:
        answers = voices.judge(rasters)
        score = combination.score(answers)
        votes = votes_of(voices.titles, answers)
        support = count_votes(list(votes.values()))
        if combination.levels:
            codes = combination.levels(rasters[0][0])
        else:
            codes = classify_potential(score, medium, high)
        tally.add(answers, support, codes)
        return [codes, score, np.stack([*support, *votes.values()])]

    synthetic = any(is_synthetic(reader.info.tags) for own in voices.readers for reader in own)
    tags = {
        "METHOD": METHOD,
        "METHODS": ", ".join(voices.methods),
        "SCALE": combination.name,
        "MEDIUM": f"{medium:g}",
        "HIGH": f"{high:g}",
        "SYNTHETIC": "yes" if synthetic else "no",
    }
    if combination.levels:
        # A map of potential that stands alone keeps its own limits.
        own = voices.readers[0][0].info.tags
        tags |= {name: own[name] for name in ("METHOD", "MEDIUM", "HIGH", "GEOLOGY") if name in own}
    write_maps(
        work,
        voices.sources,
        [
            ClassMap(arguments.potential, POTENTIAL, ("potential",), tags=tags),
            Ramp(arguments.score, ("score",), 0, 1, tags=tags),
            Ramp(arguments.support, (*SUPPORT, *voices.methods), 0, len(voices.methods), tags=tags),
        ],
        grid=voices.grid,
        progress="agreement",
        **blocks,
    )
    record = {
        "scene": arguments.scene,
        "method": METHOD,
        "synthetic": synthetic,
        "medium": medium,
        "high": high,
        "scale": combination.name,
        "rule": combination.rule,
        "truth": describe_ground(ground),
        **tally.describe([*consensus.notes, *notes]),
        "potential": {item.name: int(tally.levels[item.code]) for item in POTENTIAL},
    }
    told = {"synthetic": "yes" if synthetic else "no"}
    if ground is not None and ground.synthetic:
        told = {"synthetic": "yes"}
    write_rows(arguments.comparison, COLUMNS, [row | told for row in comparison])
    write_json(arguments.record, record)


def read_ground(arguments: argparse.Namespace, voices: Voices) -> FavourableGround | None:
    """The truth on the grid of the maps; None without one."""
    if arguments.truth is None:
        return None
    if arguments.truth_of == MINERALS and arguments.classes is None:
        raise InputError("--truth: of minerals is in classes; give --classes")
    ground = open_ground(
        arguments.truth,
        arguments.truth_of,
        voices.grid,
        arguments.favourable,
        read_classes(arguments.classes) if arguments.classes else (),
        arguments.outside,
    )
    if arguments.left_out is None:
        return ground
    if arguments.classes is None:
        raise InputError("--left-out: is of minerals; give --classes")
    taught = open_truth(arguments.left_out, voices.grid, read_classes(arguments.classes))
    return leave_out(ground, taught)


def describe_ground(ground: FavourableGround | None) -> dict | None:
    """The truth as the record has it."""
    if ground is None:
        return None
    return {"file": ground.file, "note": ground.note, "favourable": list(ground.names)}


class Tally:
    """Counts of what the maps say, over all blocks, which threads may add."""

    def __init__(self, voices: Voices):
        """Nothing is counted yet."""
        self.voices = voices
        self.maps = np.zeros((len(voices.opinions), 2), np.int64)
        self.answers = np.zeros(len(voices.methods) + 1, np.int64)
        self.favour = np.zeros(len(voices.methods) + 1, np.int64)
        self.levels = np.zeros(256, np.int64)
        self._lock = threading.Lock()

    def add(self, answers: list, support: np.ndarray, codes: np.ndarray) -> None:
        """Count a block: what each map says, the support, and the classes of potential."""
        counts = [np.nan_to_num(band).astype(np.int64).ravel() for band in support[:2]]
        with self._lock:
            self.maps += [[item.answered.sum(), item.favourable.sum()] for item in answers]
            self.favour += np.bincount(counts[0], minlength=len(self.favour))
            self.answers += np.bincount(counts[1], minlength=len(self.answers))
            self.levels += np.bincount(codes.ravel(), minlength=256)

    def describe(self, said: Sequence[str]) -> dict:
        """The counts as the record has them, with what is to be said of them, beside `said`."""
        voices = self.voices
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
            for opinion, own, (answered, favourable) in zip(
                voices.opinions, voices.readers, self.maps, strict=True
            )
        ]
        pixels = int(self.answers[1:].sum())
        notes = [*said]
        if not pixels:
            notes.append("No method has an answer at any pixel.")
        elif not self.favour[1:].any():
            notes.append("No method calls any pixel favourable.")
        if len(voices.methods) == 1:
            notes.append(f"Only {voices.methods[0]} speaks here, so there is nothing to agree on.")
        return {
            "methods": voices.methods,
            "maps": maps,
            "notes": notes,
            "pixels": pixels,
            "pixels_by_answers": _by_number(self.answers[1:]),
            "pixels_by_favour": _by_number(self.favour[1:]),
        }


def _by_number(counts: np.ndarray) -> dict[str, int]:
    return {str(number): int(pixels) for number, pixels in enumerate(counts, start=1)}


if __name__ == "__main__":
    run(build_parser(), main)
