"""Spectra of a scene's own pixels in place of a library's: their table, and how they stand in."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gossan.errors import InputError
from gossan.library.readers import References
from gossan.raster import BandTable
from gossan.tables import read_table, write_rows

COLUMNS = ("name", "file", "pixels", "band", "wavelength_um", "fwhm_um", "mean", "deviation")


@dataclass(frozen=True, eq=False)
class SceneSpectra:
    """Mean spectra of the pixels of n classes in the bands of a cube.

    `file` is the name of the vector file that places them, `pixels` (n,) how many each mean is of,
    `mean` and `deviation` (n, bands) are reflectance; the standard deviation of a single pixel is
    NaN.
    """

    file: str
    names: tuple[str, ...]
    pixels: np.ndarray
    bands: BandTable
    mean: np.ndarray
    deviation: np.ndarray

    def described(self, name: str) -> str:
        """What a class's spectrum is, for the table of records."""
        place = self.names.index(name)
        count = int(self.pixels[place])
        if count == 1:
            return "1 pixel of the scene"
        low, high = self.deviation[place].min(), self.deviation[place].max()
        return f"mean of {count} pixels of the scene (standard deviation {low:.3f} to {high:.3f})"


def write_scene(path: str | Path, scene: SceneSpectra) -> None:
    """Write the spectra, a row a class and band (COLUMNS)."""
    bands = scene.bands
    rows = [
        {
            "name": name,
            "file": scene.file,
            "pixels": int(scene.pixels[place]),
            "band": band,
            "wavelength_um": f"{bands.centre_um[column]:.6g}",
            "fwhm_um": f"{bands.fwhm_um[column]:.6g}",
            "mean": f"{scene.mean[place, column]:.6g}",
            "deviation": _told(scene.deviation[place, column]),
        }
        for place, name in enumerate(scene.names)
        for column, band in enumerate(bands.names)
    ]
    write_rows(path, COLUMNS, rows)


def _told(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else ""


def read_scene(path: str | Path, bands: BandTable, what: str) -> SceneSpectra:
    """Read what `write_scene` wrote of a cube with these bands, which `what` names.

    Raises InputError where the table is none, or is of another cube.
    """
    rows = read_table(path, COLUMNS)
    names = tuple(dict.fromkeys(row["name"] for row in rows))
    shape = (len(names), len(bands.names))
    if not rows or [row["band"] for row in rows] != list(bands.names) * len(names):
        raise InputError(
            f"{path}: has not the bands of {what}; make it anew with measure_references.py"
        )
    return SceneSpectra(
        file=rows[0]["file"],
        names=names,
        pixels=np.array([int(row["pixels"]) for row in rows]).reshape(shape)[:, 0],
        bands=bands,
        mean=np.array([float(row["mean"]) for row in rows]).reshape(shape),
        deviation=np.array([float(row["deviation"] or "nan") for row in rows]).reshape(shape),
    )


def stand_in(
    references: References | None, scene: SceneSpectra, names: Sequence[str]
) -> References:
    """References of the classes `names`, in this order: the scene's where it has them.

    `references` are those of the other classes, whose bands are kept; None where there are none,
    and then all bands are.
    """
    if references is None:
        bands = scene.bands
        nothing = np.empty((0, len(bands.names)))
        references = References(
            (), bands.names, np.array(bands.centre_um), np.array(bands.fwhm_um), nothing
        )
    kept = [scene.bands.names.index(band) for band in references.band]
    found = {name: [mean[kept]] for name, mean in zip(scene.names, scene.mean, strict=True)}
    for name, spectrum in zip(references.names, references.reflectance, strict=True):
        found.setdefault(name, []).append(spectrum)
    ordered = [(name, spectrum) for name in names for spectrum in found[name]]
    return References(
        names=tuple(name for name, _ in ordered),
        band=references.band,
        wavelength_um=references.wavelength_um,
        fwhm_um=references.fwhm_um,
        reflectance=np.array([spectrum for _, spectrum in ordered]),
    )
