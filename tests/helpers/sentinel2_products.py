"""Small Sentinel-2 Level-2A products in native SAFE layout, for any test that needs one."""

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine

BANDS = ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12")
PIXEL_M = {
    **dict.fromkeys(("B02", "B03", "B04", "B08"), 10),
    **dict.fromkeys(("B05", "B06", "B07", "B8A", "B11", "B12", "SCL"), 20),
    **dict.fromkeys(("B01", "B09", "QA60"), 60),
}
# Sides of the tiles of an image, as its pixels in m go.
TILES_PX = {10: 1024, 20: 640, 60: 192}
CRS = "EPSG:32723"
CORNER_M = (600_000.0, 8_700_040.0)
# Columns and rows of the 60 m pixels; six times as many of 10 m.
SIZE_60M = (6, 4)
TILE = "23LLF"
DAY = "20240719"
NO_OFFSETS: dict[int, str] = {}
OFFSETS = dict.fromkeys(range(13), "-1000")


def product_name(
    day: str = DAY,
    baseline: str = "05.11",
    tile: str = TILE,
    level: str = "L2A",
    spacecraft: str = "A",
) -> str:
    return (
        f"S2{spacecraft}_MSI{level}_{day}T131249_N{baseline.replace('.', '')}_R138_T{tile}_"
        f"{day}T190000"
    )


def shape_of(band: str, size: tuple[int, int] = SIZE_60M) -> tuple[int, int]:
    """Rows and columns of a band's native image."""
    return tuple(n * 60 // PIXEL_M[band] for n in size[::-1])


def numbers(seed: int = 0, size: tuple[int, int] = SIZE_60M, bands=BANDS) -> dict[str, np.ndarray]:
    """Random stored numbers of each band, and an SCL of bare soil."""
    generator = np.random.default_rng(seed)
    images = {
        band: generator.integers(1200, 5000, shape_of(band, size), dtype=np.uint16)
        for band in bands
    }
    images["SCL"] = np.full(shape_of("SCL", size), 5, np.uint8)
    return images


def metadata_text(
    name: str,
    baseline: str = "05.11",
    offsets: Mapping[int, str] = OFFSETS,
    **changes: str | None,
) -> str:
    """The part of a native MTD_MSIL2A.xml that readers need, with some that they do not.

    changes: text of elements by their names; None leaves the element out.
    """
    values = {
        "PRODUCT_START_TIME": f"{name[11:15]}-{name[15:17]}-{name[17:19]}T13:12:49.024Z",
        "PRODUCT_URI": f"{name}.SAFE",
        "PROCESSING_LEVEL": "Level-2A",
        "PRODUCT_TYPE": "S2MSI2A",
        "PROCESSING_BASELINE": baseline,
        "SPACECRAFT_NAME": f"Sentinel-2{name[2]}",
        "BOA_QUANTIFICATION_VALUE": "10000",
        **changes,
    }
    lines = {
        key: f"<{key}>{value}</{key}>" if value is not None else "" for key, value in values.items()
    }
    listed = "".join(
        f'<BOA_ADD_OFFSET band_id="{band_id}">{value}</BOA_ADD_OFFSET>'
        for band_id, value in offsets.items()
    )
    space = "https://psd-15.sentinel2.eo.esa.int/PSD/User_Product_Level-2A.xsd"
    return f"""<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<n1:Level-2A_User_Product xmlns:n1="{space}">
  <n1:General_Info>
    <Product_Info>
      {"".join(lines[key] for key in list(values)[:5])}
      <Datatake datatakeIdentifier="GS2A">{lines["SPACECRAFT_NAME"]}</Datatake>
    </Product_Info>
    <Product_Image_Characteristics>
      <Special_Values><SPECIAL_VALUE_TEXT>NODATA</SPECIAL_VALUE_TEXT>
        <SPECIAL_VALUE_INDEX>0</SPECIAL_VALUE_INDEX></Special_Values>
      <Special_Values><SPECIAL_VALUE_TEXT>SATURATED</SPECIAL_VALUE_TEXT>
        <SPECIAL_VALUE_INDEX>65535</SPECIAL_VALUE_INDEX></Special_Values>
      <QUANTIFICATION_VALUES_LIST>{lines["BOA_QUANTIFICATION_VALUE"]}
        <AOT_QUANTIFICATION_VALUE unit="none">1000.0</AOT_QUANTIFICATION_VALUE>
      </QUANTIFICATION_VALUES_LIST>
      {f"<BOA_ADD_OFFSET_VALUES_LIST>{listed}</BOA_ADD_OFFSET_VALUES_LIST>" if offsets else ""}
    </Product_Image_Characteristics>
  </n1:General_Info>
</n1:Level-2A_User_Product>
"""


def granule_text(tile: str = TILE, sun_zenith: str | None = "35.5") -> str:
    """The part of a native MTD_TL.xml that readers need."""
    zenith = f'<ZENITH_ANGLE unit="deg">{sun_zenith}</ZENITH_ANGLE>' if sun_zenith else ""
    return f"""<?xml version="1.0" encoding="UTF-8" standalone="no"?>
<n1:Level-2A_Tile_ID xmlns:n1="https://psd-15.sentinel2.eo.esa.int/PSD/S2_PDI_Level-2A_Tile.xsd">
  <n1:General_Info>
    <TILE_ID metadataLevel="Brief">S2A_OPER_MSI_L2A_TL_2APS_A047_T{tile}_N05.11</TILE_ID>
  </n1:General_Info>
  <n1:Geometric_Info>
    <Tile_Angles>
      <Sun_Angles_Grid><Zenith><VALUES>1 2 3</VALUES></Zenith></Sun_Angles_Grid>
      <Mean_Sun_Angle>{zenith}<AZIMUTH_ANGLE unit="deg">41.25</AZIMUTH_ANGLE></Mean_Sun_Angle>
    </Tile_Angles>
  </n1:Geometric_Info>
</n1:Level-2A_Tile_ID>
"""


OLD_NAMES = {
    "PRODUCT_URI>": "PRODUCT_URI_2A>",
    "Product_Info>": "L2A_Product_Info>",
    "Product_Image_Characteristics>": "L2A_Product_Image_Characteristics>",
    "<BOA_QUANTIFICATION_VALUE>": "<L2A_BOA_QUANTIFICATION_VALUE>",
    "</BOA_QUANTIFICATION_VALUE>": "</L2A_BOA_QUANTIFICATION_VALUE>",
    "TILE_ID": "TILE_ID_2A",
}


def make_old(safe: Path) -> None:
    """Turn a .SAFE folder into the format 14.2 of 2017 and 2018: its elements and its images."""
    for file in (safe / "MTD_MSIL2A.xml", next(safe.glob("GRANULE/*/MTD_TL.xml"))):
        text = file.read_text(encoding="utf-8")
        for new, old in OLD_NAMES.items():
            text = text.replace(new, old)
        file.write_text(text, encoding="utf-8")
    for image in safe.glob("GRANULE/*/IMG_DATA/*/T*.jp2"):
        image.rename(image.with_name(f"L2A_{image.name}"))


def write_jp2(
    path: Path,
    values: np.ndarray,
    pixel_m: int,
    corner=CORNER_M,
    crs: str = CRS,
    tile_px: int = 1024,
) -> None:
    """A lossless JPEG 2000 of (rows, columns) or (bands, rows, columns)."""
    values = values if values.ndim == 3 else values[None]
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path,
        "w",
        driver="JP2OpenJPEG",
        count=len(values),
        height=values.shape[1],
        width=values.shape[2],
        dtype=values.dtype,
        crs=crs,
        transform=Affine(pixel_m, 0.0, corner[0], 0.0, -pixel_m, corner[1]),
        QUALITY="100",
        REVERSIBLE="YES",
        # Without it rasterio leaves the width of the tiles out.
        tiled=True,
        BLOCKXSIZE=tile_px,
        BLOCKYSIZE=tile_px,
    ) as dataset:
        dataset.write(values)


def write_safe(
    folder: Path,
    images: Mapping[str, np.ndarray],
    *,
    day: str = DAY,
    baseline: str = "05.11",
    tile: str = TILE,
    spacecraft: str = "A",
    offsets: Mapping[int, str] = OFFSETS,
    corner: tuple[float, float] = CORNER_M,
    crs: str = CRS,
    metadata: str | None = None,
    granule: str | None = None,
    tiles_px: Mapping[int, int] = TILES_PX,
) -> Path:
    """A .SAFE folder in `folder`. Images of "QA60" become MSK_CLASSI, of three bands, or QA60.

    `tiles_px` are the sides of an image's tiles by its pixel in m.
    """
    name = product_name(day, baseline, tile, spacecraft=spacecraft)
    safe = folder / f"{name}.SAFE"
    place = safe / "GRANULE" / f"L2A_T{tile}_A047_{day}T131249"
    for band, values in images.items():
        if band == "QA60":
            file = "MSK_CLASSI_B00" if values.ndim == 3 else f"T{tile}_{day}T131249_QA60_60m"
            path = place / "QI_DATA" / f"{file}.jp2"
        else:
            pixel_m = PIXEL_M[band]
            file = f"T{tile}_{day}T131249_{band}_{pixel_m}m.jp2"
            path = place / "IMG_DATA" / f"R{pixel_m}m" / file
        write_jp2(path, values, PIXEL_M[band], corner, crs, tiles_px[PIXEL_M[band]])
    text = metadata or metadata_text(name, baseline, offsets)
    (safe / "MTD_MSIL2A.xml").write_text(text, encoding="utf-8")
    (place / "MTD_TL.xml").write_text(granule or granule_text(tile), encoding="utf-8")
    return safe


def pack(safe: Path, compression: int = zipfile.ZIP_STORED) -> Path:
    """The .zip of a .SAFE folder, beside it."""
    path = safe.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", compression) as archive:
        for entry in sorted(safe.rglob("*")):
            archive.write(entry, entry.relative_to(safe.parent))
    return path


def write_cogs(
    folder: Path, images: Mapping[str, np.ndarray], names: Mapping[str, str] | None = None
) -> None:
    """Each image as a cloud-optimised GeoTIFF, called as `names` say or else by its band."""
    folder.mkdir(parents=True, exist_ok=True)
    for band, values in images.items():
        pixel_m = PIXEL_M[band]
        with rasterio.open(
            folder / f"{(names or {}).get(band, band)}.tif",
            "w",
            driver="COG",
            count=1,
            height=values.shape[0],
            width=values.shape[1],
            dtype=values.dtype,
            crs=CRS,
            transform=Affine(pixel_m, 0.0, CORNER_M[0], 0.0, -pixel_m, CORNER_M[1]),
            blocksize=256,
            overviews="none",
        ) as dataset:
            dataset.write(values, 1)


def item(
    bands: Mapping[str, str], *, day: str = DAY, tile: str = TILE, **properties: object
) -> dict:
    """A STAC item as Earth Search's: `bands` maps the assets' keys to their hrefs.

    properties: further ones, with "__" for ":"; None leaves one out.
    """
    told = {
        "datetime": f"{day[:4]}-{day[4:6]}-{day[6:]}T13:12:49.024000Z",
        "platform": "sentinel-2a",
        "constellation": "sentinel-2",
        "grid:code": f"MGRS-{tile}",
        "s2:product_uri": f"{product_name(day, tile=tile)}.SAFE",
        "s2:processing_baseline": "05.11",
        "view:sun_elevation": 54.5,
        "view:sun_azimuth": 41.25,
        **{key.replace("__", ":"): value for key, value in properties.items()},
    }
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": f"S2A_{tile}_{day}_0_L2A",
        "properties": {key: value for key, value in told.items() if value is not None},
        "geometry": None,
        "assets": {key: {"href": href} for key, href in bands.items()},
        "links": [],
    }
