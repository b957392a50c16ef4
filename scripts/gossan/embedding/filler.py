"""Absent sensors reconstructed from those present, by ONNX Runtime.

The network (`filler_training`) sees the bands of all sensors side by side, those of absent ones
drawn straight between their neighbours, and which sensors are present; it answers with what the
straight lines lack.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gossan.cube.bands import HYPERSPECTRAL, StackBands
from gossan.embedding.model import BATCH, are_sound, parse_bands
from gossan.kernels import kernel
from gossan.networks.headers import Shapes, header_text, open_network, parse_header
from gossan.networks.onnx_session import read_network_file

FORMAT = "gossan-filler-2"


@dataclass(frozen=True)
class Header:
    """What a network was trained on: bands of a scene, spectra files, how many records of them.

    `modelled` tells that some of the spectra were computed, not measured.
    """

    scene: str
    bands: StackBands
    libraries: tuple[str, ...]
    modelled: bool
    records: int

    def to_json(self) -> str:
        """The text that is kept in the file."""
        return header_text(FORMAT, self)

    @classmethod
    def from_json(cls, text: str, where: str) -> "Header":
        """Read the text of a file called `where`; InputError where it cannot be used."""

        def build(value: dict) -> Header:
            return cls(
                scene=str(value["scene"]),
                bands=parse_bands(value["bands"]),
                libraries=tuple(map(str, value["libraries"])),
                modelled=bool(value["modelled"]),
                records=int(value["records"]),
            )

        return parse_header(text, FORMAT, where, "train_filler.py", build)

    def is_sound(self) -> bool:
        """Whether its numbers can be those of a network."""
        return are_sound(self.bands) and len(self.bands.sensors) >= 2


@dataclass(frozen=True, eq=False)
class Lines:
    """Straight lines through the bands present, for every combination of sensors.

    `low` and `high` (2^S, B) are the bands between which a band lies, `share` (2^S, B) float32
    how far it lies towards the second; bit i of the first index is the i-th sensor. The lines go
    through the imaging spectrometers where one is present: broad bands say little about a narrow
    one in their middle. Beyond the outermost band its value goes on.
    """

    bands: StackBands
    low: np.ndarray
    high: np.ndarray
    share: np.ndarray

    @classmethod
    def of(cls, bands: StackBands) -> "Lines":
        """The lines of a stack's bands."""
        sensors = bands.sensors
        centre = np.array(bands.centre_um)
        low = np.zeros((2 ** len(sensors), len(bands)), np.int32)
        high, share = np.zeros_like(low), np.zeros(low.shape, np.float32)
        for code in range(1, len(low)):
            present = np.array([bool(code >> place & 1) for place in range(len(sensors))])
            narrow = present & np.isin(sensors, HYPERSPECTRAL)
            kept = bands.present_bands(narrow if narrow.any() else present)
            own = np.flatnonzero(kept)
            own = own[np.argsort(centre[own], kind="stable")]
            right = np.searchsorted(centre[own], centre).clip(0, len(own) - 1)
            left = np.where(centre[own][right] > centre, np.maximum(right - 1, 0), right)
            low[code], high[code] = own[left], own[right]
            width = centre[high[code]] - centre[low[code]]
            away = centre - centre[low[code]]
            share[code] = np.divide(away, width, out=np.zeros_like(away), where=width > 0)
            measured = bands.present_bands(present)
            low[code, measured] = high[code, measured] = np.flatnonzero(measured)
            share[code, measured] = 0
        return cls(bands, low, high, share.clip(0, 1))

    def draw(self, spectra: np.ndarray, present: np.ndarray) -> np.ndarray:
        """Spectra (n, B) float32 with the bands of absent sensors drawn; present is (n, S) bool.

        Those present are as they were; rows without any sensor are 0.
        """
        code = (np.asarray(present, bool) << np.arange(present.shape[1])).sum(axis=1)
        drawn = np.empty(spectra.shape, np.float32)
        _draw(
            np.ascontiguousarray(spectra, np.float32), code, self.low, self.high, self.share, drawn
        )
        return drawn


@kernel
def _draw(spectra, code, low, high, share, drawn):
    for row in range(len(spectra)):
        own = code[row]
        for band in range(spectra.shape[1]):
            first = spectra[row, low[own, band]]
            last = spectra[row, high[own, band]]
            drawn[row, band] = first + share[own, band] * (last - first) if own else np.float32(0)


def to_input(drawn: np.ndarray, present: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the network sees, (n, B + S) float32, and the brightness (n, 1) that was taken out.

    Its answers are differences to the lines, in units of that brightness.
    """
    level = np.maximum(drawn.mean(axis=1, keepdims=True), np.float32(1e-4))
    return np.hstack([drawn / level - 1, np.asarray(present, np.float32)]), level


@dataclass(frozen=True, eq=False)
class Filler:
    """A network ready to run: its header, and the session of ONNX Runtime (one thread each)."""

    header: Header
    lines: Lines
    session: object = field(repr=False)

    def fill(self, spectra: np.ndarray, present: np.ndarray) -> np.ndarray:
        """Spectra (n, B) float32 with the bands of absent sensors reconstructed.

        `spectra` are reflectance (fraction) at the header's bands, `present` (n, S) bool in the
        order of its sensors. Measured bands are returned bit for bit; rows without any sensor, and
        rows with all, are returned as they are.
        """
        spectra = np.ascontiguousarray(spectra, np.float32)
        present = np.asarray(present, bool)
        asked = np.flatnonzero(present.any(axis=1) & ~present.all(axis=1))
        filled = spectra.copy()
        for start in range(0, len(asked), BATCH):
            part = asked[start : start + BATCH]
            drawn = self.lines.draw(spectra[part], present[part])
            shown, level = to_input(drawn, present[part])
            # Always as many rows, filled up with zeros: other numbers change the last bits.
            whole = np.zeros((BATCH, shown.shape[1]), np.float32)
            whole[: len(part)] = shown
            answers = self.session.run(None, {"spectra": whole})[0][: len(part)]
            found = np.maximum(drawn + level * answers, np.float32(0))
            measured = self.header.bands.present_bands(present[part])
            filled[part] = np.where(measured, spectra[part], found)
        return filled


def read_filler(path: str | Path) -> Filler:
    """Read a network of train_filler.py; one thread runs it, so callers may use several.

    The file is handed over as bytes, so that it cannot name further files to be read. Raises
    InputError for a missing or corrupt file, one without a header, and a header that does not
    fit the network.
    """
    header, session = open_network(
        read_network_file(Path(path)), str(path), Header.from_json, _fits
    )
    return Filler(header, Lines.of(header.bands), session)


def _fits(header: Header, inputs: Shapes, outputs: Shapes) -> bool:
    bands = header.bands
    shown = len(bands) + len(bands.sensors)
    ins, outs = ({name: shape[1:] for name, shape in own.items()} for own in (inputs, outputs))
    return ins == {"spectra": [shown]} and [*outs.values()] == [[len(bands)]]
