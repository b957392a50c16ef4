"""The cube: a scene's reflectance on one grid, as its raster and its record say what it is.

Reflectance is stored as int16 in steps of 1e-4, other numbers as float32. The tags of the raster
and the head of the record (cube.json) tell the same facts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gossan.errors import InputError
from gossan.files import read_json, write_json
from gossan.raster import BandTable, Layer, RasterInfo, is_synthetic

SCALE = 1e-4
NODATA = -32768
# Facts that the record tells where they are known, in its order.
_SOURCE = ("spacecraft", "sensor", "collection", "level")
_TIMES = ("acquired", "acquired_first", "acquired_last")


@dataclass(frozen=True)
class Cube:
    """What a cube is. Text is empty, and `sun_elevation_deg` None, where nothing is known.

    `acquired` is ISO 8601 in UTC, the middle one of several dates, of which `acquired_first` and
    `acquired_last` are the ends. `atmosphere` and `normalisation` say what was done, "none" for
    nothing. A cube that is no `reflectance` holds any numbers, to which neither applies.
    """

    bands: BandTable
    product_id: str
    sensor: str
    synthetic: bool
    atmosphere: str = "none"
    normalisation: str = "none"
    spacecraft: str = ""
    collection: str = ""
    level: str = ""
    acquired: str = ""
    acquired_first: str = ""
    acquired_last: str = ""
    sun_elevation_deg: float | None = None
    reflectance: bool = True

    @classmethod
    def of(cls, info: RasterInfo) -> Cube:
        """The cube that a raster is, by its tags and bands."""
        tags = info.tags
        sun = tags.get("SUN_ELEVATION_DEG", "")
        try:
            sun_elevation_deg = float(sun) if sun else None
        except ValueError as error:
            raise InputError(
                f"{info.path}: its tag SUN_ELEVATION_DEG is no number ({sun}); correct it"
            ) from error
        return cls(
            bands=info.bands,
            product_id=tags.get("PRODUCT_ID", ""),
            sensor=tags.get("SENSOR", ""),
            synthetic=is_synthetic(tags),
            atmosphere=tags.get("ATMOSPHERE", ""),
            normalisation=tags.get("NORMALISATION", ""),
            acquired=tags.get("ACQUIRED", ""),
            acquired_first=tags.get("ACQUIRED_FIRST", ""),
            acquired_last=tags.get("ACQUIRED_LAST", ""),
            sun_elevation_deg=sun_elevation_deg,
            reflectance=bool(info.bands.centre_um),
        )

    def tags(self) -> dict[str, str]:
        """The tags of its raster, and of every map that is made of it."""
        sun = self.sun_elevation_deg
        told = {
            "SENSOR": self.sensor,
            "ACQUIRED": self.acquired,
            "ACQUIRED_FIRST": self.acquired_first,
            "ACQUIRED_LAST": self.acquired_last,
            "SUN_ELEVATION_DEG": "" if sun is None else repr(sun),
            "PRODUCT_ID": self.product_id,
            "ATMOSPHERE": self.atmosphere if self.reflectance else "",
            "NORMALISATION": self.normalisation if self.reflectance else "",
            "SYNTHETIC": "yes" if self.synthetic else "no",
        }
        return {key: value for key, value in told.items() if value}

    def layer(self, path: Path) -> Layer:
        """Its raster, as `raster.map_blocks` writes it."""
        if self.reflectance:
            return Layer(
                path,
                "int16",
                NODATA,
                self.bands,
                scale=SCALE,
                tags=self.tags(),
                unit="reflectance",
            )
        return Layer(path, "float32", np.nan, self.bands, tags=self.tags())


@dataclass(frozen=True)
class Pixels:
    """Pixels of the grid, of those the ones with data in all bands, and of those the kept ones."""

    total: int
    observed: int
    valid: int


@dataclass(frozen=True)
class Record:
    """The record of a cube: what it is, how it was made, and what that found.

    `masked` is as of `describe_masked`; `how` are further keys about the making, `found` about
    what came out.
    """

    cube: Cube
    pixels: Pixels
    masked: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    corrections: Sequence[Mapping[str, object]] = ()
    how: Mapping[str, object] = field(default_factory=dict)
    found: Mapping[str, object] = field(default_factory=dict)
    notes: Sequence[str] = ()

    def describe(self) -> dict[str, object]:
        """The record as JSON has it."""
        cube, pixels = self.cube, self.pixels
        told = {key: value for key in (*_SOURCE, *_TIMES) if (value := getattr(cube, key))}
        if cube.sun_elevation_deg is not None:
            told["sun_elevation_deg"] = cube.sun_elevation_deg
        return {
            "product_id": cube.product_id,
            **told,
            "synthetic": cube.synthetic,
            "atmosphere": cube.atmosphere,
            "corrections": list(self.corrections),
            "normalisation": cube.normalisation,
            **self.how,
            "pixels": {
                "total": pixels.total,
                "observed": pixels.observed,
                "valid": pixels.valid,
            },
            "masked": dict(self.masked),
            "bands": describe_bands(cube.bands),
            **self.found,
            "notes": list(self.notes),
        }

    def write(self, path: str | Path) -> None:
        """Write the record, whole or not at all."""
        write_json(path, self.describe())

    @classmethod
    def read(cls, path: str | Path) -> Record:
        """Read a record of `write`; InputError, naming the file, where a key is missing or odd."""
        value = read_json(path)
        try:
            cube = Cube(
                bands=_read_bands(value["bands"]),
                product_id=value["product_id"],
                sensor=value["sensor"],
                synthetic=bool(value["synthetic"]),
                atmosphere=value["atmosphere"],
                normalisation=value["normalisation"],
                sun_elevation_deg=value.get("sun_elevation_deg"),
                reflectance=all("centre_um" in band for band in value["bands"]),
                **{key: value.get(key, "") for key in (*_SOURCE, *_TIMES) if key != "sensor"},
            )
            pixels = Pixels(**value["pixels"])
            masked, corrections = dict(value["masked"]), list(value["corrections"])
            notes = list(value["notes"])
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(
                f"{path}: is no record of a cube ({error}); make it with its cube again"
            ) from error
        keys = list(value)
        start, middle = keys.index("normalisation") + 1, keys.index("pixels")
        after = keys.index("bands") + 1
        return cls(
            cube,
            pixels,
            masked,
            corrections,
            how={key: value[key] for key in keys[start:middle]},
            found={key: value[key] for key in keys[after:] if key != "notes"},
            notes=notes,
        )


def describe_bands(bands: BandTable) -> list[dict[str, object]]:
    """Each band for a record: its name and, where it is spectral, centre and width in µm."""
    if not bands.centre_um:
        return [{"name": name} for name in bands.names]
    return [
        {"name": name, "centre_um": centre, "fwhm_um": fwhm}
        for name, centre, fwhm in zip(bands.names, bands.centre_um, bands.fwhm_um, strict=True)
    ]


def _read_bands(items: Sequence[Mapping[str, object]]) -> BandTable:
    names = tuple(str(item["name"]) for item in items)
    if not all("centre_um" in item for item in items):
        return BandTable(names)
    return BandTable(
        names,
        tuple(float(item["centre_um"]) for item in items),
        tuple(float(item["fwhm_um"]) for item in items),
    )


def describe_masked(
    flags: Sequence[str], pixels: Sequence[int], observed: int
) -> dict[str, dict[str, float]]:
    """Flag -> the pixels with data that it masks, and their share of all those with data."""
    return {
        flag: {"pixels": int(count), "share_of_observed": float(count / observed)}
        for flag, count in zip(flags, pixels, strict=True)
    }
