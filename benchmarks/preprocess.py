"""Products to cubes: a whole Landsat scene and 24 dates of Sentinel-2, against GDAL.

`landsat` makes the cube of a plain tar of a scene of 7700 x 7700 pixels and 7 bands, with its
quality files: haze taken off by dark objects (dos1, a pass of its own), six flags masked,
reflectance clipped, as a run does by default. Peer and floor are what nothing can do without: GDAL
decodes the seven images of the tar, and encodes the pixels of the cube as a cloud-optimised GeoTIFF
with the cube's settings, each with two threads.

`composite-files` makes the median of 24 dates of Sentinel-2 in JPEG 2000, 2048 x 2048 pixels, 4
bands of 10 m and 2 of 20 m. The peer warps each band to the common grid with GDAL (as gdalwarp
does, of dates in turn), masks it and takes numpy.nanmedian; the floor is that GDAL decodes every
image once, with two threads.

`growth-pixels` tells time and peak memory of Landsat scenes of 1 to 59 million pixels.

Scenes are mixtures of minerals under varying light, with noise; of Landsat the same ground again
and again, of which a quarter is fill, as around a real scene, and a tenth cloudy, of Sentinel-2 two
of five looks.
"""

import re
import statistics
import sys
import tarfile
import tempfile
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import rasterio
import rasterio.shutil
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window

import sam
from gossan.cube.cube import Record
from gossan.cube.dates import choose_model, make_composite
from gossan.cube.preprocessing import Recipe, make_cube
from gossan.products import landsat, sentinel2
from gossan.products.subset import select_part
from processes import run_python

sys.path.append(str(sam.ROOT / "tests" / "helpers"))
import landsat_products
import sentinel2_products

SCENE_PX = 7700
GROUND_PX = 1024
TILE_PX = 256
FILL_SLOPE, CLOUDY, CLOUD_PX = 0.25, 0.1, 32
SUN_ELEVATION_DEG = 55.0
CLOUD = 1 << 3
DATES, DATE_PX, CLOUDY_LOOKS = 24, 2048, 0.4
DATE_BANDS = ("B02", "B03", "B04", "B08", "B11", "B12")
RECIPE = Recipe(
    ("dos1",),
    ("cloud", "dilated_cloud", "cloud_shadow", "cirrus", "snow", "saturation"),
    "clip",
)


def run(cases: list[str] | None, pairs: int) -> list[dict]:
    """Run the cases called `cases`, or all, with so many pairs of runs each."""
    known = {"landsat": run_landsat, "composite-files": run_composite, "growth-pixels": run_growth}
    for name in cases or ():
        if name not in known:
            sys.exit(f"error: no case {name!r}; there are {', '.join(known)}")
    return [known[name](pairs) for name in cases or known]


def write_scene(folder: Path, size: int) -> Path:
    """A square Landsat product of so many pixels a side, as a plain tar."""
    references = sam.make_references(sam.OLI, sam.MINERALS[:13], "Landsat-8 OLI_TIRS")
    ground = sam.make_rows(references, GROUND_PX, GROUND_PX, sam.SEED)
    ground = np.rint((ground * np.sin(np.radians(SUN_ELEVATION_DEG)) + 0.1) / 2e-5)
    repeats = -(-size // GROUND_PX)
    numbers = np.tile(ground.astype(np.uint16), (1, repeats, repeats))[:, :size, :size]
    row, column = np.ogrid[:size, :size]
    edge = FILL_SLOPE * (size - row)
    fill = (column < edge) | (column > size - FILL_SLOPE * size + edge)
    numbers[:, fill] = 0
    generator = np.random.default_rng(sam.SEED)
    clouds = generator.random((-(-size // CLOUD_PX),) * 2) < CLOUDY
    clouds = clouds.repeat(CLOUD_PX, axis=0).repeat(CLOUD_PX, axis=1)[:size, :size]
    clear = landsat_products.CLEAR[2]
    quality = np.where(clouds, np.uint16(clear | CLOUD), np.uint16(clear))
    quality[fill] = 1
    return landsat_products.write_product(
        folder,
        numbers,
        sun_elevation=SUN_ELEVATION_DEG,
        quality=quality,
        container="tar",
        tiled=True,
        blockxsize=TILE_PX,
        blockysize=TILE_PX,
        predictor=2,
        num_threads=sam.THREADS,
    )


def preprocess(product: Path, cube: Path, threads: int = sam.THREADS) -> Record:
    """Ours: from the tar to the cube."""
    with landsat.open_product(product) as opened:
        return make_cube(select_part(opened), RECIPE, cube, how={}, threads=threads)


def decode(paths: Sequence[str]) -> None:
    """GDAL reads images, each tile once, in two threads."""

    def read(path: str) -> None:
        with rasterio.open(path) as dataset:
            rows, columns = (-(-512 // side) * side for side in dataset.block_shapes[0])
            for row in range(0, dataset.height, rows):
                for column in range(0, dataset.width, columns):
                    size = min(columns, dataset.width - column), min(rows, dataset.height - row)
                    dataset.read(1, window=Window(column, row, *size))

    with ThreadPoolExecutor(sam.THREADS) as pool:
        list(pool.map(read, paths))


def encode(pixels: Path, path: Path) -> None:
    """GDAL encodes a raster as the cube is."""
    with rasterio.Env(GDAL_NUM_THREADS=sam.THREADS):
        rasterio.shutil.copy(
            pixels,
            path,
            driver="COG",
            COMPRESS="DEFLATE",
            LEVEL=1,
            PREDICTOR="YES",
            BLOCKSIZE=512,
            RESAMPLING="AVERAGE",
            NUM_THREADS=sam.THREADS,
        )


def run_landsat(pairs: int) -> dict:
    """A whole scene, from tar to cube."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        product = write_scene(folder / "scene", SCENE_PX)
        cube, other, pixels = folder / "cube.tif", folder / "peer.tif", folder / "pixels.tif"
        record = preprocess(product, cube)
        rasterio.shutil.copy(cube, pixels, driver="GTiff", TILED="YES", INTERLEAVE="BAND")
        with tarfile.open(product) as archive:
            images = [
                f"/vsisubfile/{member.offset_data}_{member.size},{product}"
                for member in archive
                if re.search(r"_B\d\.TIF$", member.name)
            ]
        times = sam.time_in_turns(
            pairs,
            lambda: preprocess(product, cube),
            lambda: (decode(images), encode(pixels, other)),
            lambda: decode(images),
        )
        own, floor, decoding = (statistics.median(runs) for runs in times)
        return {
            "case": "landsat",
            "peer": f"GDAL {rasterio.__gdal_version__}",
            **sam.summarise(times[:2]),
            "agree": check_cube(images, cube, record),
            "peak_mib": measure(product, folder)[1],
            "floor_ratio": own / floor,
            "decode_s": decoding,
            "pixels": SCENE_PX**2,
            "cube_mib": cube.stat().st_size / 2**20,
            "peer_mib": other.stat().st_size / 2**20,
            "threads": sam.THREADS,
        }


def check_cube(images: Sequence[str], cube: Path, record: Record) -> float:
    """Share of the cube's numbers that are within a step of plain double precision."""
    (correction,) = record.corrections
    same = count = 0
    with rasterio.open(cube) as dataset:
        for band, path in enumerate(images, start=1):
            haze = correction["path_reflectance"][dataset.descriptions[band - 1]]
            for row in range(0, dataset.height, 1024):
                rows = min(1024, dataset.height - row)
                window = Window(0, row, dataset.width, rows)
                stored = dataset.read(band, window=window)
                with rasterio.open(path) as image:
                    numbers = image.read(1, window=window).astype(np.float64)
                top = (numbers * 2e-5 - 0.1) / np.sin(np.radians(SUN_ELEVATION_DEG))
                expected = np.clip(top - haze, 0.0, 1.0) * 1e4
                kept = stored != dataset.nodata
                same += np.count_nonzero(np.abs(stored - expected)[kept] <= 1)
                count += np.count_nonzero(kept)
    return same / count


def run_growth(_: int) -> dict:
    """Seconds and peak memory of scenes of several sizes, each in a process of its own."""

    def measure_scene(folder: Path, size: int) -> tuple[float, float]:
        return measure(write_scene(folder / str(size), size), folder)

    return sam.grow_with_pixels(measure_scene, (*sam.GROWTH_PX[:-1], SCENE_PX))


def measure(product: Path, folder: Path) -> tuple[float, float]:
    """Seconds and peak resident memory (MiB) of a process that preprocesses, its start left out."""
    done = run_python(
        "import sys; from pathlib import Path; import preprocess, sam;"
        "product, cube = map(Path, sys.argv[1:]);"
        "print(sam.seconds(lambda: preprocess.preprocess(product, cube)))",
        product,
        folder / "measured.tif",
    )
    return float(done.printed), done.peak_mib


def write_dates(folder: Path) -> None:
    """Sentinel-2 dates in their native format: the same ground, each with its noise and clouds."""
    references = sam.make_references(sam.OLI, sam.MINERALS[:13], "Landsat-8 OLI_TIRS")[:, :6]
    ground = sam.make_rows(references, DATE_PX, DATE_PX, sam.SEED)
    for date in range(DATES):
        generator = np.random.default_rng(date)
        images = {}
        for band, plane in zip(DATE_BANDS, ground, strict=True):
            step = sentinel2_products.PIXEL_M[band] // 10
            numbers = plane[::step, ::step] * 1e4 + 1000
            numbers += 20 * generator.standard_normal(numbers.shape, np.float32)
            images[band] = np.rint(numbers).astype(np.uint16)
        side = DATE_PX // 2
        classes = generator.random((side // CLOUD_PX,) * 2) < CLOUDY_LOOKS
        classes = np.where(classes, np.uint8(9), np.uint8(5))
        images["SCL"] = classes.repeat(CLOUD_PX, axis=0).repeat(CLOUD_PX, axis=1)
        day = f"2024{1 + date // 24:02d}{1 + date % 24:02d}"
        sentinel2_products.write_safe(folder, images, day=day)


def compose(safes: Path, cube: Path, threads: int = sam.THREADS) -> None:
    """Ours: from the dates to the cube."""
    dates = sentinel2.open_dates(safes, DATE_BANDS, 10, cube.parent)
    try:
        part = select_part(choose_model(dates), DATE_BANDS)
        make_composite(
            part,
            dates,
            cube,
            cube.with_name("looks.tif"),
            mask=("cloud",),
            normalisation="none",
            how={},
            threads=threads,
        )
    finally:
        for date in dates:
            date.close()


def warp_and_take_median(images: Sequence[Path], path: Path) -> None:
    """The same cube by GDAL's warper and numpy, band by band."""

    def warped(image: Path) -> np.ndarray:
        with (
            rasterio.open(image) as dataset,
            WarpedVRT(dataset, transform=transform, width=DATE_PX, height=DATE_PX) as virtual,
        ):
            return virtual.read(1)

    with rasterio.open(next(image for image in images if "B02" in image.name)) as dataset:
        transform, crs = dataset.transform, dataset.crs
    cloudy = [warped(image) == 9 for image in images if "SCL" in image.name]
    options = {"compress": "deflate", "predictor": 2, "tiled": True, "num_threads": sam.THREADS}
    with (
        rasterio.Env(GDAL_NUM_THREADS=sam.THREADS),
        rasterio.open(
            path,
            "w",
            driver="GTiff",
            width=DATE_PX,
            height=DATE_PX,
            count=len(DATE_BANDS),
            dtype="int16",
            nodata=-32768,
            crs=crs,
            transform=transform,
            **options,
        ) as target,
    ):
        for place, band in enumerate(DATE_BANDS, start=1):
            looks = np.empty((DATES, DATE_PX, DATE_PX), np.float32)
            for look, clouds, image in zip(
                looks, cloudy, (image for image in images if band in image.name), strict=True
            ):
                look[:] = warped(image)
                look[clouds] = np.nan
            for row in range(0, DATE_PX, 64):
                median = np.nanmedian(looks[:, row : row + 64], axis=0) - 1000
                stored = np.where(np.isnan(median), -32768, np.rint(median)).astype(np.int16)
                target.write(stored, place, window=Window(0, row, DATE_PX, 64))


def run_composite(pairs: int) -> dict:
    """The median of 24 dates, from their images to the cube."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        safes = folder / "dates"
        write_dates(safes)
        images = sorted(safes.glob("*/GRANULE/*/IMG_DATA/*/*.jp2"))
        cube, other = folder / "cube.tif", folder / "peer.tif"
        with warnings.catch_warnings(action="ignore", category=RuntimeWarning):
            times = sam.time_in_turns(
                pairs,
                lambda: compose(safes, cube),
                lambda: warp_and_take_median(images, other),
                lambda: decode([str(image) for image in images]),
            )
        with rasterio.open(cube) as one, rasterio.open(other) as two:
            differences = np.abs(one.read().astype(np.int32) - two.read())
        return {
            "case": "composite-files",
            "peer": f"GDAL {rasterio.__gdal_version__} + numpy {np.__version__}",
            **sam.summarise(times[:2]),
            # Halves of a step may be rounded to either side.
            "agree": float(np.mean(differences <= 1)),
            "floor_ratio": statistics.median(times[0]) / statistics.median(times[2]),
            "decode_s": statistics.median(times[2]),
            "dates": DATES,
            "threads": sam.THREADS,
        }
