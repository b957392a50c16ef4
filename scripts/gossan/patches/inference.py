"""Patch networks without TensorFlow: model files read by ONNX Runtime, and scenes classified.

A network sees a patch at `INPUT_PX` pixels a side, whatever its size on the ground: pixels are
repeated or left out, never mixed, so colours stay those of the classes. What a file's network was
trained on (bands, colours, classes, size of the patches) stands in the file, under METADATA.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from rasterio.errors import RasterioError
from rasterio.windows import Window

from gossan.checksums import read_verified
from gossan.errors import InputError
from gossan.legend import NODATA, UNCLASSIFIED, MapClass
from gossan.networks.headers import (
    Shapes,
    header_text,
    open_network,
    parse_header,
    require_centres,
    require_classes,
)
from gossan.networks.onnx_session import read_network_file
from gossan.patches.cutting import colour_table, fill_gaps
from gossan.raster import BandTable, Grid, RasterInfo, decode, open_raster

INPUT_PX = 150
FORMAT = "gossan-network-2"
KINDS = ("colour", "reflectance")
BATCH = 8
"""Images per run. Always as many, filled up with zeros: other numbers change the last bits."""


@dataclass(frozen=True)
class Header:
    """What a network was trained on.

    `scene` is the one whose patches these are. `network` is its architecture, `kind` one of KINDS,
    `bands` the names of its input's bands, `centre_um` and `fwhm_um` where they lie, () for
    colours; `patch_px` is the side of a patch on the ground. `codes` and `names` are the classes
    that it tells apart, in the order of its answers; `colours` ("#RRGGBB" by code) are all
    classes that its patches were painted with. `temperature` is contained in the weights of the
    last layer.
    """

    scene: str
    network: str
    kind: str
    bands: tuple[str, ...]
    centre_um: tuple[float, ...]
    fwhm_um: tuple[float, ...]
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
        return header_text(FORMAT, self)

    @classmethod
    def from_json(cls, text: str, where: str) -> "Header":
        """Read the text of a file called `where`; InputError where it cannot be used."""

        def build(value: dict) -> Header:
            return cls(
                scene=str(value["scene"]),
                network=str(value["network"]),
                kind=value["kind"],
                bands=tuple(map(str, value["bands"])),
                centre_um=tuple(map(float, value["centre_um"])),
                fwhm_um=tuple(map(float, value["fwhm_um"])),
                patch_px=int(value["patch_px"]),
                codes=tuple(map(int, value["codes"])),
                names=tuple(map(str, value["names"])),
                colours={int(code): str(text) for code, text in value["colours"].items()},
                protocol=str(value["protocol"]),
                temperature=float(value["temperature"]),
                synthetic=bool(value["synthetic"]),
                input_px=int(value["input_px"]),
            )

        return parse_header(text, FORMAT, where, "train_network.py", build)

    def is_sound(self) -> bool:
        """Whether its numbers can be those of a network."""
        return (
            self.kind in KINDS
            and len(self.bands) == len(set(self.bands)) >= 1
            and len(self.centre_um) == len(self.fwhm_um)
            and len(self.centre_um) in (0, len(self.bands))
            and 1 <= self.patch_px <= 2**14
            and 1 <= self.input_px <= 2**12
            and len(self.codes) == len(self.names) == len(set(self.codes)) >= 2
            and all(UNCLASSIFIED < code < NODATA for code in self.codes)
        )

    def require_classes(self, classes: Sequence[MapClass], where: str) -> None:
        """Raise InputError, naming the table `where`, unless it has the network's classes.

        A network of painted patches needs every class in the colour that it was trained with.
        """
        require_classes(self.codes, self.names, classes, where)
        if self.kind == "colour":
            painted = {item.code: item.colour for item in classes}
            for code in sorted({*painted, *self.colours}):
                if painted.get(code) != self.colours.get(code):
                    raise InputError(
                        f"{where}: class {code} has the colour {painted.get(code, 'none')} where "
                        f"the network was trained with {self.colours.get(code, 'none')}; give the "
                        "table that it was trained with"
                    )

    def find_bands(self, bands: BandTable, where: str) -> list[int]:
        """Places of the network's bands among a cube's, which may have more.

        Raises InputError, naming `where`, for one that is missing or lies elsewhere
        (`require_centres`).
        """
        for name in self.bands:
            if name not in bands.names:
                raise InputError(
                    f"{where}: lacks the band {name} that the network was trained with; give a "
                    "cube of the same sensor"
                )
        places = [bands.names.index(name) for name in self.bands]
        if self.centre_um and bands.centre_um:
            centres = [bands.centre_um[place] for place in places]
            require_centres(self.bands, centres, self.centre_um, self.fwhm_um, where)
        return places


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
    header, session = open_network(
        read_network_file(Path(path)), str(path), Header.from_json, _fits
    )
    return Network(header, session)


def is_untrained(path: str | Path) -> bool:
    """Whether a file of train_network.py is empty: there were too few patches for a network."""
    path = Path(path)
    return path.is_file() and not path.stat().st_size


def answer_nothing(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A function for `raster.map_blocks` with `scaled=False`: the map of no network.

    It takes codes (1, rows, columns) and returns class codes and a probability as
    `make_classifier` does, without any answer.
    """
    answers = np.where(codes[0] == NODATA, NODATA, UNCLASSIFIED).astype(np.uint8)
    return answers, np.full(codes.shape, np.nan, np.float32)


def _fits(header: Header, inputs: Shapes, outputs: Shapes) -> bool:
    answers = 1 if len(header.codes) == 2 else len(header.codes)
    ins, outs = ({name: shape[1:] for name, shape in own.items()} for own in (inputs, outputs))
    shown = [header.input_px, header.input_px, len(header.bands)]
    return ins == {"patches": shown} and [*outs.values()] == [[answers]]


@dataclass(frozen=True)
class Cutting:
    """How a scene is classified: `stride_px` is the side of the cells that get one answer each.

    The window that answers for a cell lies about its centre, moved inwards at the scene's edge.
    Windows like those that were not trained on get no answer: where none of the network's classes
    covers `min_label_share`, or no class at all covers more than `max_background_share`.
    """

    stride_px: int
    min_label_share: float
    max_background_share: float

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
                f"{header.patch_px}x{header.patch_px}, which the network was trained with; give a "
                f"larger scene, or a network of patches of {min(grid.shape)} pixels at most"
            )


def read_bands(info: RasterInfo, places: Sequence[int]) -> Callable[[Window], np.ndarray]:
    """A source for `raster.map_blocks`: some of a cube's bands, as they are stored.

    Of hundreds of bands a network sees a few, and the others are not to fill the memory.
    """
    indexes = [place + 1 for place in places]

    def read(window: Window) -> np.ndarray:
        try:
            with open_raster(info.path) as dataset:
                return read_verified(dataset, indexes, window)
        except RasterioError as error:
            raise InputError(
                f"{info.path}: broken or truncated near row {window.row_off}; fetch it again"
            ) from error

    return read


def map_record(header: Header, cutting: Cutting, classes: Sequence[MapClass]) -> dict[str, object]:
    """What a map's record says of the network and of how the scene was cut.

    `classes_without` are those of the table that the network does not know.
    """
    return {
        "input": header.kind,
        "bands": list(header.bands),
        "classes": list(header.names),
        "classes_without": [item.name for item in classes if item.code not in header.codes],
        "patch_px": header.patch_px,
        "protocol": header.protocol,
        "stride_px": cutting.stride_px,
        "min_label_share": cutting.min_label_share,
        "max_background_share": cutting.max_background_share,
    }


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
