"""Small native products of every sensor in every form, and spectra as users bring them."""

import csv
import shutil
import tarfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
MASK = ("--mask", "cloud", "saturation")
FEW = ("alunite", "calcite", "kaolinite")


@dataclass(frozen=True)
class Form:
    """A product: its sensor, its path from the base and flags that go with it."""

    sensor: str
    path: str
    flags: tuple[str, ...] = MASK


def write_all(base: Path) -> Iterator[Form]:
    """Write every form below base/products."""
    top = base / "products"
    for make in (landsat, aster, sentinel2, emit, enmap, prisma, worldview3, rasters):
        for sensor, path, *flags in make(top / make.__name__):
            yield Form(sensor, str(path.relative_to(base)), tuple(flags) or MASK)


def fresh(folder: Path) -> Path:
    """A new folder."""
    folder.mkdir(parents=True)
    return folder


def pack_zip(folder: Path, path: Path, compression: int) -> Path:
    """A folder as a .zip that holds it."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for entry in sorted(folder.rglob("*")):
            archive.write(entry, entry.relative_to(folder.parent))
    return path


def landsat(top: Path) -> Iterator[tuple]:
    """Level 1 in a folder, a .tar and a .tar.gz; Level 2 in a folder."""
    import landsat_products as helper

    generator = np.random.default_rng(1)
    shape = (20, 24)
    numbers = generator.integers(7000, 20000, (7, *shape)).astype(np.uint16)
    layers = {
        "quality": np.full(shape, 21824, np.uint16),
        "saturation": np.zeros(shape, np.uint16),
    }
    folder = helper.write_product(fresh(top / "folder"), numbers, **layers)
    mask = ("--mask", "cloud", "cloud_shadow", "saturation")
    mask += ("--bands", *(f"B{number}" for number in range(1, 8)))
    yield "landsat", folder, *mask
    tar = helper.pack(folder, fresh(top / "tar") / f"{folder.name}.tar")
    yield "landsat", tar, *mask
    tar = helper.pack(folder, fresh(top / "gz") / f"{folder.name}.tar.gz")
    yield "landsat", tar, *mask
    second = helper.write_product(fresh(top / "level2"), numbers, level="L2SP", **layers)
    yield "landsat", second, *mask


def aster(top: Path) -> Iterator[tuple]:
    """HDF4, and a GeoTIFF per telescope."""
    import aster_products as helper

    images = helper.numbers()
    path = helper.write_hdf(fresh(top / "hdf") / f"{helper.NAME}.hdf", images)
    yield "aster", path, "--mask", "saturation"
    yield "aster", helper.write_folder(top / "tif" / helper.NAME, images), "--mask", "saturation"


def sentinel2(top: Path) -> Iterator[tuple]:
    """SAFE in a folder and two archives, and a STAC item with its assets beside it."""
    import json

    import sentinel2_products as helper

    images = helper.numbers()
    safe = helper.write_safe(fresh(top / "safe"), images)
    yield "sentinel2", safe
    for name, compression in (("stored", zipfile.ZIP_STORED), ("deflated", zipfile.ZIP_DEFLATED)):
        path = pack_zip(safe, fresh(top / name) / f"{safe.stem}.zip", compression)
        yield "sentinel2", path
    folder = fresh(top / "stac")
    helper.write_cogs(folder, images)
    item = helper.item({band: f"{band}.tif" for band in images})
    (folder / "item.json").write_text(json.dumps(item))
    yield "sentinel2", folder / "item.json"


def emit(top: Path) -> Iterator[tuple]:
    """Reflectance and its mask, plain and deflated."""
    import emit_products as helper
    import h5py

    layers = np.zeros((helper.LINES, helper.SAMPLES, len(helper.MASK_BANDS)))
    folder = fresh(top / "plain")
    helper.write_mask(folder, layers)
    yield "emit", helper.write_product(folder), "--mask", "cloud"
    folder = fresh(top / "deflated")
    helper.write_mask(folder, layers)

    def deflate(file: h5py.File) -> None:
        values, told = file["reflectance"][:], dict(file["reflectance"].attrs)
        del file["reflectance"]
        made = file.create_dataset("reflectance", data=values, compression="gzip")
        made.attrs.update(told)

    yield "emit", helper.write_product(folder, deflate), "--mask", "cloud"


def enmap(top: Path) -> Iterator[tuple]:
    """A folder, a .ZIP, a .tar and a .tar.gz."""
    import enmap_products as helper

    product = helper.write_product(fresh(top / "folder"))
    yield "enmap", product
    archive = helper.pack_zip(product)
    yield "enmap", Path(shutil.move(archive, fresh(top / "zip") / archive.name))
    for suffix in (".tar", ".tar.gz"):
        archive = helper.pack_tar(product, suffix)
        yield (
            "enmap",
            Path(
                shutil.move(
                    archive, fresh(top / suffix.strip(".").replace(".", "-")) / archive.name
                )
            ),
        )


def prisma(top: Path) -> Iterator[tuple]:
    """An HDF5 file."""
    import prisma_products as helper

    yield (
        "prisma",
        helper.write_product(fresh(top / "he5") / f"{helper.NAME}.he5"),
        *("--mask", "saturation"),
    )


def worldview3(top: Path) -> Iterator[tuple]:
    """A delivery of two images."""
    import worldview3_products as helper

    folder = fresh(top / "order")
    for image in ("MUL", "SWIR"):
        factors = dict.fromkeys(helper.MEMBERS[image], 0.002 if image == "MUL" else 0.0002)
        helper.write_image(folder, image, text=helper.imd_text(helper.MEMBERS[image], factors))
    yield "worldview3", folder, "--mask", "saturation"


def rasters(top: Path) -> Iterator[tuple]:
    """A folder of bands, a cube with wavelengths in GeoTIFF and one in ENVI."""
    import rasterio
    from rasterio.transform import from_origin

    generator = np.random.default_rng(2)
    values = generator.integers(500, 4000, (4, 20, 24)).astype(np.int16)
    grid = {"crs": "EPSG:32611", "transform": from_origin(500_000, 4_160_000, 30, 30)}
    size = {"height": 20, "width": 24, "dtype": "int16", "nodata": -9999}
    centres = (0.56, 0.66, 0.86, 2.2)
    folder = fresh(top / "bands")
    for name, band in zip(("green", "red", "nir", "swir"), values, strict=True):
        path = folder / f"{name}.tif"
        options = {"compress": "deflate", "count": 1}
        with rasterio.open(path, "w", driver="GTiff", **options, **grid, **size) as file:
            file.write(band, 1)
    told = ("--bands", "green", "red", "nir", "swir", "--wavelengths-um", *map(str, centres))
    yield "rasters", folder, *told, "--scale", "0.0001", "--mask"
    for driver, name in (("GTiff", "cube.tif"), ("ENVI", "cube.img")):
        path = fresh(top / driver.lower()) / name
        options = {"compress": "deflate"} if driver == "GTiff" else {}
        with rasterio.open(path, "w", driver=driver, count=4, **options, **grid, **size) as file:
            file.write(values)
            file.descriptions = ["green", "red", "nir", "swir"]
            file.scales = [1e-4] * 4
            for place, centre in enumerate(centres, 1):
                if driver == "GTiff":
                    file.update_tags(
                        place, ns="IMAGERY", CENTRAL_WAVELENGTH_UM=str(centre), FWHM_UM="0.05"
                    )
        if driver == "ENVI":
            header = path.with_suffix(".hdr")
            text = header.read_text()
            listed = ", ".join(map(str, centres))
            header.write_text(
                f"{text}wavelength units = Micrometers\nwavelength = {{{listed}}}\n"
                "fwhm = {0.05, 0.05, 0.05, 0.05}\nreflectance scale factor = 10000\n"
            )
            path.with_name(path.name + ".aux.xml").unlink(missing_ok=True)
        yield "rasters", path, "--mask"


def write_spectra(base: Path) -> None:
    """A library, a matrix, a table, archives of spectra and sensors for tools that name spectra."""
    from scipy.io import savemat

    with (ROOT / "resources/static/analytic_library.csv").open() as file:
        shutil.copyfileobj(file, (base / "library.csv").open("w"))
    lines = (ROOT / "resources/static/minerals.csv").read_text().splitlines()
    kept = [line for line in lines[1:] if line.split(",")[1] in FEW]
    (base / "few.csv").write_text("\n".join([lines[0], *kept]) + "\n")
    from gossan.library.readers import read_library

    library = [
        item for item in read_library(base / "library.csv") if np.isfinite(item.reflectance).all()
    ]
    wavelength = np.asarray(library[0].wavelength_um)
    channels = np.linspace(0.355, 2.51, 160)
    sampled = np.array([np.interp(channels, wavelength, item.reflectance) for item in library])
    pixels = np.repeat(sampled, 3, axis=0) * np.linspace(0.8, 1.1, 3 * len(sampled))[:, None]
    savemat(base / "pixels.mat", {"pixels": pixels})
    listed = ", ".join(f"{value:.5f}" for value in channels)
    (base / "pixels.hdr").write_text(
        f"ENVI\nsamples = 160\nlines = {len(pixels)}\nbands = 1\nheader offset = 0\n"
        "file type = ENVI Spectral Library\ndata type = 4\ninterleave = bsq\nbyte order = 0\n"
        f"wavelength units = Micrometers\nwavelength = {{{listed}}}\n"
    )
    with (base / "spectra.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["wavelength_um", *(f"s{number}" for number in range(4))])
        writer.writerows(
            [f"{centre:.4f}", *(f"{value:.5f}" for value in values)]
            for centre, values in zip(channels, sampled[:4].T, strict=True)
        )
    for name, first, seed in (("one", 0, 1), ("two", 2, 2)):
        generator = np.random.default_rng(seed)
        titles, minerals, rows = [], [], []
        for item in library:
            for number in range(3):
                titles.append(f"{item.name} X{first + number}{item.name}")
                minerals.append(item.name if item.name in FEW else "")
                rows.append(item.reflectance ** np.exp(generator.normal(0, 0.15)))
        np.savez(
            base / f"{name}.npz",
            wavelength_um=wavelength,
            reflectance=np.array(rows, np.float32),
            title=np.array(titles),
            mineral=np.array(minerals),
        )
    rows = ["sensor,band,centre_nm,fwhm_nm"]
    from gossan.cube.instruments import INSTRUMENTS

    rows += [
        f"{instrument.table_name},{centre},{centre},{width}"
        for instrument, step, width in (
            (item, 60, 40) for item in INSTRUMENTS.values() if item.table_name
        )
        for centre in range(430, 2390, step)
    ]
    (base / "sensors.csv").write_text("\n".join(rows) + "\n")


def tar_names(path: Path) -> list[str]:
    """Members of a tar."""
    with tarfile.open(path) as archive:
        return archive.getnames()
