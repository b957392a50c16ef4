"""Embedding networks without TensorFlow: their file, written as ONNX and read by ONNX Runtime.

The file takes reflectance as it comes, zeros for absent sensors, and answers with the embedding:
all preprocessing is part of its graph. It also holds the pure spectra that distances are measured
to, and, under METADATA, what the network was trained on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gossan.cube.bands import SENSORS, StackBands
from gossan.errors import InputError
from gossan.files import staged
from gossan.legend import GROUPS, MapClass
from gossan.networks.headers import (
    Shapes,
    header_text,
    open_network,
    parse_header,
    require_centres,
    require_classes,
)
from gossan.networks.onnx_session import METADATA, read_network_file

FORMAT = "gossan-embedding-4"
OPSET = 17
IR_VERSION = 8
BATCH = 1024
"""Spectra per run. Always as many, filled up with zeros: other numbers change the last bits."""

DARKEST = 0.005
"""Reflectance below which the logarithm stays put: noise there is larger than the signal."""
SCALES_UM = {0.03: 5.0, 0.05: 2.0, 0.1: 1.0}
"""Widths (µm, standard deviations) of the smoothing that a spectrum is compared with: weights."""
LEVEL = 0.2
"""Weight of the spectrum itself beside them."""
IRON_UM = 1.35
"""Bands up to here see the electronic absorptions of iron, which are as broad as the smoothing."""
SMALLEST_CONTRAST = 0.02
"""Spread of a sensor's sharpened log reflectance that counts as flat: noise is not blown up."""
NARROWEST = 1e-12

SHARPENED, PLAIN = "sharpened", "plain"
"""What the first layer sees: what `normalise` makes of reflectance, or reflectance itself."""
RECORDS, CENTROIDS = "records", "centroids"
"""What a spectrum is compared with: each pure record, embedded with the sensors that the spectrum
has, or the mean of a mineral's pure records, embedded with all sensors."""


@dataclass(frozen=True)
class Header:
    """What a network was trained on.

    `scene` is the one whose bands these are. `minerals` (and their class `codes`) are in the order
    of its distances. `max_masked` sensors at most were absent in training, 0 for a network that
    always saw all. `libraries` names the spectra's files; `modelled` tells that some were
    computed; `records` counts the references. `region` is that of its bands (`regions.REGIONS`),
    empty for a network over all of them. `preparation` is SHARPENED or PLAIN, `distance` says what
    distances are measured to: RECORDS or CENTROIDS.
    """

    scene: str
    bands: StackBands
    minerals: tuple[str, ...]
    codes: tuple[int, ...]
    embedding: int
    max_masked: int
    libraries: tuple[str, ...]
    modelled: bool
    records: tuple[int, ...]
    region: str = ""
    preparation: str = SHARPENED
    distance: str = RECORDS

    @property
    def masked(self) -> bool:
        """Whether the network copes with all sensors that can be absent: of one, none can."""
        return self.max_masked > 0 or len(self.bands.sensors) == 1

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
                minerals=tuple(map(str, value["minerals"])),
                codes=tuple(map(int, value["codes"])),
                embedding=int(value["embedding"]),
                max_masked=int(value["max_masked"]),
                libraries=tuple(map(str, value["libraries"])),
                modelled=bool(value["modelled"]),
                records=tuple(map(int, value["records"])),
                region=str(value["region"]),
                preparation=str(value["preparation"]),
                distance=str(value["distance"]),
            )

        return parse_header(text, FORMAT, where, "train_embedding.py", build)

    def is_sound(self) -> bool:
        """Whether its numbers can be those of a network."""
        return (
            are_sound(self.bands)
            and len(self.minerals) == len(set(self.minerals)) == len(self.codes) >= 1
            and len(set(self.codes)) == len(self.codes) == len(self.records)
            and all(0 < code < 255 for code in self.codes)
            and all(number >= 1 for number in self.records)
            and 1 <= self.embedding <= 2**14
            and 0 <= self.max_masked < len(self.bands.sensors)
            and self.region in GROUPS
            and self.preparation in (SHARPENED, PLAIN)
            and self.distance in (RECORDS, CENTROIDS)
        )

    def require_bands(self, bands: StackBands, where: str) -> None:
        """Raise InputError, naming `where`, unless it has the network's bands.

        Centres may differ as in `require_centres`.
        """
        if bands.names != self.bands.names:
            lacking = [name for name in self.bands.names if name not in bands.names]
            more = [name for name in bands.names if name not in self.bands.names]
            words = (
                f"it lacks {lacking[0]}"
                if lacking
                else f"{more[0]} is one more"
                if more
                else ("they stand in another order")
            )
            raise InputError(
                f"{where}: its {len(bands)} bands are not the {len(self.bands)} that the network "
                f"was trained with: {words}; train it with this table of bands"
            )
        require_centres(
            bands.names, bands.centre_um, self.bands.centre_um, self.bands.fwhm_um, where
        )

    def require_classes(self, classes: Sequence[MapClass], where: str) -> None:
        """Raise InputError, naming the table `where`, unless it has the network's minerals."""
        require_classes(self.codes, self.minerals, classes, where)


def parse_bands(value: dict) -> StackBands:
    """The bands of a stored header; raises what parsing raises."""
    return StackBands(
        tuple(map(str, value["sensor"])),
        tuple(map(str, value["band"])),
        tuple(map(float, value["centre_um"])),
        tuple(map(float, value["fwhm_um"])),
    )


def are_sound(bands: StackBands) -> bool:
    """Whether these can be a stack's bands: known sensors in their order, all columns as long."""
    lengths = {len(bands.sensor), len(bands.band), len(bands.centre_um), len(bands.fwhm_um)}
    return (
        len(lengths) == 1
        and 1 <= len(bands) <= 2**14
        and set(bands.sensor) <= set(SENSORS)
        and list(bands.sensor) == sorted(bands.sensor, key=SENSORS.index)
    )


@dataclass(frozen=True, eq=False)
class Branch:
    """Weights of one network: hidden (B, H) and its bias (H,), output (H, E) and its bias (E,)."""

    hidden: np.ndarray
    hidden_bias: np.ndarray
    output: np.ndarray
    output_bias: np.ndarray


@dataclass(frozen=True, eq=False)
class EmbeddingModel:
    """A network ready to run: its header, its references and the session of ONNX Runtime.

    `references` (R, B) are pure spectra, those of the first mineral first, as many of each as
    `header.records` says; bands of a sensor that a record does not fill are 0.
    """

    header: Header
    references: np.ndarray
    session: object = field(repr=False)
    _embedded: dict[bytes, np.ndarray] = field(default_factory=dict, repr=False)

    def embed(self, spectra: np.ndarray) -> np.ndarray:
        """Embeddings (n, E) float32, each of length 1, of spectra (n, B).

        Spectra are reflectance (fraction) at the header's bands, 0 in those of absent sensors.
        Without any sensor the embedding is that of no light, which says nothing.
        """
        spectra = np.ascontiguousarray(spectra, np.float32)
        answers = np.empty((len(spectra), self.header.embedding), np.float32)
        for start in range(0, len(spectra), BATCH):
            part = spectra[start : start + BATCH]
            whole = part
            if len(part) < BATCH:
                whole = np.zeros((BATCH, part.shape[1]), np.float32)
                whole[: len(part)] = part
            found = self.session.run(["embeddings"], {"spectra": whole})[0]
            answers[start : start + len(part)] = found[: len(part)]
        return answers

    def distances(self, spectra: np.ndarray, present: np.ndarray | None = None) -> np.ndarray:
        """Distance (n, K) float32, 0 to 2, of spectra (n, B) to each mineral's nearest reference.

        References are embedded with the sensors that a spectrum has, so like is compared with
        like: `present` (n, S) bool in the order of the header's sensors, None: those with a band
        above 0. A mineral none of whose references has one of these sensors is as far as can be.
        Of CENTROIDS there is one of each mineral, whichever sensors a spectrum has.
        """
        spectra = np.asarray(spectra, np.float32)
        embeddings = self.embed(spectra)
        if self.header.distance == CENTROIDS:
            centroids = self.centroids()
            square = 1 + (centroids**2).sum(axis=1) - 2 * embeddings @ centroids.T
            return np.sqrt(np.maximum(square, 0)).astype(np.float32)
        if present is None:
            present = sensors_seen(spectra, self.header.bands)
        kinds = present @ (1 << np.arange(present.shape[1]))
        found = np.empty((len(spectra), len(self.header.minerals)), np.float32)
        starts = np.cumsum((0, *self.header.records[:-1]))
        for kind in np.unique(kinds):
            rows = np.flatnonzero(kinds == kind)
            alike = slice(None) if rows.size == len(kinds) else rows
            references = self._reference_embeddings(present[rows[0]])
            likeness = embeddings[alike] @ references.T
            likeness[:, ~references.any(axis=1)] = -1
            nearest = np.maximum.reduceat(likeness, starts, axis=1)
            # Of vectors of length 1: |a - b|² = 2 - 2 a·b. Rounding can take a·b above 1.
            found[alike] = np.sqrt(2 - 2 * np.clip(nearest, -1, 1))
        return found

    def centroids(self) -> np.ndarray:
        """Mean embedding (K, E) float32 of each mineral's references that fill all sensors.

        Of a mineral without such a reference, that of all it has. A mean is no longer than 1.
        """
        every = self._reference_embeddings(np.ones(len(self.header.bands.sensors), bool))
        whole = sensors_seen(self.references, self.header.bands).all(axis=1)
        owner = np.repeat(np.arange(len(self.header.minerals)), self.header.records)
        found = []
        for place in range(len(self.header.minerals)):
            own = owner == place
            found.append(every[own & whole if (own & whole).any() else own].mean(axis=0))
        return np.array(found, np.float32)

    def _reference_embeddings(self, present: np.ndarray) -> np.ndarray:
        """Embeddings (R, E) of the references with these sensors (S,) alone, made once."""
        key = present.tobytes()
        if key not in self._embedded:
            shown = np.where(self.header.bands.present_bands(present), self.references, 0)
            embedded = self.embed(shown)
            embedded[~shown.any(axis=1)] = 0
            self._embedded[key] = embedded
        return self._embedded[key]


def sensors_seen(spectra: np.ndarray, bands: StackBands) -> np.ndarray:
    """Which sensors (n, S) bool have a band above 0 in spectra (n, B)."""
    return np.stack(
        [(spectra[:, bands.part(sensor)] > 0).any(axis=1) for sensor in bands.sensors], axis=1
    )


def read_model(path: str | Path) -> EmbeddingModel:
    """Read a network of train_embedding.py; one thread runs it, so callers may use several.

    The file is handed over as bytes, so that it cannot name further files to be read. Raises
    InputError for a missing or corrupt file, one without a header, and a header that does not
    fit the network.
    """
    path = Path(path)
    return load_model(read_network_file(path), str(path))


def load_model(content: bytes, where: str) -> EmbeddingModel:
    """A network from the bytes of its file, which is called `where`; see `read_model`."""
    header, session = open_network(content, where, Header.from_json, _fits)
    nothing = np.zeros((1, len(header.bands)), np.float32)
    (references,) = session.run(["references"], {"spectra": nothing})
    return EmbeddingModel(header, references, session)


def _fits(header: Header, inputs: Shapes, outputs: Shapes) -> bool:
    return inputs == {"spectra": ["n", len(header.bands)]} and outputs == {
        "embeddings": ["n", header.embedding],
        "references": [sum(header.records), len(header.bands)],
    }


def band_shares(bands: StackBands) -> np.ndarray:
    """(B, S) float32: 1 over the number of a sensor's bands in its column, else 0."""
    member = np.array([[own == name for name in bands.sensors] for own in bands.sensor], np.float32)
    return member / member.sum(axis=0)


def sharpeners(bands: StackBands) -> list[np.ndarray]:
    """Per sensor, the matrix (b, b) float32 that log reflectance (n, b) is multiplied by.

    It adds up what is left of a spectrum after smoothing over each of SCALES_UM, and a little of
    the spectrum itself, all without its mean: narrow absorptions stand out from the broad slopes
    that dust, illumination and iron in traces make. A sensor of few broad bands has nothing
    narrower than the smoothing, and is left as it is; so is one without a band beyond IRON_UM,
    where what is narrow is left of the air.
    """
    found = []
    for sensor in bands.sensors:
        centre = np.array(bands.centre_um[bands.part(sensor)])
        away = centre[:, None] - centre
        same = np.eye(centre.size)
        if centre.max() <= IRON_UM:
            mixed = same
        else:
            mixed = LEVEL * same
            for scale, weight in SCALES_UM.items():
                kernel = np.exp(-0.5 * (away / scale) ** 2)
                mixed += weight * (same - kernel / kernel.sum(axis=1, keepdims=True))
        centring = same - 1 / centre.size
        found.append((centring @ mixed @ centring).T.astype(np.float32))
    return found


def normalise(spectra: np.ndarray, bands: StackBands) -> np.ndarray:
    """What the network's first layer sees, (n, B), of reflectance (n, B); 0 for absent sensors.

    The sharpened log reflectance of each sensor has mean 0 and spread 1. A brighter slope moves
    log reflectance, and a longer way of light through coarser grains stretches it; neither
    changes what comes out.
    """
    log = np.log(np.maximum(spectra / DARKEST, 1))
    found = np.zeros_like(log)
    for sensor, matrix in zip(bands.sensors, sharpeners(bands), strict=True):
        part = bands.part(sensor)
        sharp = log[:, part] @ matrix
        spread = np.sqrt((sharp**2).mean(axis=1, keepdims=True) + SMALLEST_CONTRAST**2)
        found[:, part] = sharp / spread
    return found


def write_model(
    path: str | Path, header: Header, branches: Sequence[Branch], references: np.ndarray
) -> None:
    """Write the bytes of `export_model`, whole or not at all."""
    content = export_model(header, branches, references)
    with staged(Path(path)) as temporary:
        temporary.write_bytes(content)


def export_model(header: Header, branches: Sequence[Branch], references: np.ndarray) -> bytes:
    """A network as the bytes of an ONNX file; equal weights give equal bytes.

    `references` (R, B) are pure spectra, mineral after mineral as `header.records` counts them;
    the embeddings of several branches stand side by side.
    """
    import onnx
    from onnx import TensorProto, helper

    graph = _Graph()
    seen = "spectra" if header.preparation == PLAIN else _normalise(graph, header.bands)
    parts = []
    for place, branch in enumerate(branches):
        name = f"branch{place}"
        hidden = graph.add("Gemm", f"{name}_hidden", seen, branch.hidden, branch.hidden_bias)
        active = graph.add("Relu", f"{name}_relu", hidden)
        output = graph.add("Gemm", f"{name}_output", active, branch.output, branch.output_bias)
        length = graph.add("ReduceL2", f"{name}_length", output, axes=[1], keepdims=1)
        # Branches count alike, and all of them together have the length 1.
        total = graph.add("Mul", f"{name}_total", length, np.float32(np.sqrt(len(branches))))
        least = graph.add("Max", f"{name}_least", total, np.float32(NARROWEST))
        parts.append(graph.add("Div", f"{name}_unit", output, least))
    graph.add("Concat", "embeddings", *parts, axis=1)
    graph.add("Identity", "references", references)

    def declare(name: str, *shape: int | str) -> object:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, list(shape))

    file = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "gossan",
            [declare("spectra", "n", len(header.bands))],
            [
                declare("embeddings", "n", header.embedding),
                declare("references", *np.shape(references)),
            ],
            graph.weights,
        ),
        producer_name="gossan",
        opset_imports=[helper.make_opsetid("", OPSET)],
    )
    file.ir_version = IR_VERSION
    helper.set_model_props(file, {METADATA: header.to_json()})
    onnx.checker.check_model(file)
    return file.SerializeToString(deterministic=True)


class _Graph:
    """Nodes and weights so far; arrays among a node's inputs become weights of its name."""

    def __init__(self):
        self.nodes: list = []
        self.weights: list = []

    def split(self, name: str, source: str, sizes: np.ndarray, outputs: Sequence[str]) -> None:
        """Cut the columns of `source` into `outputs` of these widths."""
        from onnx import helper, numpy_helper

        self.weights.append(numpy_helper.from_array(sizes, f"{name}.sizes"))
        self.nodes.append(
            helper.make_node("Split", [source, f"{name}.sizes"], outputs, name=name, axis=1)
        )

    def add(self, operation: str, name: str, *inputs: str | np.ndarray, **attributes) -> str:
        """Add a node and return its name, which is also that of its output."""
        from onnx import helper, numpy_helper

        names = []
        for place, value in enumerate(inputs):
            if isinstance(value, str):
                names.append(value)
                continue
            names.append(f"{name}.{place}")
            array = np.ascontiguousarray(value, np.float32).reshape(np.shape(value))
            self.weights.append(numpy_helper.from_array(array, names[-1]))
        self.nodes.append(helper.make_node(operation, names, [name], name=name, **attributes))
        return name


def _normalise(graph: _Graph, bands: StackBands) -> str:
    """What `normalise` computes, as nodes."""
    relative = graph.add("Mul", "relative", "spectra", np.float32(1 / DARKEST))
    log = graph.add("Log", "log", graph.add("Max", "bright", relative, np.float32(1)))
    parts = [bands.part(sensor) for sensor in bands.sensors]
    sizes = np.array([part.stop - part.start for part in parts], np.int64)
    names = [f"{sensor}_log" for sensor in bands.sensors]
    graph.split("sensors", log, sizes, names)
    sharp = [
        graph.add("MatMul", f"{sensor}_sharp", name, own)
        for sensor, name, own in zip(bands.sensors, names, sharpeners(bands), strict=True)
    ]
    joined = graph.add("Concat", "sharp", *sharp, axis=1)
    square = graph.add(
        "MatMul", "variance", graph.add("Mul", "squared", joined, joined), band_shares(bands)
    )
    spread = graph.add(
        "Sqrt", "spread", graph.add("Add", "sure", square, np.float32(SMALLEST_CONTRAST**2))
    )
    member = (band_shares(bands) > 0).astype(np.float32).T
    return graph.add("Div", "normalised", joined, graph.add("MatMul", "stretch", spread, member))
