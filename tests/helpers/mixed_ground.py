"""Ground on which the mineral of each pixel is known: a little of it in desert of one colour."""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import rasterio
from samples import write_raster

CENTRES_UM = (0.48, 0.56, 0.66, 0.83, 0.92, 1.05, 1.65, 2.06, 2.12, 2.17, 2.21, 2.26, 2.33, 2.39)
FWHM_UM = 0.03
BANDS = tuple(f"B{number}" for number in range(1, len(CENTRES_UM) + 1))
# Centre and width (µm) and depth of a made-up absorption of each mineral.
ABSORPTIONS = {
    "goethite": (0.92, 0.09, 0.35),
    "hematite": (0.83, 0.05, 0.35),
    "kaolinite": (2.20, 0.025, 0.4),
    "alunite": (2.16, 0.03, 0.4),
    "calcite": (2.34, 0.03, 0.4),
}
CODES = {"goethite": 14, "hematite": 15, "kaolinite": 17, "alunite": 7, "calcite": 6}
GROUPS = {"1um": ("goethite", "hematite"), "2um": ("kaolinite", "alunite", "calcite")}
CLASSES = """code,name,label,kind,colour,record,max_angle_rad,group
14,goethite,Goethite,mineral,#B8860B,,,1um
15,hematite,Hematite,mineral,#8E1B1B,,,1um
17,kaolinite,Kaolinite,mineral,#7E57C2,,,2um
7,alunite,Alunite,mineral,#E53935,,,2um
6,calcite,Calcite,mineral,#4FC3F7,,,2um
18,quartz,Quartz,mineral,#EEEEEE,,,
"""
CUBE_RECORD = {"corrections": [], "normalisation": "clip", "atmosphere": "none"}
TAGS = {"SENSOR": "A sensor", "PRODUCT_ID": "GROUND_1", "SYNTHETIC": "yes"}


def pure(name: str) -> np.ndarray:
    """Reflectance (bands,) of a pure mineral, brighter than the desert and of its colour."""
    return 1.5 * desert() * (1 - _dip(name))


def _dip(name: str) -> np.ndarray:
    centre, width, depth = ABSORPTIONS[name]
    return depth * np.exp(-0.5 * ((np.array(CENTRES_UM) - centre) / width) ** 2)


def desert() -> np.ndarray:
    """Reflectance (bands,) of the ground that minerals lie in: red, as all deserts."""
    wavelength = np.array(CENTRES_UM)
    return 0.12 + 0.3 * (1 - np.exp(-2.2 * (wavelength - 0.4)))


def mixed_ground(
    rows: int = 48, columns: int = 60, *, noise: float = 0.002, seed: int = 5
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Reflectance (bands, rows, columns), and the true code of each pixel by group.

    Every pixel holds 10 to 50 % of a mineral of each group, in patches of 4 × 4 pixels, under sun
    of its own.
    """
    generator = np.random.default_rng(seed)
    patches = (rows // 4, columns // 4)
    share = generator.uniform(0.1, 0.5, (2, rows, columns))
    cube = np.broadcast_to(desert()[:, None, None], (len(BANDS), rows, columns)).copy()
    truth = {}
    for own, (group, names) in zip(share, GROUPS.items(), strict=True):
        place = np.kron(generator.integers(0, len(names), patches), np.ones((4, 4), int))
        dips = np.array([_dip(name) for name in names])[place]
        cube *= 1 - np.moveaxis(dips * own[..., None], -1, 0)
        truth[group] = np.array([CODES[name] for name in names], np.uint8)[place]
    cube *= generator.uniform(0.7, 1.2, (rows, columns))
    return cube + noise * generator.standard_normal(cube.shape), truth


def records(group: str) -> dict[int, np.ndarray]:
    """Records (1, bands) of the minerals of a group by code."""
    return {CODES[name]: pure(name)[np.newaxis] for name in GROUPS[group]}


def write_cube(path: Path, cube: np.ndarray, centres_um: tuple = CENTRES_UM) -> Path:
    """Write a cube (bands, rows, columns) of reflectance, float32."""
    write_raster(path, cube.astype(np.float32), nodata=np.nan, tags=TAGS)
    with rasterio.open(path, "r+") as dataset:
        dataset.descriptions = [f"B{number}" for number in range(1, len(centres_um) + 1)]
        for band, centre in enumerate(centres_um, start=1):
            dataset.update_tags(
                band, ns="IMAGERY", CENTRAL_WAVELENGTH_UM=str(centre), FWHM_UM=str(FWHM_UM)
            )
    return path


def write_ground(
    folder: Path, cube: np.ndarray | None = None, record: Mapping = CUBE_RECORD
) -> Path:
    """Write cube.tif, cube.json, references.csv and classes.csv; returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    write_cube(folder / "cube.tif", mixed_ground()[0] if cube is None else cube)
    (folder / "cube.json").write_text(json.dumps(record))
    lines = ["band,wavelength_um,fwhm_um," + ",".join(ABSORPTIONS)]
    for place, centre in enumerate(CENTRES_UM):
        values = ",".join(f"{pure(name)[place]:.6f}" for name in ABSORPTIONS)
        lines.append(f"B{place + 1},{centre},{FWHM_UM},{values}")
    (folder / "references.csv").write_text("\n".join(lines) + "\n")
    (folder / "classes.csv").write_text(CLASSES)
    return folder


def map_flags(folder: Path, output: Path, group: str = "2um", match: str = "scene") -> list:
    """The command line of map_mineral_group."""
    names = {"class-map": "class", "angle": "angle", "margin": "margin", "contrast": "contrast"}
    return [
        *("--cube", folder / "cube.tif", "--cube-record", folder / "cube.json"),
        *("--references", folder / "references.csv", "--classes", folder / "classes.csv"),
        *("--group", group, "--match", match, "--record", output / "record.json"),
        *(part for flag, name in names.items() for part in (f"--{flag}", output / f"{name}.tif")),
    ]


def teach_flags(folder: Path, output: Path, model: str = "likelihood") -> list:
    """The command line of teach_minerals, of the maps in `output`."""
    return [
        *("--cube", folder / "cube.tif", "--classes", folder / "classes.csv"),
        *("--class-map", output / "class.tif", "--angle", output / "angle.tif"),
        *("--contrast", output / "contrast.tif", "--record", output / "record.json"),
        *("--surest", 0.3, "--model", model, "--seed", 42),
        *("--taught-map", output / "taught.tif", "--probability", output / "probability.tif"),
        *("--taught-record", output / "taught.json"),
    ]


def merge_flags(folder: Path, output: Path, *groups: Path) -> list:
    """The command line of merge_mineral_groups."""
    return [
        *("--groups", *groups, "--classes", folder / "classes.csv"),
        *("--class-map", output / "class.tif", "--angle", output / "angle.tif"),
        *("--margin", output / "margin.tif", "--item", output / "item.json"),
    ]
