"""Bands of several sensors side by side: their order, the ranges left out, and their table."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gossan.cube.instruments import INSTRUMENTS
from gossan.errors import InputError
from gossan.raster import BandTable
from gossan.tables import write_rows

SENSORS = tuple(INSTRUMENTS)
"""Sensors in the order of a stack; the place of each is its bit in the mask of those present."""
HYPERSPECTRAL = tuple(name for name, item in INSTRUMENTS.items() if item.imaging)
# Ranges (µm) without use: the ends of the detectors, and water vapour.
# Jabłońska and Zięba drop these from all sensors.
EXCLUDED_UM = (
    (0.30, 0.40),
    (0.91, 1.00),
    (1.12, 1.19),
    (1.34, 1.55),
    (1.75, 2.05),
    (2.40, 2.50),
)
Ranges = Sequence[Sequence[float]]
COLUMNS = ("sensor", "band", "wavelength_um", "fwhm_um", "kept")


@dataclass(frozen=True)
class StackBands:
    """Bands of a stack, one entry each: sensor, the band's name there, centre and FWHM in µm.

    Sensors come in the order of SENSORS, each one's bands by ascending wavelength. Centre and FWHM
    are NaN for numbers that have no wavelength.
    """

    sensor: tuple[str, ...]
    band: tuple[str, ...]
    centre_um: tuple[float, ...]
    fwhm_um: tuple[float, ...]

    def __len__(self) -> int:
        """Number of bands."""
        return len(self.sensor)

    @property
    def sensors(self) -> tuple[str, ...]:
        """Sensors that have a band, in the order of SENSORS."""
        return tuple(name for name in SENSORS if name in self.sensor)

    @property
    def names(self) -> tuple[str, ...]:
        """Names in a stacked raster, "emit:B001"."""
        return tuple(
            f"{sensor}:{band}" for sensor, band in zip(self.sensor, self.band, strict=True)
        )

    def part(self, sensor: str) -> slice:
        """Where a sensor's bands stand; an empty slice if it has none."""
        if sensor not in self.sensor:
            return slice(0, 0)
        first = self.sensor.index(sensor)
        return slice(first, first + self.sensor.count(sensor))

    def present_bands(self, present: np.ndarray) -> np.ndarray:
        """(..., bands) bool from (..., sensors) bool, the latter in the order of `sensors`."""
        sensors = self.sensors  # found once, not for each band: training asks for it at every step
        place = np.array([sensors.index(name) for name in self.sensor])
        return np.asarray(present, bool)[..., place]

    @property
    def numbers(self) -> tuple[str, ...]:
        """Sensors whose bands have no wavelength: any numbers, not reflectance."""
        return tuple(
            sensor for sensor in self.sensors if math.isnan(self.centre_um[self.part(sensor).start])
        )

    def table(self) -> BandTable:
        """The bands as a raster's, spectral where all are."""
        if self.numbers:
            return BandTable(self.names)
        return BandTable(self.names, self.centre_um, self.fwhm_um)


def is_excluded(centre_um: np.ndarray, excluded_um: Ranges = EXCLUDED_UM) -> np.ndarray:
    """Where a band's centre lies in one of the ranges, ends included; (n,) bool."""
    centre = np.asarray(centre_um, float)[:, None]
    low, high = np.array(excluded_um, float).reshape(-1, 2).T
    return ((centre >= low) & (centre <= high)).any(axis=1)


def sensor_bits(present: np.ndarray, sensors: Sequence[str]) -> np.ndarray:
    """Bit mask (...,) uint8 of sensors present (..., sensors) bool; bit i is SENSORS[i]."""
    weights = np.array([1 << SENSORS.index(name) for name in sensors], np.uint8)
    return (np.asarray(present, bool) * weights).sum(axis=-1, dtype=np.uint8)


def sensors_present(bits: np.ndarray, sensors: Sequence[str]) -> np.ndarray:
    """Sensors present (..., sensors) bool of a bit mask (...,); the inverse of `sensor_bits`."""
    places = np.array([SENSORS.index(name) for name in sensors], np.uint8)
    return (np.asarray(bits)[..., None] >> places & 1).astype(bool)


def lay_out(
    tables: dict[str, BandTable], excluded_um: Ranges = EXCLUDED_UM
) -> tuple[StackBands, list[dict[str, object]]]:
    """The bands of a stack of these sensors, and a row for every band, kept or not.

    `tables` are the sensors' own bands, whose wavelengths must ascend; bands centred in one of
    `excluded_um` are left out, bands without wavelengths never. Raises InputError for a sensor that
    is unknown, for wavelengths out of order, and for a sensor of which no band is left.
    """
    rows = []
    for sensor in sorted(tables, key=_place):
        table = tables[sensor]
        if not table.centre_um:
            told = ({"sensor": sensor, "band": name, "kept": "yes"} for name in table.names)
            rows += [dict.fromkeys(COLUMNS, "") | row for row in told]
            continue
        if np.any(np.diff(table.centre_um) <= 0):
            raise InputError(
                f"{sensor}: its wavelengths do not ascend; sort the bands of its cube by wavelength"
            )
        kept = ~is_excluded(np.array(table.centre_um), excluded_um)
        if not kept.any():
            raise InputError(f"{sensor}: no band is left outside of the excluded ranges")
        rows += [
            dict(zip(COLUMNS, (sensor, name, centre, fwhm, "yes" if keep else "no"), strict=True))
            for name, centre, fwhm, keep in zip(
                table.names, table.centre_um, table.fwhm_um, kept, strict=True
            )
        ]
    return _kept(rows), rows


def _place(sensor: str) -> int:
    if sensor not in SENSORS:
        raise InputError(f"sensor {sensor!r} is unknown; use {', '.join(SENSORS)}")
    return SENSORS.index(sensor)


def _kept(rows: Sequence[dict]) -> StackBands:
    kept = [row for row in rows if row["kept"] == "yes"]
    return StackBands(
        tuple(row["sensor"] for row in kept),
        tuple(row["band"] for row in kept),
        tuple(float(row["wavelength_um"] or "nan") for row in kept),
        tuple(float(row["fwhm_um"] or "nan") for row in kept),
    )


def write_bands(path: str | Path, rows: Sequence[dict]) -> None:
    """Write the rows of `lay_out` as CSV."""
    write_rows(path, COLUMNS, rows)


def read_bands(path: str | Path) -> StackBands:
    """Read the kept bands of a table of `write_bands`.

    Raises InputError, naming the file, where columns, numbers or the order of sensors are wrong.
    """
    try:
        with Path(path).open(newline="", encoding="utf-8") as file:
            table = csv.DictReader(file)
            if tuple(table.fieldnames or ()) != COLUMNS:
                raise InputError(f"{path}: its columns must be {','.join(COLUMNS)}")
            rows = list(table)
        bands = _kept(rows)
    except (OSError, csv.Error, ValueError, TypeError) as error:
        raise InputError(f"{path}: is no table of a stack's bands ({error})") from error
    order = [_place(name) for name in bands.sensor]
    if not order or order != sorted(order):
        raise InputError(f"{path}: sensors must stand in the order {', '.join(SENSORS)}")
    return bands
