"""A small scene for patch networks: class map, cube, class table, and the patches cut from it."""

from pathlib import Path

import numpy as np
from samples import CLASSES, run_tool, write_raster

SIZE = 128
PATCH_PX = 16
BANDS = 4


def make_ground(folder: Path, size: int = SIZE) -> Path:
    """Write class.tif, cube.tif and classes.csv: stripes and specks of codes 2, 12 and 6."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "classes.csv").write_text(CLASSES)
    generator = np.random.default_rng(5)
    patchwork = generator.integers(0, 2, (size // 16, size // 16)).repeat(16, 0).repeat(16, 1)
    codes = np.where(patchwork == 1, 2, 12)
    speckled = generator.random(codes.shape)
    codes = np.where(speckled < 0.2, 6, np.where(speckled > 0.8, 0, codes)).astype("uint8")
    codes[:8, :24] = 255
    tags = {"SYNTHETIC": "yes"}
    write_raster(folder / "class.tif", codes, nodata=255, tags=tags)
    level = np.choose(np.searchsorted([2, 6, 12], codes.clip(0, 12)), [1000, 3000, 5000])
    cube = np.stack([level + 300 * band for band in range(BANDS)]).astype("int16")
    cube += generator.integers(-200, 200, cube.shape).astype("int16")
    cube[:, codes == 255] = -32768
    write_raster(folder / "cube.tif", cube, nodata=-32768, scale=1e-4, tags=tags)
    return folder


def cut(folder: Path, *flags: object) -> Path:
    """Cut the scene of `folder` into patches of chalcocite and feldspar."""
    done = run_tool(
        "cut_patches",
        *("--class-map", folder / "class.tif", "--cube", folder / "cube.tif"),
        *("--classes", folder / "classes.csv", "--size-px", PATCH_PX, "--stride-px", 16),
        *("--split-block-px", 16, "--colour", folder / "colour.npz"),
        *("--reflectance", folder / "reflectance.npz", "--table", folder / "patches.csv"),
        *("--record", folder / "cut.json"),
        *("--min-label-share", 0.01, "--max-background-share", 0.9, "--seed", 42),
        *(flags or ("--labels", "chalcocite", "feldspar")),
    )
    assert done.returncode == 0, done.stderr
    return folder


def train(folder: Path, out: Path, *flags: object, patches: str = "colour.npz", images: int = 40):
    """Train a network on the patches of `folder` and write all its files into `out`."""
    return run_tool(
        "train_network",
        *("--patches", folder / patches, "--table", folder / "patches.csv"),
        *("--cut", folder / "cut.json", "--classes", folder / "classes.csv"),
        *("--scene", "tiny", "--split-block-px", 16),
        *("--images", images, "--bootstrap", 100, "--threads", 1, "--seed", 42),
        *("--protocol", "blocked", "--network", "paper", "--rotations", 4, "--epochs", 10),
        *("--model", out / "net.keras", "--onnx", out / "net.onnx", "--record", out / "net.json"),
        *("--history", out / "training.csv", "--answers", out / "answers.csv"),
        *("--accuracy", out / "accuracy.json", *flags),
    )
