"""The registry of simulators: which module makes the product of a sensor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gossan.errors import InputError

if TYPE_CHECKING:
    from gossan.library.spectrum import Spectrum
    from gossan.twin.site import Site


# Dates, which must be told, tiles of Sentinel-2, and the one of them that is written.
Campaign = tuple[int | None, int, int | None]


def _simulate_landsat(
    site: Site, library: Sequence[Spectrum], path: str | Path, campaign: Campaign, threads: int
) -> None:
    from gossan.twin.landsat import simulate_landsat as simulator

    simulator(site, library, path, threads=threads)


def _simulate_aster(
    site: Site, library: Sequence[Spectrum], path: str | Path, campaign: Campaign, threads: int
) -> None:
    from gossan.twin.aster import simulate_aster as simulator

    simulator(site, library, path, threads=threads)


def _simulate_sentinel2(
    site: Site, library: Sequence[Spectrum], path: str | Path, campaign: Campaign, threads: int
) -> None:
    from gossan.twin.sentinel2 import simulate_sentinel2 as simulator

    dates, tiles, tile = campaign
    if dates is None:
        raise InputError("--dates is not given; sentinel2 is simulated for so many dates")
    simulator(site, library, path, dates=dates, tiles=tiles, tile=tile, threads=threads)


def _simulate_emit(
    site: Site, library: Sequence[Spectrum], path: str | Path, campaign: Campaign, threads: int
) -> None:
    from gossan.twin.emit import simulate_emit as simulator

    simulator(site, library, path, threads=threads)


def _simulate_enmap(
    site: Site, library: Sequence[Spectrum], path: str | Path, campaign: Campaign, threads: int
) -> None:
    from gossan.twin.enmap import simulate_enmap as simulator

    simulator(site, library, path, threads=threads)


def _simulate_prisma(
    site: Site, library: Sequence[Spectrum], path: str | Path, campaign: Campaign, threads: int
) -> None:
    from gossan.twin.prisma import simulate_prisma as simulator

    simulator(site, library, path, threads=threads)


def _simulate_worldview3(
    site: Site, library: Sequence[Spectrum], path: str | Path, campaign: Campaign, threads: int
) -> None:
    from gossan.twin.worldview3 import simulate_worldview3 as simulator

    simulator(site, library, path, threads=threads)


# Sensor -> simulator. They are imported on demand, by plain import statements in functions of the
# sensors' names, so that the workflow can tell which code makes the product of which sensor.
SIMULATORS: dict[str, Callable[[Site, Sequence[Spectrum], str | Path, Campaign, int], None]] = {
    "landsat": _simulate_landsat,
    "aster": _simulate_aster,
    "sentinel2": _simulate_sentinel2,
    "emit": _simulate_emit,
    "enmap": _simulate_enmap,
    "prisma": _simulate_prisma,
    "worldview3": _simulate_worldview3,
}


def simulate(
    sensor: str,
    site: Site,
    library: Sequence[Spectrum],
    path: str | Path,
    *,
    dates: int | None = None,
    tiles: int = 1,
    tile: int | None = None,
    threads: int = 1,
) -> None:
    """Write a ground as a product of `sensor` to `path`, in the sensor's native layout.

    dates, tiles: of sentinel2, which is a folder of them; others have one and take no notice.
    tile: the one of the tiles, from 1, that is written; None: all.

    Raises InputError for an unknown sensor, and when library or ground do not do for it.
    """
    if sensor not in SIMULATORS:
        raise InputError(f"sensor '{sensor}' is unknown; use one of: {', '.join(SIMULATORS)}")
    SIMULATORS[sensor](site, library, path, (dates, tiles, tile), threads)
