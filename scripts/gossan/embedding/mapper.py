"""Minerals of a stack of sensors, pixel by pixel: class, distance, and why there is no class.

A mineral is a candidate where its distance is within its limit, which calibration set so that a
spectrum of that mineral keeps to it with a chosen probability (class-conditional conformal sets:
Vovk 2012, "Conditional validity of inductive conformal predictors", ACML; Sadinle, Lei and
Wasserman 2019, JASA 114). One candidate names the pixel; none, or several, leave it without class.
"""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from gossan.cube.bands import SENSORS, StackBands, sensors_present
from gossan.embedding.answers import ANSWERS, NAMED, NONE, SEVERAL
from gossan.embedding.model import BATCH
from gossan.errors import InputError
from gossan.files import read_json
from gossan.kernels import kernel
from gossan.legend import NODATA, UNCLASSIFIED, MapClass
from gossan.raster import RasterInfo

LIMIT = "conformal"
AREA_COLUMNS = ("code", "name", "label", "kind", "pixels", "area_km2", "area_ha", "share")
SENSOR_AREA_COLUMNS = ("sensors", "code", "name", "label", "kind", "pixels", "area_ha", "share")
ALL_SENSORS = "all"
# Where pixels of several candidates are counted; the class raster calls them unclassified.
SEVERAL_COLUMN = 256
# Pixels at a time: the network's batch, or it would be filled up.
PART_PX = BATCH
LANE = 8


class Model(Protocol):
    """What measures distances: `model.EmbeddingModel`."""

    @property
    def header(self) -> object:
        """Its `bands` and, in the order of distances, `minerals` and `codes`."""

    def distances(self, spectra: np.ndarray, present: np.ndarray | None = None) -> np.ndarray:
        """Distance (n, K) float32 of spectra (n, B) to each mineral."""


class Filler(Protocol):
    """What reconstructs absent sensors: `filler.Filler`."""

    def fill(self, spectra: np.ndarray, present: np.ndarray) -> np.ndarray:
        """Spectra (n, B) with the bands of absent sensors filled in; present is (n, S) bool."""


def read_limits(path: str | Path, method: str, minerals: Sequence[str]) -> np.ndarray:
    """Largest distance (K,) float64 of each mineral's candidates, from thresholds.json.

    Raises InputError, naming the file, where the method or a mineral is missing, or its limit is
    no number from 0 on.
    """
    own = read_json(path).get(method)
    if not isinstance(own, dict):
        raise InputError(f"{path}: lacks the thresholds of the method {method}; assess it first")
    limits = []
    for mineral in minerals:
        entry = own.get(mineral)
        limit = entry.get(LIMIT) if isinstance(entry, dict) else None
        if isinstance(limit, bool) or not isinstance(limit, int | float) or not limit >= 0:
            raise InputError(
                f"{path}: {method} has no {LIMIT} limit of the mineral {mineral}; assess the "
                "network on spectra of it first"
            )
        limits.append(float(limit))
    return np.array(limits)


def stack_bands(info: RasterInfo) -> StackBands:
    """The bands of a stacked raster, by their names "emit:B001".

    Raises InputError for a raster whose bands are named otherwise or have no wavelengths.
    """
    parts = [name.partition(":") for name in info.bands.names]
    centres, widths = info.bands.centre_um, info.bands.fwhm_um
    if any(sensor not in SENSORS or not band for sensor, _, band in parts) or not centres:
        raise InputError(
            f"{info.path}: no stack of sensors, whose bands are named as emit:B001 and have "
            "wavelengths; make it with stack_sensors.py"
        )
    return StackBands(
        tuple(sensor for sensor, _, _ in parts),
        tuple(band for _, _, band in parts),
        centres,
        widths or (float("nan"),) * len(centres),
    )


def require_stack(header: object, info: RasterInfo, own: StackBands | None = None) -> StackBands:
    """The stack's bands, after InputError unless each of its sensors is as the network has it.

    Sensors that the stack lacks altogether are absent in all of its pixels. `own` are those of
    the stack's bands that the network is for; None: all.
    """
    own = stack_bands(info) if own is None else own
    for sensor in own.sensors:
        if sensor not in header.bands.sensors:
            raise InputError(
                f"{info.path}: has {sensor}, which the network was not trained with "
                f"({' '.join(header.bands.sensors)}); train it with this stack's bands"
            )
    whole: dict[str, list] = {"sensor": [], "band": [], "centre_um": [], "fwhm_um": []}
    for sensor in header.bands.sensors:
        source = own if sensor in own.sensors else header.bands
        for name, values in whole.items():
            values += getattr(source, name)[source.part(sensor)]
    header.require_bands(StackBands(*map(tuple, whole.values())), str(info.path))
    return own


def map_record(
    header: object, bands: StackBands, classes: Sequence[MapClass], limits: np.ndarray
) -> dict[str, object]:
    """What a map's record says of the network and of what it was given.

    `bands` are the stack's, of which some of the network's sensors may be absent; `limits` (K,).
    `classes_without` are those of the table that the network does not know.
    """
    return {
        "minerals": list(header.minerals),
        "classes_without": [item.name for item in classes if item.code not in header.codes],
        "sensors": {
            "trained": list(header.bands.sensors),
            "present": list(bands.sensors),
            "absent": [name for name in header.bands.sensors if name not in bands.sensors],
        },
        "masking": header.max_masked,
        "libraries": list(header.libraries),
        "modelled": header.modelled,
        "thresholds": {
            "limits": {
                name: round(float(limit), 6)
                for name, limit in zip(header.minerals, limits, strict=True)
            }
        },
        "filler": None,
    }


def require_inputs(info: RasterInfo, sensors: RasterInfo) -> None:
    """Raise InputError unless both rasters are stored as a stack and its sensors are."""
    if info.dtype != "int16" or info.nodata is None or info.offset != 0.0:
        raise InputError(
            f"{info.path}: is not stored as a stack (int16 with nodata, without offset); make it "
            "with stack_sensors.py"
        )
    if sensors.dtype != "uint8" or len(sensors.bands.names) != 1:
        raise InputError(
            f"{sensors.path}: no raster of one uint8 band; give the sensors.tif of the stack"
        )


@dataclass
class Counts:
    """Pixels (256, 257) by the bit mask of sensors present and by class; blocks in any order."""

    pixels: np.ndarray = field(
        default_factory=lambda: np.zeros((256, SEVERAL_COLUMN + 1), np.int64)
    )
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def add(self, bits: np.ndarray, codes: np.ndarray, answers: np.ndarray) -> None:
        """Count the pixels of a block: sensors, class and answer, uint8 arrays of one shape."""
        column = np.where(answers == SEVERAL, SEVERAL_COLUMN, codes.astype(np.intp))
        place = bits.astype(np.intp) * self.pixels.shape[1] + column
        found = np.bincount(place.ravel(), minlength=self.pixels.size)
        with self.lock:
            self.pixels += found.reshape(self.pixels.shape)


@dataclass(frozen=True, eq=False)
class Mapper:
    """Names the pixels of blocks, and counts them; a function for `raster.map_blocks`.

    `info` and `bands` are the stack's (`require_stack`), `limits` (K,) those of `read_limits`.
    """

    model: Model
    limits: np.ndarray
    info: RasterInfo
    bands: StackBands
    sensors_path: Path
    filler: Filler | None = None
    counts: Counts = field(default_factory=Counts)

    def __call__(self, stored: np.ndarray, bits: np.ndarray) -> tuple[np.ndarray, ...]:
        """Class, distances and answer of a block.

        `stored` (bands, rows, columns) int16 and `bits` (1, rows, columns) uint8 are as the files
        have them. Returns codes (rows, columns) uint8; distances (1 + K, rows, columns) float32,
        first that of the named mineral, else the smallest, then each mineral's, NaN where no
        sensor is present; answers (rows, columns) uint8. Raises InputError where a sensor is said
        to be present and has a gap, or one is said to be absent and has a value.
        """
        header = self.model.header
        bits, shape = bits[0].ravel(), bits.shape[1:]
        distances = np.full((1 + len(header.minerals), bits.size), np.nan, np.float32)
        codes = np.full(bits.size, NODATA, np.uint8)
        answers = np.full(bits.size, NODATA, np.uint8)
        own = np.array(header.codes, np.uint8)
        for part, found in self.measure(stored.reshape(len(stored), -1), bits):
            winner, answers[part] = choose(found, self.limits)
            distances[0, part] = found[np.arange(len(found)), winner]
            distances[1:, part] = found.T
            codes[part] = np.where(answers[part] == NAMED, own[winner], np.uint8(UNCLASSIFIED))
        self.counts.add(bits, codes, answers)
        return codes.reshape(shape), distances.reshape(-1, *shape), answers.reshape(shape)

    def measure(
        self, stored: np.ndarray, bits: np.ndarray
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield places (n,) of pixels that a sensor sees, and their distances (n, K).

        `stored` (bands, pixels) and `bits` (pixels,) are as the files have them.
        """
        self._require_known(bits)
        room = np.zeros((min(PART_PX, bits.size), len(self.model.header.bands)), np.float32)
        for start in range(0, bits.size, PART_PX):
            part = np.arange(start, min(start + PART_PX, bits.size))
            # One array for all parts: fresh memory costs more than what is written to it.
            spectra = room[: len(part)]
            present = self._gather(stored[:, part[0] : part[-1] + 1], bits[part], spectra)
            seen = bits[part] > 0
            if not seen.all():
                part, spectra, present = part[seen], spectra[seen], present[seen]
            if not part.size:
                continue
            if self.filler is not None:
                spectra, present = self.filler.fill(spectra, present), np.ones_like(present)
            yield part, self.model.distances(spectra, present)

    def _gather(self, stored: np.ndarray, bits: np.ndarray, spectra: np.ndarray) -> np.ndarray:
        """Sensors present (n, S) bool; `spectra` (n, B) gets their reflectance, 0 where absent.

        Columns of sensors that the stack lacks are left as they are.
        """
        own = self.model.header.bands
        present = sensors_present(bits, own.sensors)
        nodata, scale = np.int16(self.info.nodata), np.float32(self.info.scale)
        for sensor in self.bands.sensors:
            values = stored[self.bands.part(sensor)]
            if _has_other_gaps(values, nodata, present[:, own.sensors.index(sensor)].copy()):
                self._refuse(f"where {sensor} is present and where it has values differ")
            _turn(values, nodata, scale, spectra[:, own.part(sensor)])
        return present

    def _require_known(self, bits: np.ndarray) -> None:
        known = sum(1 << SENSORS.index(name) for name in self.bands.sensors)
        if (bits & np.uint8(~known & 255)).any():
            self._refuse("it tells of a sensor that the stack lacks")

    def _refuse(self, reason: str) -> None:
        raise InputError(
            f"{self.sensors_path}: does not belong to {self.info.path}, {reason}; make both with "
            "one run of stack_sensors.py"
        )


@kernel
def _has_other_gaps(stored, nodata, present):
    """Whether values (bands, n) are nodata anywhere but where `present` (n,) is False."""
    faults = 0
    for band in range(stored.shape[0]):
        for row in range(stored.shape[1]):
            faults += (stored[band, row] == nodata) == present[row]
    return faults > 0


@kernel
def _turn(stored, nodata, scale, spectra):
    """Reflectance (n, bands) of stored values (bands, n), 0 for nodata.

    LANE pixels side by side: what is read is one piece of a band, and what is written stays in
    the cache until the next band comes.
    """
    bands, rows = stored.shape
    whole = rows // LANE * LANE
    for first in range(0, whole, LANE):
        for band in range(bands):
            for lane in range(LANE):
                value = stored[band, first + lane]
                seen = scale * np.float32(value)
                spectra[first + lane, band] = np.float32(0) if value == nodata else seen
    for row in range(whole, rows):
        for band in range(bands):
            value = stored[band, row]
            seen = scale * np.float32(value)
            spectra[row, band] = np.float32(0) if value == nodata else seen


def choose(distances: np.ndarray, limits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Winner (n,) and answer (n,) uint8 of distances (n, K) under each mineral's limit (K,).

    The winner is the only candidate where there is one, which need not be the nearest mineral as
    limits differ; else the nearest.
    """
    candidates = distances <= limits
    size = candidates.sum(axis=1)
    winner = np.where(size == 1, candidates.argmax(axis=1), distances.argmin(axis=1))
    answer = np.where(size == 1, NAMED, np.where(size == 0, NONE, SEVERAL)).astype(np.uint8)
    return winner, answer


def area_rows(
    counts: Counts, classes: Sequence[MapClass], pixel_area_m2: float | None
) -> list[dict[str, object]]:
    """Rows of AREA_COLUMNS: the classes in the table's order, the unclassified, and nodata.

    `share` is of the pixels with a sensor, and empty for nodata; areas are empty where the pixels'
    size is not known.
    """
    pixels = counts.pixels.sum(axis=0)
    pixels[UNCLASSIFIED] += pixels[SEVERAL_COLUMN]
    pixels = pixels[:SEVERAL_COLUMN]
    valid = int(pixels.sum() - pixels[NODATA])
    rest = [
        (UNCLASSIFIED, "unclassified", "Unclassified", "unclassified"),
        (NODATA, "nodata", "No data", "nodata"),
    ]
    rows = []
    for code, name, label, kind in [*_entries(classes), *rest]:
        number = int(pixels[code])
        row = {"code": code, "name": name, "label": label, "kind": kind, "pixels": number}
        if pixel_area_m2 is not None:
            row["area_km2"] = f"{number * pixel_area_m2 / 1e6:.6f}"
            row["area_ha"] = f"{number * pixel_area_m2 / 1e4:.4f}"
        if valid and code != NODATA:
            row["share"] = f"{number / valid:.6f}"
        rows.append(row)
    return rows


def sensor_area_rows(
    counts: Counts, classes: Sequence[MapClass], pixel_area_m2: float | None
) -> list[dict[str, object]]:
    """Rows of SENSOR_AREA_COLUMNS: of all pixels with a sensor, then by the sensors present.

    `sensors` is "all", or names joined by "+", in the order of the bit mask. Each part has the
    classes in the table's order, then the pixels without class by the reason. `share` is of the
    part's pixels; `area_ha` is empty where the pixels' size is not known.
    """
    entries = [(code, code, name, label, kind) for code, name, label, kind in _entries(classes)]
    for column, answer in ((UNCLASSIFIED, ANSWERS[1]), (SEVERAL_COLUMN, ANSWERS[2])):
        entries.append((column, UNCLASSIFIED, answer.name, answer.label, "unclassified"))
    parts = [(ALL_SENSORS, counts.pixels[1:].sum(axis=0))]
    for bits in np.flatnonzero(counts.pixels.sum(axis=1)):
        if bits:
            present = sensors_present(np.uint8(bits), SENSORS)
            parts.append(("+".join(np.array(SENSORS)[present]), counts.pixels[bits]))
    rows = []
    for sensors, pixels in parts:
        total = int(pixels.sum())
        for column, code, name, label, kind in entries:
            number = int(pixels[column])
            row = {"sensors": sensors, "code": code, "name": name, "label": label, "kind": kind}
            row["pixels"] = number
            if pixel_area_m2 is not None:
                row["area_ha"] = f"{number * pixel_area_m2 / 1e4:.4f}"
            if total:
                row["share"] = f"{number / total:.6f}"
            rows.append(row)
    return rows


def _entries(classes: Sequence[MapClass]) -> list[tuple[int, str, str, str]]:
    return [(item.code, item.name, item.label, "class") for item in classes]
