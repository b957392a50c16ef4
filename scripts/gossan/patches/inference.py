"""Patch networks without TensorFlow: model files read by ONNX Runtime, and scenes classified.

A network sees a patch at `INPUT_PX` pixels a side, whatever its size on the ground: pixels are
repeated or left out, never mixed, so colours stay those of the classes. What a file's network was
trained on (bands, colours, classes, size of the patches) stands in the file, under METADATA.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from gossan.errors import InputError
from gossan.legend import NODATA, UNCLASSIFIED, MapClass
from gossan.networks.onnx_session import open_session, read_network_file
from gossan.patches.cutting import colour_table, fill_gaps
from gossan.raster import Grid, RasterInfo, decode

INPUT_PX = 150
FORMAT = "gossan-network-1"
KINDS = ("colour", "reflectance")
BATCH = 8
"""Images per run. Always as many, filled up with zeros: other numbers change the last bits."""


@dataclass(frozen=True)
class Header:
    """What a network was trained on.

    `network` is its architecture, `kind` one of KINDS, `bands` the names of its input's bands,
    `patch_px` the side of a patch on the ground. `codes` and `names` are the classes that it
    tells apart, in the order of its answers; `colours` ("#RRGGBB" by code) are all classes that
    its patches were painted with. `temperature` is contained in the weights of the last layer.
    """

    network: str
    kind: str
    bands: tuple[str, ...]
    patch_px: int
    codes: tuple[int, ...]
    names: tuple[str, ...]
    colours: Mapping[int, str]
    protocol: str
    temperature: float
    synthetic: bool
    input_px: int = INPUT_PX

    def to_json(self) -> str:
        """The text that is kept in the file."""
        return json.dumps({"format": FORMAT, **asdict(self)}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str, where: str) -> "Header":
        """Read the text of a file called `where`; InputError where it cannot be used."""
        fault = InputError(
            f"{where}: does not say what it was trained on; give a network of train_network.py"
        )
        try:
            value = json.loads(text)
            if value.pop("format") != FORMAT:
                raise fault
            header = cls(
                network=str(value["network"]),
                kind=value["kind"],
                bands=tuple(map(str, value["bands"])),
                patch_px=int(value["patch_px"]),
                codes=tuple(map(int, value["codes"])),
                names=tuple(map(str, value["names"])),
                colours={int(code): str(text) for code, text in value["colours"].items()},
                protocol=str(value["protocol"]),
                temperature=float(value["temperature"]),
                synthetic=bool(value["synthetic"]),
                input_px=int(value["input_px"]),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise fault from error
        sound = (
            header.kind in KINDS
            and header.bands
            and 1 <= header.patch_px <= 2**14
            and 1 <= header.input_px <= 2**12
            and len(header.codes) == len(header.names) == len(set(header.codes)) >= 2
            and all(UNCLASSIFIED < code < NODATA for code in header.codes)
        )
        if not sound:
            raise fault
        return header

    def require_classes(self, classes: Sequence[MapClass], where: str) -> None:
        """Raise InputError, naming the table `where`, unless it has the network's classes.

        A network of painted patches needs every class in the colour that it was trained with.
        """
        names = {item.code: item.name for item in classes}
        for code, name in zip(self.codes, self.names, strict=True):
            if names.get(code) != name:
                raise InputError(
                    f"{where}: class {code} is {names.get(code, 'missing')} where the network has "
                    f"{name}; give the table that it was trained with"
                )
        if self.kind == "colour":
            painted = {item.code: item.colour for item in classes}
            for code in sorted({*painted, *self.colours}):
                if painted.get(code) != self.colours.get(code):
                    raise InputError(
                        f"{where}: class {code} has the colour {painted.get(code, 'none')} where "
                        f"the network was trained with {self.colours.get(code, 'none')}; give the "
                        "table that it was trained with"
                    )

    def require_bands(self, bands: Sequence[str], where: str) -> None:
        """Raise InputError, naming `where`, unless its bands are those of the network."""
        if len(bands) != len(self.bands):
            raise InputError(
                f"{where}: has {len(bands)} bands where the network was trained with "
                f"{len(self.bands)}; give a cube of the same sensor"
            )
        if tuple(bands) != self.bands:
            raise InputError(
                f"{where}: has the bands {' '.join(bands)} where the network was trained with "
                f"{' '.join(self.bands)}; give a cube of the same sensor"
            )


def sample_pixels(patch_px: int, input_px: int = INPUT_PX) -> np.ndarray:
    """Places (input_px,) of the pixels, along one side of a patch, that a network is shown."""
    return ((2 * np.arange(input_px) + 1) * patch_px) // (2 * input_px)


def to_input(images: np.ndarray, input_px: int = INPUT_PX) -> np.ndarray:
    """Images (n, size, size, bands) as a network wants them: (n, input_px, input_px, bands).

    float32; bytes become shares of 255, reflectance stays as it is.
    """
    place = sample_pixels(images.shape[1], input_px)
    shown = images[:, place[:, None], place]
    if shown.dtype == np.uint8:
        return shown.astype(np.float32) / np.float32(255)
    return np.ascontiguousarray(shown, np.float32)


def to_probabilities(answers: np.ndarray) -> np.ndarray:
    """Answers of a network (n, K), or (n, 1) of two classes, as probabilities (n, K) float32.

    A single answer is the probability of the second class.
    """
    if answers.shape[1] > 1:
        return answers
    return np.concatenate([1 - answers, answers], axis=1)


@dataclass(frozen=True, eq=False)
class Network:
    """A network ready to run: its header, and the session of ONNX Runtime."""

    header: Header
    session: object = field(repr=False)

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Probabilities (n, K) float32 of inputs (n, input_px, input_px, bands) float32."""
        answers = []
        for start in range(0, len(inputs), BATCH):
            part = inputs[start : start + BATCH]
            whole = part
            if len(part) < BATCH:
                whole = np.zeros((BATCH, *part.shape[1:]), np.float32)
                whole[: len(part)] = part
            answers.append(self.session.run(None, {"patches": whole})[0][: len(part)])
        if not answers:
            return np.zeros((0, len(self.header.codes)), np.float32)
        return to_probabilities(np.concatenate(answers))


def read_network(path: str | Path) -> Network:
    """Read a network of train_network.py; one thread runs it, so callers may use several.

    The file is handed over as bytes, so that it cannot name further files to be read. Raises
    InputError for a missing or corrupt file, one without a header, and a header that does not
    fit the network.
    """
    path = Path(path)
    session, text = open_session(read_network_file(path), str(path))
    header = Header.from_json(text, str(path))
    inputs, outputs = session.get_inputs(), session.get_outputs()
    answers = 1 if len(header.codes) == 2 else len(header.codes)
    expected = [header.input_px, header.input_px, len(header.bands)]
    fits = (
        len(inputs) == len(outputs) == 1
        and inputs[0].name == "patches"
        and inputs[0].type == outputs[0].type == "tensor(float)"
        and list(inputs[0].shape[1:]) == expected
        and list(outputs[0].shape[1:]) == [answers]
    )
    if not fits:
        raise InputError(
            f"{path}: its network does not fit its own description; train the network again"
        )
    return Network(header, session)


@dataclass(frozen=True)
class Cutting:
    """How a scene is classified: `stride_px` is the side of the cells that get one answer each.

    The window that answers for a cell lies about its centre, moved inwards at the scene's edge.
    Windows like those that were not trained on get no answer: where none of the network's classes
    covers `min_label_share`, or no class at all covers more than `max_background_share`.
    """

    stride_px: int
    min_label_share: float = 0.01
    max_background_share: float = 0.9

    def require_fit(self, header: Header, grid: Grid, where: str) -> None:
        """Raise InputError for numbers that cannot be used with a network and a scene."""
        if not 1 <= self.stride_px <= header.patch_px:
            raise InputError(
                f"stride-px: {self.stride_px} is not from 1 to {header.patch_px}, the side of the "
                "network's patches"
            )
        for name, share in (
            ("min-label-share", self.min_label_share),
            ("max-background-share", self.max_background_share),
        ):
            if not 0 <= share <= 1:
                raise InputError(f"{name}: {share:g} is not a share; give 0 to 1")
        if header.patch_px > min(grid.shape):
            raise InputError(
                f"{where}: its {grid.width}x{grid.height} pixels are fewer than a patch of "
                f"{header.patch_px}x{header.patch_px}; give a larger scene"
            )


def place_windows(
    start: int, length: int, size: int, patch_px: int, stride_px: int
) -> tuple[np.ndarray, np.ndarray]:
    """Windows along one axis that answer for the pixels `start` to `start` + `length` of `size`.

    Returns (the first pixels of the windows; for each pixel of the stretch, its window's place).
    """
    cells = np.arange(start // stride_px, (start + length - 1) // stride_px + 1)
    firsts = np.clip(cells * stride_px + (stride_px - patch_px) // 2, 0, size - patch_px)
    return firsts, np.arange(start, start + length) // stride_px - cells[0]


def make_classifier(
    network: Network,
    classes: Sequence[MapClass],
    grid: Grid,
    cutting: Cutting,
    pool: ThreadPoolExecutor,
    where: str,
    cube: RasterInfo | None = None,
) -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """A function for `raster.map_blocks` with `halo=patch_px` and `scaled=False`.

    It takes the block's slices, the window that is read, the codes (1, rows, columns) and, for a
    network of reflectance, the stored cube; it returns the class codes (rows, columns) uint8 and
    the probabilities (1 + K, rows, columns) float32, that of the answer first, NaN where there is
    none. Batches go to `pool`, which does not change a bit of them.
    """
    header = network.header
    shown = sample_pixels(header.patch_px, header.input_px)
    paint = colour_table(classes).astype(np.float32) / np.float32(255)
    known = np.isin(np.arange(256), [item.code for item in classes])

    def classify(inner, window, codes, stored=None):
        codes = codes[0]
        unknown = np.setdiff1d(codes[~known[codes]], [UNCLASSIFIED, NODATA])
        if unknown.size:
            raise InputError(
                f"{where}: class {unknown[0]} is not in the table of classes; give the classes.csv "
                "that the map was made with"
            )
        block = [(int(part.start), int(part.stop - part.start)) for part in inner]
        offsets = int(window.row_off), int(window.col_off)
        axes = [
            place_windows(first + offset, length, size, header.patch_px, cutting.stride_px)
            for (first, length), offset, size in zip(block, offsets, grid.shape, strict=True)
        ]
        (rows, row_of), (columns, column_of) = axes
        rows, columns = rows - offsets[0], columns - offsets[1]
        corners = np.stack(np.meshgrid(rows, columns, indexing="ij"), axis=-1).reshape(-1, 2)
        label_share = np.max(
            [_window_shares(codes == code, corners, header.patch_px) for code in header.codes],
            axis=0,
        )
        background = 1 - _window_shares(known[codes], corners, header.patch_px)
        asked = np.flatnonzero(
            (label_share >= cutting.min_label_share)
            & (label_share > 0)
            & (background <= cutting.max_background_share)
        )
        pixels = codes if stored is None else fill_gaps(decode(stored, cube))

        def answer(places: np.ndarray) -> np.ndarray:
            row, column = (corners[places, axis, None] + shown for axis in (0, 1))
            images = pixels[row[:, :, None], column[:, None, :]]
            return network.predict(paint[images] if stored is None else images)

        batches = [asked[start : start + BATCH] for start in range(0, len(asked), BATCH)]
        chance = np.full((len(corners), 1 + len(header.codes)), np.nan, np.float32)
        for places, answers in zip(batches, pool.map(answer, batches), strict=True):
            chance[places, 0] = answers.max(axis=1)
            chance[places, 1:] = answers
        winner = np.full(len(corners), UNCLASSIFIED, np.uint8)
        winner[asked] = np.array(header.codes, np.uint8)[chance[asked, 1:].argmax(axis=1)]
        shape = len(rows), len(columns)
        answer_map = winner.reshape(shape)[row_of[:, None], column_of]
        chances = chance.T.reshape(-1, *shape)[:, row_of[:, None], column_of]
        nodata = codes[inner] == NODATA
        answer_map[nodata] = NODATA
        chances[:, nodata] = np.nan
        return answer_map, chances

    return classify


def _window_shares(mask: np.ndarray, corners: np.ndarray, size: int) -> np.ndarray:
    """Share of true pixels of each window of `size` pixels at `corners` (n, 2), (n,)."""
    sums = np.zeros((mask.shape[0] + 1, mask.shape[1] + 1), np.int64)
    np.cumsum(np.cumsum(mask, axis=0), axis=1, out=sums[1:, 1:])
    row, column = corners.T
    inside = (
        sums[row + size, column + size]
        - sums[row, column + size]
        - sums[row + size, column]
        + sums[row, column]
    )
    return inside / size**2
