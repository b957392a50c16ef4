"""A class map of random spots and a cube on its grid, and small tables of patches."""

from pathlib import Path

import numpy as np
from samples import CLASSES, write_raster

from gossan.legend import MapClass
from gossan.patches.cutting import PatchTable
from gossan.patches.splits import split_blocked

SIDE_PX = 120
CHALCOCITE = MapClass(2, "chalcocite", "Chalcocite", "#00FE00")
FELDSPAR = MapClass(12, "feldspar", "Feldspar (microcline)", "#FE00FE")
CALCITE = MapClass(6, "calcite", "Calcite", "#4FC3F7")
MINERALS = [CHALCOCITE, FELDSPAR, CALCITE]


def make_ground(folder: Path, codes: np.ndarray | None = None) -> Path:
    """Write classes.csv, class.tif (spots of three classes, gaps) and cube.tif of three bands."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "classes.csv").write_text(CLASSES)
    generator = np.random.default_rng(3)
    if codes is None:
        spots = generator.choice(
            [0, 2, 6, 12], (SIDE_PX // 4, SIDE_PX // 4), p=[0.2, 0.2, 0.2, 0.4]
        )
        codes = np.kron(spots, np.ones((4, 4))).astype("uint8")
        codes[30:40, 50:75] = 255
    cube = generator.integers(500, 4000, (3, *codes.shape)).astype("int16")
    cube[:, codes == 255] = -32768
    cube[1, 0, 0] = -32768
    tags = {"SYNTHETIC": "yes"}
    write_raster(folder / "class.tif", codes, nodata=255, tags=tags)
    write_raster(folder / "cube.tif", cube, nodata=-32768, scale=1e-4, tags=tags)
    return folder


def make_table(labels: np.ndarray, rows: np.ndarray, columns: np.ndarray, size_px=8) -> PatchTable:
    """A table of patches of two classes at given places, unsplit."""
    n = len(labels)
    shares = np.full((n, 2), 0.1)
    shares[np.arange(n), labels] = 0.6
    return PatchTable(
        size_px=size_px,
        classes=("chalcocite", "feldspar"),
        share_names=("chalcocite", "feldspar"),
        rows=rows,
        columns=columns,
        x=columns + 0.5,
        y=rows + 0.5,
        labels=labels,
        shares=shares,
        background=np.full(n, 0.3),
        blocks=np.zeros(n, np.int64),
        sides=np.full(n, "unused", "<U10"),
        synthetic=True,
    )


def random_table(seed: int = 1, stride_px: int = 4, width: int = 128) -> PatchTable:
    """Patches of 8 pixels that overlap unless `stride_px` is 8; a fifth are of class 0."""
    starts = np.arange(0, width - 8 + 1, stride_px)
    rows, columns = (axis.ravel() for axis in np.meshgrid(starts, starts, indexing="ij"))
    labels = (np.random.default_rng(seed).random(len(rows)) > 0.2).astype(np.int64)
    return make_table(labels, rows, columns)


def split_table(seed: int = 1, stride_px: int = 4) -> PatchTable:
    """`random_table` split into blocks of 16 pixels."""
    return split_blocked(random_table(seed, stride_px), 128, block_px=16, seed=seed)
