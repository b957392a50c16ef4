"""Small Landsat products in native layout, for any test that needs one."""

import io
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine

BANDS = ("B1", "B2", "B3", "B4", "B5", "B6", "B7")
TRANSFORM = Affine(30.0, 0.0, 500000.0, 0.0, -30.0, 4000000.0)
CRS = "EPSG:32643"
CLEAR = {1: 2720, 2: 21824}
# Surface reflectance of Collection 1: clear, with low confidence of cloud and cirrus.
LASRC_CLEAR = 322


def product_name(collection: int = 2, level: str = "L1TP", spacecraft: int = 8) -> str:
    if is_lasrc(collection, level):
        level = "L1TP"
    return f"LC{spacecraft:02d}_{level}_150035_20240719_20240723_{collection:02d}_T1"


def is_lasrc(collection: int, level: str) -> bool:
    """Whether it is Collection 1 surface reflectance, which keeps its Level 1's name and MTL."""
    return collection == 1 and level == "L2SR"


def band_file(band: str, name: str, lasrc: bool = False) -> str:
    """File name of a band ("B1"...) or of QA ("quality", "saturation") of the product `name`."""
    if lasrc:
        return f"{name}_{f'sr_band{band[1:]}' if band in BANDS else 'pixel_qa'}.tif"
    if band in BANDS:
        return f"{name}_{'SR_' if '_L2' in name else ''}{band}.TIF"
    quality = "QA_PIXEL" if "_02_" in name else "BQA"
    return f"{name}_{quality if band == 'quality' else 'QA_RADSAT'}.TIF"


def mtl_text(
    collection: int = 2,
    level: str = "L1TP",
    spacecraft: int = 8,
    sun_elevation: float = 30.0,
    origin: str = "Image courtesy of the U.S. Geological Survey",
) -> str:
    """The part of a native MTL that readers need, with some lines that they do not."""
    name = product_name(collection, level, spacecraft)
    identity = [
        f'ORIGIN = "{origin}"',
        f'LANDSAT_PRODUCT_ID = "{name}"',
        f"COLLECTION_NUMBER = {collection:02d}",
    ]
    files = [f'FILE_NAME_BAND_{band[1:]} = "{band_file(band, name)}"' for band in BANDS]
    scene = [
        f'SPACECRAFT_ID = "LANDSAT_{spacecraft}"',
        'SENSOR_ID = "OLI_TIRS"',
        "WRS_PATH = 150",
        "DATE_ACQUIRED = 2024-07-19",
        'SCENE_CENTER_TIME = "05:40:11.1234567Z"',
    ]
    sun = [f"SUN_ELEVATION = {sun_elevation:.8f}", "EARTH_SUN_DISTANCE = 1.0162"]
    first = rescaling(2.0e-5, -0.1)
    if collection == 1:
        groups = {
            "METADATA_FILE_INFO": identity,
            "PRODUCT_METADATA": [
                f'DATA_TYPE = "{name[5:9]}"',
                *scene,
                *files,
                f'FILE_NAME_BAND_QUALITY = "{band_file("quality", name)}"',
            ],
            "IMAGE_ATTRIBUTES": sun,
            "RADIOMETRIC_RESCALING": first,
        }
        return _nest("L1_METADATA_FILE", groups)
    groups = {
        "PRODUCT_CONTENTS": [
            *identity,
            f'PROCESSING_LEVEL = "{level}"',
            *files,
            f'FILE_NAME_QUALITY_L1_PIXEL = "{band_file("quality", name)}"',
            f'FILE_NAME_QUALITY_L1_RADIOMETRIC_SATURATION = "{band_file("saturation", name)}"',
        ],
        "IMAGE_ATTRIBUTES": [*scene, *sun],
    }
    if level.startswith("L2"):
        groups["LEVEL2_SURFACE_REFLECTANCE_PARAMETERS"] = rescaling(2.75e-5, -0.2)
    # A Level-2 MTL repeats the Level-1 names and scaling after its own: the trap for readers.
    groups["LEVEL1_PROCESSING_RECORD"] = [
        f'FILE_NAME_BAND_{band[1:]} = "{name.replace("L2SP", "L1TP")}_{band}.TIF"' for band in BANDS
    ]
    groups["LEVEL1_RADIOMETRIC_RESCALING"] = first
    return _nest("LANDSAT_METADATA_FILE", groups)


def rescaling(gain: float, offset: float) -> list[str]:
    return [f"REFLECTANCE_MULT_BAND_{n} = {gain:.4E}" for n in range(1, 8)] + [
        f"REFLECTANCE_ADD_BAND_{n} = {offset:.6f}" for n in range(1, 8)
    ]


def add_corners(text: str, shape: tuple[int, int] = (4, 5), **changes: str | None) -> str:
    """An MTL's text with the centres of the corner pixels of a clip at TRANSFORM.

    changes: other values of keys; None leaves the key out.
    """
    rows, columns = shape
    west, north = TRANSFORM @ (0.5, 0.5)
    east, south = TRANSFORM @ (columns - 0.5, rows - 0.5)
    corners = {
        f"CORNER_{corner}_PROJECTION_{axis}_PRODUCT": f"{value:.3f}"
        for corner, axis, value in (
            ("UL", "X", west),
            ("UL", "Y", north),
            ("LR", "X", east),
            ("LR", "Y", south),
        )
    }
    where = {"MAP_PROJECTION": '"UTM"', "UTM_ZONE": "43", "GRID_CELL_SIZE_REFLECTIVE": "30.00"}

    def group(name: str, entries: Mapping[str, str]) -> str:
        told = {key: changes.get(key, value) for key, value in entries.items()}
        lines = [f"    {key} = {value}" for key, value in told.items() if value is not None]
        return "\n".join([f"  GROUP = {name}", *lines, f"  END_GROUP = {name}", ""])

    if "LANDSAT_METADATA_FILE" in text:
        added = group("PROJECTION_ATTRIBUTES", where | corners)
        return text.replace(
            "END_GROUP = LANDSAT_METADATA_FILE", f"{added}END_GROUP = LANDSAT_METADATA_FILE"
        )
    entries = group("", corners).splitlines()[1:-1]
    scene = "    DATA_TYPE ="
    text = text.replace(scene, "\n".join([*entries, scene]))
    added = group("PROJECTION_PARAMETERS", where)
    return text.replace("END_GROUP = L1_METADATA_FILE", f"{added}END_GROUP = L1_METADATA_FILE")


def _nest(root: str, groups: Mapping[str, list[str]]) -> str:
    lines = [f"GROUP = {root}"]
    for group, entries in groups.items():
        lines += [f"  GROUP = {group}", *(f"    {entry}" for entry in entries)]
        lines += [f"  END_GROUP = {group}"]
    return "\n".join([*lines, f"END_GROUP = {root}", "END", ""])


def write_raster(path: Path, values: np.ndarray, transform: Affine = TRANSFORM, **options) -> None:
    """One band of a product, a GeoTIFF of the values' own type."""
    # To overwrite a Landsat band, GDAL deletes "its" files first, and the MTL is one of them.
    path.unlink(missing_ok=True)
    options = {"nodata": None, "crs": CRS, "compress": "deflate", **options}
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=values.shape[1],
        height=values.shape[0],
        count=1,
        dtype=values.dtype,
        transform=transform,
        **options,
    ) as dataset:
        dataset.write(values, 1)


def write_product(
    parent: Path,
    numbers: np.ndarray,
    *,
    collection: int = 2,
    level: str = "L1TP",
    spacecraft: int = 8,
    sun_elevation: float = 30.0,
    origin: str = "Image courtesy of the U.S. Geological Survey",
    quality: np.ndarray | None = None,
    saturation: np.ndarray | None = None,
    container: str = "folder",
    edit_mtl: Callable[[str], str] = str,
    transforms: Mapping[str, Affine] | None = None,
    **options,
) -> Path:
    """Write a product under `parent` and return its path.

    `numbers`: stored numbers (7, rows, columns). `quality`, `saturation`: (rows, columns), clear
    and unsaturated unless given. `container`: folder, tar or tar.gz. `edit_mtl` changes the MTL's
    text; `transforms` moves single bands; `options` go to the GeoTIFF writer.
    """
    name = product_name(collection, level, spacecraft)
    folder = parent / name
    folder.mkdir(parents=True)
    shape = numbers.shape[1:]
    lasrc = is_lasrc(collection, level)
    if quality is None:
        clear = LASRC_CLEAR if lasrc else CLEAR[collection]
        quality = np.full(shape, clear, dtype=np.uint16)
    layers = {**dict(zip(BANDS, numbers, strict=True)), "quality": quality}
    if collection == 2:
        layers["saturation"] = np.zeros(shape, np.uint16) if saturation is None else saturation
    for band, values in layers.items():
        transform = (transforms or {}).get(band, TRANSFORM)
        write_raster(folder / band_file(band, name, lasrc), values, transform, **options)
    text = edit_mtl(mtl_text(collection, level, spacecraft, sun_elevation, origin))
    (folder / f"{name}_MTL.txt").write_text(text)
    if container == "folder":
        return folder
    return pack(folder, parent / f"{name}.{container}")


def pack(folder: Path, path: Path) -> Path:
    """Put a product folder into a tar or, by the name, a tar.gz."""
    with tarfile.open(path, "w:gz" if path.name.endswith("gz") else "w") as archive:
        for file in sorted(folder.iterdir()):
            archive.add(file, file.name)
    return path


def add_member(path: Path, member: str, content: bytes = b"x") -> None:
    """Append a member of any name to a tar."""
    info = tarfile.TarInfo(member)
    info.size = len(content)
    with tarfile.open(path, "a") as archive:
        archive.addfile(info, io.BytesIO(content))
