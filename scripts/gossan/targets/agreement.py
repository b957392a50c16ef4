"""What the methods agree on: the share of them that call a pixel favourable.

Each map is one opinion. A map of classes says yes where its class is one of those named, a map of
potential where it is medium or high; the confidence maps of zones say yes where, for one zone at
least, half of the bands or more have medium or high confidence: a single bright band is no zone. A
map has no answer where it has no data, and does not count there, so that ground which few methods
saw is not held against it. The share says how many agree, not how likely ore is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from rasterio.errors import RasterioError
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

from gossan.checksums import read_verified
from gossan.cube.stack import pixel_size_m, stack_grid
from gossan.errors import InputError
from gossan.legend import NODATA, read_classes
from gossan.outlines import outline, outline_on
from gossan.prospects.potential import HIGH as HIGH_POTENTIAL
from gossan.prospects.potential import MEDIUM as MEDIUM_POTENTIAL
from gossan.raster import Grid, open_raster, read_info, verify_raster
from gossan.zones.confidence import HIGH, MEDIUM

CLASSES, CONFIDENCE, POTENTIAL_MAP = "classes", "confidence", "potential"
KINDS = (CLASSES, CONFIDENCE, POTENTIAL_MAP)


@dataclass(frozen=True)
class Opinion:
    """One method's maps, and which of their codes call a pixel favourable.

    `names` are the classes or levels behind `codes`, for the record.
    """

    title: str
    kind: str
    paths: tuple[Path, ...]
    codes: tuple[int, ...]
    names: tuple[str, ...]

    @classmethod
    def parse(cls, words: Sequence[str]) -> Self:
        """From KIND TITLE MAP …: further maps of confidence; a class table and names of classes,
        without which all classes count.

        Raises InputError for an unknown kind, too few or too many words, and an unknown class.
        """
        kind, title, *rest = [*words, "", ""][: max(len(words), 2)]
        if kind not in KINDS:
            raise InputError(f"map: {kind!r} is no kind of map; use one of: {', '.join(KINDS)}")
        if kind == CLASSES:
            if len(rest) < 2:
                raise InputError(
                    f"map {title}: give its raster, its class table and the classes that count"
                )
            path, table, *names = rest
            known = {item.name: item.code for item in read_classes(table)}
            unknown = [name for name in names if name not in known]
            if unknown:
                raise InputError(
                    f"{table}: has no class {unknown[0]!r}, which the map {title} asks for; it has "
                    f"{', '.join(known)}"
                )
            names = names or list(known)
            codes = tuple(known[name] for name in names)
            return cls(title, kind, (Path(path),), codes, tuple(names))
        if not rest or (kind == POTENTIAL_MAP and len(rest) > 1):
            raise InputError(f"map {title}: give its raster" + ("s" * (kind == CONFIDENCE)))
        codes = (MEDIUM, HIGH) if kind == CONFIDENCE else (MEDIUM_POTENTIAL, HIGH_POTENTIAL)
        return cls(title, kind, tuple(map(Path, rest)), codes, ("medium", "high"))

    def judge(self, blocks: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Where the maps have an answer, and where it is yes; (rows, columns) bool both.

        `blocks` (bands, rows, columns) uint8 are of `paths`, NODATA where there is no answer.
        """
        answered = np.zeros(blocks[0].shape[1:], bool)
        favourable = answered.copy()
        for block in blocks:
            known = block != NODATA
            said = np.isin(block, self.codes) & known
            bands = known.sum(axis=0)
            answered |= bands > 0
            favourable |= (bands > 0) & (2 * said.sum(axis=0) >= bands)
        return answered, favourable


def count_votes(opinions: Sequence[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """The share of the answers that are yes, float32, NaN without any; and how many answers.

    `opinions` are (answered, favourable) of each method, (rows, columns) bool.
    """
    answers = np.sum([answered for answered, _ in opinions], axis=0, dtype=np.uint8)
    yes = np.sum([favourable for _, favourable in opinions], axis=0, dtype=np.uint8)
    share = np.full(answers.shape, np.nan, np.float32)
    np.divide(yes, answers, out=share, where=answers > 0, dtype=np.float32)
    return share, answers


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


class CodesOnGrid:
    """A raster of codes read on another grid, each pixel from the one its centre lies in.

    Threads may read at once. Raises InputError for a raster that is not uint8 with nodata 255, or
    that cannot lie on the grid.
    """

    def __init__(self, path: Path, grid: Grid):
        """Read the headers only."""
        self.info = read_info(path)
        self.grid = grid
        if self.info.dtype != "uint8" or self.info.nodata != NODATA:
            raise InputError(
                f"{path}: {self.info.dtype} with nodata {self.info.nodata}, not uint8 with "
                f"{NODATA}; give a map of classes, confidence or potential"
            )
        try:
            grid.require_same(self.info.grid, str(path))
            self.resampled = False
        except InputError:
            self.resampled = True
            self._require_overlap()
            verify_raster(path)

    def _require_overlap(self) -> None:
        edge = outline_on(self.info.grid, self.grid, self.info.path)
        if not edge.intersection(outline(self.grid)).area:
            raise InputError(f"{self.info.path}: does not overlap the first map; leave it out")

    def read(self, window: Window) -> np.ndarray:
        """Codes of a window of the grid, (bands, rows, columns) uint8."""
        try:
            with open_raster(self.info.path) as source:
                if not self.resampled:
                    return read_verified(source, window=window)
                with WarpedVRT(
                    source,
                    crs=self.grid.crs,
                    transform=self.grid.transform,
                    width=self.grid.width,
                    height=self.grid.height,
                    nodata=NODATA,
                    # The usual approximation of places may be off by an eighth of a pixel.
                    tolerance=1e-3,
                ) as warped:
                    return warped.read(window=window)
        except RasterioError as error:
            raise InputError(f"{self.info.path}: broken or truncated; make it again") from error
