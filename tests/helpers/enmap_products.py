"""Small EnMAP Level-2A products in native names, for any test that needs one."""

import io
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine

NAME = "ENMAP01-____L2A-DT0000004950_20221103T162438Z_001_V010303_20231118T145147Z"
# A tile of a scene has the scene's name and its place in it.
TILE = "-Y01460273_X04390566"
CRS = "EPSG:32611"
CORNER_M = (500_010.0, 4_160_010.0)
NODATA = -32768
QUALITY = (
    "QL_QUALITY_CLASSES",
    "QL_QUALITY_CLOUD",
    "QL_QUALITY_CLOUDSHADOW",
    "QL_QUALITY_CIRRUS",
    "QL_QUALITY_HAZE",
    "QL_QUALITY_SNOW",
    "QL_QUALITY_TESTFLAGS",
)
ROWS, COLUMNS = 12, 10
# Two bands of VNIR and two of SWIR in the overlap, one in the water vapour, one beyond.
CENTRES_NM = (660.007, 911.715, 911.872, 993.083, 1355.13, 2208.12)
WIDTHS_NM = (7.61738, 10.2508, 9.31901, 10.6375, 11.343, 8.065)
EMPTY_PLACE = 5


def numbers(seed: int = 0, bands: int = len(CENTRES_NM)) -> np.ndarray:
    """Random stored numbers, (bands, rows, columns) int16, of which band 5 has no data."""
    generator = np.random.default_rng(seed)
    image = generator.integers(-40, 6000, (bands, ROWS, COLUMNS)).astype(np.int16)
    image[EMPTY_PLACE - 1] = NODATA
    return image


def layers() -> dict[str, np.ndarray]:
    """Quality layers of clear land."""
    clear = {name: np.zeros((ROWS, COLUMNS), np.uint8) for name in QUALITY}
    clear["QL_QUALITY_CLASSES"][:] = 1
    return clear


def metadata_text(
    centres: Sequence[object] = CENTRES_NM,
    widths: Sequence[object] = WIDTHS_NM,
    *,
    gains: Sequence[object] | None = None,
    offsets: Sequence[object] | None = None,
    statistics: Mapping[int, tuple[object, object]] | None = None,
    missing: Mapping[str, str] | None = None,
    **changes: str | None,
) -> str:
    """The part of a native METADATA.XML that readers need, with some that they do not.

    statistics: place -> mean and deviation; missing: detector -> channels. changes: text of
    elements by their names; None leaves the element out.
    """
    values = {
        "name": f"{NAME}-METADATA.XML",
        "comment": "EnMAP Level 2A Product of datatake 4950, tile 1",
        "startTime": "2022-11-03T16:24:38.127936Z",
        "revision": "01.03.03",
        "level": "L2A",
        "backgroundValue": "0",
        "center": "35.25",
        **changes,
    }
    lines = {
        key: f"<{key}>{value}</{key}>" if value is not None else "" for key, value in values.items()
    }
    gains = gains or ["0.0001"] * len(centres)
    offsets = offsets or ["0"] * len(centres)
    characters = "".join(
        f'<bandID number="{place}"><wavelengthCenterOfBand>{centre}</wavelengthCenterOfBand>'
        f"<FWHMOfBand>{width}</FWHMOfBand><GainOfBand>{gain}</GainOfBand>"
        f"<OffsetOfBand>{offset}</OffsetOfBand></bandID>"
        for place, (centre, width, gain, offset) in enumerate(
            zip(centres, widths, gains, offsets, strict=True), 1
        )
    )
    told = "".join(
        f'<bandID number="{place}"><mean>{mean}</mean>'
        f"<stdDeviation>{deviation}</stdDeviation></bandID>"
        for place, (mean, deviation) in (statistics or {}).items()
    )
    quality = "".join(
        f"<{detector}ProductQuality><missingChannelsList>{(missing or {}).get(detector, '')}"
        f"</missingChannelsList></{detector}ProductQuality>"
        for detector in ("vnir", "swir")
    )
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<level_X xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
 xsi:noNamespaceSchemaLocation="metadata_Lx_00-06-00.xsd">
  <metadata>
    <schema><name>metadata_Lx_00-06-00.xsd</name><processingLevel>L2A</processingLevel></schema>
    {lines["name"]}{lines["comment"]}
  </metadata>
  <base>
    <temporalCoverage>{lines["startTime"]}</temporalCoverage>
    {lines["revision"]}{lines["level"]}
  </base>
  <specific>
    {quality}
    {lines["backgroundValue"]}
    <sunElevationAngle><upper_left unit="DEG">34.9</upper_left>{lines["center"]}</sunElevationAngle>
    <sunAzimuthAngle><center unit="DEG">171.0</center></sunAzimuthAngle>
    <bandCharacterisation>{characters}</bandCharacterisation>
  </specific>
  <product><bandStatistics>{told}</bandStatistics></product>
</level_X>
"""


def write_tif(
    path: Path,
    values: np.ndarray,
    *,
    nodata: float | None = None,
    corner: tuple[float, float] = CORNER_M,
    crs: str | None = CRS,
    **options: object,
) -> None:
    """A GeoTIFF of (rows, columns) or (bands, rows, columns), in strips as the native ones."""
    values = values if values.ndim == 3 else values[None]
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=len(values),
        height=values.shape[1],
        width=values.shape[2],
        dtype=values.dtype,
        nodata=nodata,
        crs=crs,
        transform=Affine(30.0, 0.0, corner[0], 0.0, -30.0, corner[1]),
        compress="deflate",
        interleave="band",
        **options,
    ) as dataset:
        dataset.write(values)


def write_product(
    folder: Path,
    image: np.ndarray | None = None,
    quality: Mapping[str, np.ndarray] | None = None,
    text: str | None = None,
    *,
    name: str = NAME,
    suffix: str = ".TIF",
    nodata: float | None = NODATA,
) -> Path:
    """A product's folder in `folder`; what is not given is made by the functions above."""
    product = folder / name
    product.mkdir(parents=True)
    for layer, values in (layers() if quality is None else quality).items():
        write_tif(product / f"{name}-{layer}{suffix}", values)
    image = numbers() if image is None else image
    write_tif(product / f"{name}-SPECTRAL_IMAGE{suffix}", image, nodata=nodata)
    text = metadata_text() if text is None else text
    (product / f"{name}-METADATA.XML").write_text(text, encoding="utf-8")
    return product


def pack_zip(product: Path, compression: int = zipfile.ZIP_DEFLATED) -> Path:
    """The .ZIP of a product's folder, beside it."""
    path = product.with_name(f"{product.name}.ZIP")
    with zipfile.ZipFile(path, "w", compression) as archive:
        for entry in sorted(product.iterdir()):
            archive.write(entry, entry.relative_to(product.parent))
    return path


def pack_tar(product: Path, suffix: str = ".tar.gz") -> Path:
    """The .tar or .tar.gz of a product's folder, beside it."""
    path = product.with_name(f"{product.name}{suffix}")
    with tarfile.open(path, "w:gz" if suffix.endswith("gz") else "w") as archive:
        archive.add(product, arcname=product.name)
    return path


def pack_members(path: Path, members: Mapping[str, bytes]) -> Path:
    """A .zip or .tar of such members, in their order."""
    if path.suffix.lower() == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        return path
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path
