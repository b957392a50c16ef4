"""The instruments that a stack may hold: all that is to be said of each, in one table.

Whoever adds a sensor adds a row here, behind the others: the order is that of the bits in masks
of the sensors present, which files have.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Instrument:
    """What a stack's methods need to know of a sensor.

    `label` is its name in words, `table_name` that in tables of band centres and widths.
    `imaging` tells an imaging spectrometer, with many narrow bands, from a sensor of few broad
    ones. `noise` (reflectance) and `shift_nm` (centres) are standard deviations of what training
    adds to its bands.
    """

    label: str
    table_name: str
    imaging: bool
    noise: float
    shift_nm: float


INSTRUMENTS = {
    "emit": Instrument("EMIT", "EMIT", True, 0.002, 0.3),
    "enmap": Instrument("EnMAP", "EnMAP", True, 0.002, 0.5),
    "prisma": Instrument("PRISMA", "PRISMA", True, 0.004, 1.0),
    "sentinel2": Instrument("Sentinel-2", "Sentinel-2A MSI", False, 0.004, 1.0),
    "worldview3": Instrument("WorldView-3", "WorldView-3", False, 0.004, 2.0),
    # OLI's own noise is half of Sentinel-2's, but its cube is corrected by dark objects, which
    # leaves a few thousandths of reflectance between scenes; its bands are known as well.
    "landsat": Instrument("Landsat", "Landsat-8 OLI", False, 0.004, 1.0),
    # The oldest detectors, of 8 bits in the visible, and light that leaks from band 4 into 5 to 9.
    "aster": Instrument("ASTER", "Terra ASTER", False, 0.006, 2.0),
    # Whatever the user brought to one grid: as little is known of it as of the broad bands.
    "rasters": Instrument("Rasters", "", False, 0.004, 2.0),
}
"""Instruments by the sensor's name, in the order of a stack."""
