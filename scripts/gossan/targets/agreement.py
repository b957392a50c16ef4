"""What each method says of a pixel: whether it calls it favourable, and how surely.

A method speaks by one map or several: a map of classes says yes where its class is one of those
that are asked for; the confidence maps of zones say yes where, for one zone at least, half of the
bands or more have medium or high confidence (a single bright band is no zone); a score of a zone
says yes from its own threshold on; a map of potential where it is medium or high. Beside the yes or
no stands the evidence, a number that orders pixels from the least to the most favourable on the
map's own scale. A map has no answer where it has no data.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np

from gossan.cube.stack import pixel_size_m, stack_grid
from gossan.errors import InputError
from gossan.files import read_json
from gossan.legend import NODATA, UNCLASSIFIED, read_classes
from gossan.minerals.scene_angle import surety
from gossan.prospects.potential import HIGH as HIGH_POTENTIAL
from gossan.prospects.potential import MEDIUM as MEDIUM_POTENTIAL
from gossan.raster import Grid
from gossan.targets.on_grid import OnGrid
from gossan.zones.confidence import HIGH, MEDIUM


class Answer(NamedTuple):
    """What a map says of a block, (rows, columns) each.

    `answered` and `favourable` bool; `evidence` float32, NaN where there is no answer; `codes`
    uint8, the class of a map of classes, else 1 where it is in favour.
    """

    answered: np.ndarray
    favourable: np.ndarray
    evidence: np.ndarray
    codes: np.ndarray


# How many rasters a map of each kind has; None: one or more. Those of codes come first.
CLASSES, MARGINS, ANGLES, DISTANCES = "classes", "margins", "angles", "distances"
CONFIDENCE, SCORES, POTENTIAL_MAP = "confidence", "scores", "potential"
RASTERS = {
    CLASSES: ("class",),
    MARGINS: ("class", "margin"),
    ANGLES: ("class", "angle", "contrast"),
    DISTANCES: ("class", "distance"),
    CONFIDENCE: None,
    SCORES: None,
    POTENTIAL_MAP: ("potential", "score"),
}
OF_CLASSES = (CLASSES, MARGINS, ANGLES, DISTANCES)
KINDS = tuple(RASTERS)


@dataclass(frozen=True)
class Opinion:
    """One map of a method: a title, which is that of the method and may stand several times.

    `codes` call a pixel favourable, and `names` are the classes, zones or levels behind them; of a
    score `least` (one per raster) does.
    """

    title: str
    kind: str
    paths: tuple[Path, ...]
    names: tuple[str, ...]
    codes: tuple[int, ...] = ()
    least: tuple[float, ...] = ()

    @classmethod
    def parse(cls, words: Sequence[str]) -> Self:
        """From KIND TITLE and, by kind, its rasters, a table, and names.

        Maps of classes: the class raster and those of RASTERS beside it, the class table, and the
        names of classes, without which all count. `confidence`: a raster per zone. `scores`: the
        record of the scores, and a raster per zone. `potential`: classes and score.
        Raises InputError for an unknown kind, too few or too many words, and an unknown class.
        """
        kind, title, *rest = [*words, "", ""][: max(len(words), 2)]
        if kind not in KINDS:
            raise InputError(f"map: {kind!r} is no kind of map; use one of: {', '.join(KINDS)}")
        if kind in OF_CLASSES:
            return cls._of_classes(kind, title, rest)
        rasters = RASTERS[kind]
        if kind == SCORES:
            return cls._of_scores(title, rest)
        if not rest or (rasters and len(rest) != len(rasters)):
            wanted = " and ".join(rasters) if rasters else "rasters"
            raise InputError(f"map {title}: give its {wanted}")
        names = tuple(Path(path).stem for path in rest) if kind == CONFIDENCE else ()
        codes = (MEDIUM, HIGH) if kind == CONFIDENCE else (MEDIUM_POTENTIAL, HIGH_POTENTIAL)
        return cls(title, kind, tuple(map(Path, rest)), names or ("medium", "high"), codes)

    @classmethod
    def _of_classes(cls, kind: str, title: str, words: Sequence[str]) -> Self:
        count = len(RASTERS[kind])
        if len(words) <= count:
            raise InputError(
                f"map {title}: give its {', '.join(RASTERS[kind])} raster, its class table and the "
                "classes that count"
            )
        table, *names = words[count:]
        known = {item.name: item.code for item in read_classes(table)}
        unknown = [name for name in names if name not in known]
        if unknown:
            raise InputError(
                f"{table}: has no class {unknown[0]!r}, which the map {title} asks for; it has "
                f"{', '.join(known)}"
            )
        names = names or list(known)
        codes = tuple(known[name] for name in names)
        return cls(title, kind, tuple(map(Path, words[:count])), tuple(names), codes)

    @classmethod
    def _of_scores(cls, title: str, words: Sequence[str]) -> Self:
        if len(words) < 2:
            raise InputError(f"map {title}: give the record of its scores and a raster per zone")
        record, *paths = words
        zones = tuple(Path(path).stem for path in paths)
        try:
            least = {item["zone"]: float(item["threshold"]) for item in read_json(record)["zones"]}
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"{record}: is no record of scores; make it again") from error
        missing = [zone for zone in zones if zone not in least]
        if missing:
            raise InputError(f"{record}: has no zone {missing[0]!r}; it has {', '.join(least)}")
        values = tuple(least[zone] for zone in zones)
        return cls(title, SCORES, tuple(map(Path, paths)), zones, least=values)

    def sources(self, grid: Grid) -> list["OnGrid"]:
        """Readers of its rasters on a grid, those of codes and those of numbers."""
        coded = len(self.paths) if self.kind == CONFIDENCE else int(self.kind != SCORES)
        return [OnGrid(path, grid, place < coded) for place, path in enumerate(self.paths)]

    def require(self, rasters: Sequence["OnGrid"]) -> None:
        """Raise InputError where the bands of its rasters are not those that it needs."""
        if self.kind == DISTANCES:
            bands = rasters[-1].info.bands.names[1:]
            if not set(self.names) & set(bands):
                raise InputError(
                    f"{self.paths[-1]}: has no distance to {', '.join(self.names)}; it has "
                    f"{', '.join(bands) or 'none'}"
                )

    def judge(
        self, blocks: Sequence[np.ndarray], bands: Sequence[str] = (), held_out: bool = False
    ) -> Answer:
        """Where the map has an answer, where it is yes, and how surely.

        `blocks` (bands, rows, columns) are of `paths`, as `sources` reads them; `bands` are the
        names of the distances' bands. What is `held_out`, where a map has it, did not learn from
        the pixel's spatial block.
        """
        if self.kind == CONFIDENCE:
            return self._judge_confidence(blocks)
        if self.kind == SCORES:
            return self._judge_scores(blocks, held_out)
        codes = blocks[0][0]
        known = codes != NODATA
        favourable = np.isin(codes, self.codes) & known
        evidence = self._evidence(codes, favourable, blocks[1:], bands)
        answered = known & np.isfinite(evidence)
        evidence = np.where(answered, evidence, np.nan)
        return Answer(answered, favourable & answered, evidence, codes)

    def _evidence(
        self,
        codes: np.ndarray,
        favourable: np.ndarray,
        others: Sequence[np.ndarray],
        bands: Sequence[str],
    ) -> np.ndarray:
        if self.kind == CLASSES:
            return favourable.astype(np.float32)
        if self.kind == POTENTIAL_MAP:
            return others[0][0]
        if self.kind == DISTANCES:
            # The first band is of the named mineral, whichever that is.
            wanted = np.array([name in self.names for name in bands[1:]], bool)
            nearest = others[0][1:][wanted].min(axis=0)
            rivals = others[0][1:][~wanted]
            return (rivals.min(axis=0) if len(rivals) else 0) - nearest
        sure = surety(*(other[0] for other in others)) if self.kind == ANGLES else others[0][0]
        # What is surely another mineral is surely none of these.
        sign = np.where(favourable, 1, np.where(codes == UNCLASSIFIED, 0, -1))
        return (sign * sure).astype(np.float32)

    def _judge_confidence(self, blocks: Sequence[np.ndarray]) -> Answer:
        answered = np.zeros(blocks[0].shape[1:], bool)
        favourable = answered.copy()
        evidence = np.full(answered.shape, -np.inf, np.float32)
        for block in blocks:
            known = block != NODATA
            bands = known.sum(axis=0)
            said = (np.isin(block, self.codes) & known).sum(axis=0)
            levels = np.where(known, block, 0).sum(axis=0, dtype=np.float32)
            share = levels / np.maximum(HIGH * bands, 1)
            answered |= bands > 0
            favourable |= (bands > 0) & (2 * said >= bands)
            evidence = np.where(bands > 0, np.maximum(evidence, share), evidence)
        evidence = np.where(answered, evidence, np.nan)
        return Answer(answered, favourable, evidence, favourable.astype(np.uint8))

    def _judge_scores(self, blocks: Sequence[np.ndarray], held_out: bool) -> Answer:
        evidence = np.full(blocks[0].shape[1:], np.nan, np.float32)
        favourable = np.zeros(evidence.shape, bool)
        for block, least in zip(blocks, self.least, strict=True):
            # The second band is what models say that did not learn from the pixel's block.
            apart = held_out and len(block) > 1
            score = np.where(np.isnan(block[1]), *block) if apart else block[0]
            evidence = np.fmax(evidence, score - np.float32(least))
            favourable |= score >= least
        return Answer(np.isfinite(evidence), favourable, evidence, favourable.astype(np.uint8))


def grid_in_metres(grid: Grid, where: str) -> Grid:
    """The grid itself if it is in a projected system, else square pixels of its size in UTM.

    Targets have areas, which a grid in degrees does not give. The side is rounded to whole metres.
    Raises InputError, naming `where`, for a grid without a reference system.
    """
    if grid.pixel_area_m2 is not None:
        return grid
    if grid.crs is None:
        raise InputError(f"{where}: has no coordinate system; assign one")
    utm = stack_grid({where: grid}, 30.0)
    return stack_grid({where: grid}, max(1.0, round(pixel_size_m(grid, utm))))
