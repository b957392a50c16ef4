"""The alteration score of a scene: sample, train, map, and compare on the same test blocks.

Two passes over the scene, block by block: one draws the training pixels, one writes the maps and
counts, per spatial block, how often every method reaches each of its thresholds inside and outside
the zone. Everything that is reported follows from these counts.
"""

import math
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from rasterio.windows import Window

from gossan.accuracy.blocks import (
    BlockWindow,
    Bootstrap,
    SpatialBlocks,
    require_least,
    rounded,
)
from gossan.accuracy.intervals import INTERVAL_RULE, Kind, effective_blocks, estimate
from gossan.accuracy.paired import compare_blocks
from gossan.accuracy.record import unassessed_record
from gossan.accuracy.scores import Scores, score_confusion, weigh_blocks
from gossan.accuracy.truth import CONFLICT
from gossan.errors import InputError
from gossan.library.readers import References, read_references
from gossan.minerals.spectral_angle import align_references, map_angles
from gossan.raster import (
    BandTable,
    Layer,
    RasterInfo,
    find_bands,
    is_synthetic,
    iter_blocks,
    map_blocks,
    read_info,
)
from gossan.transforms.band_ratios import (
    BandRatio,
    band_ratio,
    list_ratios,
    missing_ratios,
    zone_ratios,
)
from gossan.transforms.band_search import same_wavelength
from gossan.zones.alteration_score import (
    CLIP,
    HALO_PX,
    INVERSE_PENALTY,
    PROBABILITY_EDGES,
    RATIO_FLOOR,
    Model,
    Standardisation,
    TrainingSample,
    ZoneModels,
    assign_folds,
    average_precision,
    best_threshold,
    choose_edges,
    draw_training,
    feature_names,
    make_features,
    merge_training,
    place_scores,
    predict,
    require_buffer,
    standardise,
    sweep_thresholds,
    touched_folds,
    train_zone,
)
from gossan.zones.confidence import HIGH, MEDIUM, low_pass_places
from gossan.zones.cube_limits import require_few_bands
from gossan.zones.zone_assessment import (
    ZoneMap,
    ZoneTruth,
    require_zone,
    zone_record,
)

METHOD = "Alteration score"
RULE, PUBLISHED = "rule", "published"
"""Kinds of fixed maps: of the study's own ranges, and of the method as its paper has it."""
DETAILS = ("LH", "HL", "HH")
WINDOW_PX = 256
UNTESTED = -1

CURVE_COLUMNS = (
    "zone",
    "method",
    "kind",
    "threshold",
    "n",
    "n_reference",
    "found",
    "right",
    "precision",
    "precision_low",
    "precision_high",
    "recall",
    "recall_low",
    "recall_high",
    "f1",
)

RULES = {
    "split": (
        "The scene is cut into square blocks, the blocks are dealt into folds, and the pixels of "
        "a fold are scored by a model that learned from the other folds, without the pixels "
        "within the buffer of the fold's blocks. Every block is tested once."
    ),
    "threshold": (
        "In each fold the score, the spectral angle and each band ratio are cut at the threshold "
        "with the best F1 on the other folds. The threshold of the map is the one with the best "
        "F1 over all held-out scores; it has no test of its own."
    ),
    "rule": (
        "The fixed ranges have no training. 'best on training blocks' takes, in each fold, the "
        "band and level with the best F1 on the other folds; 'best in hindsight' the one with "
        "the best F1 on the test blocks themselves, which flatters it. 'published' is the same "
        "with the anomalies of each band, and with the ranges read of the anomalies alone."
    ),
    "average_precision": (
        "Step sum under the precision-recall curve over all tested pixels; a score without skill "
        "gets the zone's share of pixels."
    ),
    "interval": (
        f"{INTERVAL_RULE} Comparisons redraw the same blocks for both methods. The intervals do "
        "not hold the uncertainty of training."
    ),
}
"""How the numbers of a score's record are to be read; written into each record."""


@dataclass(frozen=True)
class Scene:
    """The rasters of a scene, and what is computed from their blocks.

    `cube` has the bands to learn from; `spectra` (the reflectance cube, or else the cube) is what
    ratios and angles are taken of.
    """

    cube: RasterInfo
    subbands: RasterInfo
    spectra: RasterInfo

    @classmethod
    def open(cls, cube: Path, subbands: Path, reflectance: Path | None) -> "Scene":
        """Open the rasters.

        Raises InputError for too many bands, bands that share a name, sub-bands that are missing,
        and for different grids.
        """
        opened = cls(read_info(cube), read_info(subbands), read_info(reflectance or cube))
        require_few_bands(opened.cube)
        for info in (opened.cube, opened.spectra):
            find_bands(info, info.bands.names)
        for info in (opened.subbands, opened.spectra):
            opened.cube.grid.require_same(info.grid, str(info.path))
        low_pass_places(opened.subbands.bands.names, opened.bands, str(subbands))
        for band in opened.bands:
            detail_places(opened.subbands, band)
        return opened

    @property
    def bands(self) -> tuple[str, ...]:
        """Names of the bands that are learned from."""
        return self.cube.bands.names

    @property
    def angle_bands(self) -> tuple[str, ...]:
        """Names of the bands that angles are taken on: those that the spectra have, too."""
        return tuple(name for name in self.bands if name in self.spectra.bands.names)

    @property
    def sources(self) -> list[Path]:
        """The files to read, in the order in which `features` takes their blocks."""
        paths = [self.cube.path, self.subbands.path]
        return paths if self.spectra.path == self.cube.path else [*paths, self.spectra.path]

    @property
    def synthetic(self) -> bool:
        """Whether the cube says that it was simulated."""
        return is_synthetic(self.cube.tags)

    @property
    def ratios(self) -> list[BandRatio]:
        """The ratios that the features use."""
        return list_ratios(self.spectra.bands)

    @property
    def used_bands(self) -> dict[str, dict[str, float]]:
        """Centre and width (µm) of each band that a feature rests on.

        Bands to learn from go by their name, those of a ratio by the ratio and the place in it.
        """
        table = self.cube.bands
        used = {f"band {name}": _wavelength(table, place) for place, name in enumerate(table.names)}
        table = self.spectra.bands
        for ratio in self.ratios:
            for place, name in enumerate(ratio.bands, start=1):
                used[f"{ratio.name} {place}"] = _wavelength(table, table.names.index(name))
        return used

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the features."""
        return feature_names(self.bands, self.ratios)

    def spectra_of(self, blocks: Sequence[np.ndarray], inner: tuple[slice, slice]) -> np.ndarray:
        """The block that ratios and angles are taken of, without its surroundings."""
        return blocks[len(self.sources) - 1 if len(self.sources) > 2 else 0][(slice(None), *inner)]

    def features(self, blocks: Sequence[np.ndarray], inner: tuple[slice, slice]) -> np.ndarray:
        """Features (features, rows, columns), NaN where there are none."""
        cube, subbands = blocks[:2]
        spectra = blocks[2] if len(self.sources) > 2 else cube
        places = [detail_places(self.subbands, band) for band in self.bands]
        return make_features(
            cube,
            subbands[low_pass_places(self.subbands.bands.names, self.bands, "")],
            np.stack([subbands[own] for own in places]),
            dict(zip(self.spectra.bands.names, spectra, strict=True)),
            self.ratios,
            inner,
        )


def _wavelength(table: BandTable, place: int) -> dict[str, float | None]:
    """Centre and width of a band, None where it has none."""
    return {
        "centre_um": table.centre_um[place] if table.centre_um else None,
        "fwhm_um": table.fwhm_um[place] if table.fwhm_um else None,
    }


def detail_places(subbands: RasterInfo, band: str) -> list[int]:
    """Where the detail sub-bands of a band stand ("4 LH", or "4 LH1" … with several levels)."""
    named = re.compile(rf"{re.escape(band)} ({'|'.join(DETAILS)})[0-9]*")
    places = [place for place, name in enumerate(subbands.bands.names) if named.fullmatch(name)]
    if len(places) < len(DETAILS):
        raise InputError(
            f"{subbands.path}: lacks a detail sub-band ({' '.join(DETAILS)}) of band {band}; "
            "transform the band again"
        )
    return places


@dataclass(frozen=True)
class Rival:
    """A fixed map that the score is compared with: larger values speak for the zone.

    `values` turns the spectra (bands, rows, columns) of a block into (rows, columns).
    """

    name: str
    values: Callable[[np.ndarray], np.ndarray]


def list_rivals(
    scene: Scene, zone: str, references: References | None, minerals: Sequence[str]
) -> list[Rival]:
    """The band ratios of a zone and, with references, the spectral angle to its minerals."""
    names = scene.spectra.bands.names
    rivals = [
        Rival(f"ratio {ratio.formula}", lambda block, ratio=ratio: band_ratio(block, names, ratio))
        for ratio in zone_ratios(scene.spectra.bands, zone)
    ]
    if references is not None and minerals and len(scene.angle_bands) > 1:
        places = find_bands(scene.spectra, scene.angle_bands)
        spectra = _align(references, scene, minerals)

        def nearness(block: np.ndarray) -> np.ndarray:
            return -map_angles(np.ascontiguousarray(block[places]), spectra)[1]

        rivals.append(Rival("SAM", nearness))
    return rivals


def _align(references: References, scene: Scene, minerals: Sequence[str]) -> np.ndarray:
    table = scene.spectra.bands
    names = scene.angle_bands
    places = find_bands(scene.spectra, names)
    own = replace(
        table,
        names=names,
        centre_um=tuple(table.centre_um[place] for place in places) if table.centre_um else (),
        fwhm_um=tuple(table.fwhm_um[place] for place in places) if table.fwhm_um else (),
    )
    kept = [place for place, band in enumerate(references.band) if band in names]
    part = References(
        references.names,
        tuple(references.band[place] for place in kept),
        references.wavelength_um[kept],
        references.fwhm_um[kept],
        references.reflectance[:, kept],
    )
    return align_references(part, minerals, own, "references")


@dataclass(frozen=True, kw_only=True)
class Options:
    """How a score is trained and tested; see the tool's flags."""

    bootstrap: Bootstrap
    folds: int
    buffer_px: int
    per_class: int
    threads: int

    def check(self) -> None:
        """Raise InputError for numbers that cannot be used."""
        require_least("folds", self.folds, 2)
        require_least("per-class", self.per_class, 50)
        require_buffer(self.buffer_px, self.bootstrap.spatial_block_px)


@dataclass(frozen=True)
class _Survey:
    """What the first pass gives: the sample, and tested pixels per spatial block and class.

    `sample.features` holds the features, then the values of every rival of every zone.
    """

    sample: TrainingSample
    counts: np.ndarray
    conflicts: int


def _inner_window(grown: Window, inner: tuple[slice, slice]) -> Window:
    rows, columns = inner
    return Window(
        int(grown.col_off) + columns.start,
        int(grown.row_off) + rows.start,
        columns.stop - columns.start,
        rows.stop - rows.start,
    )


def _codes(known: np.ndarray, features: np.ndarray, inner: tuple[slice, slice]) -> tuple:
    """Codes of the pixels that can be tested, UNTESTED elsewhere; and how many were disputed."""
    known = known[0][inner]
    valid = np.isfinite(features).all(axis=0)
    return np.where(valid & (known >= 0), known, UNTESTED), int((valid & (known == CONFLICT)).sum())


def _survey(
    scene: Scene,
    truth: ZoneTruth,
    rivals: Mapping[str, Sequence[Rival]],
    options: Options,
) -> _Survey:
    strata = len(truth.names) + 1
    spatial = options.bootstrap.over(scene.cube.grid.shape)
    counts = np.zeros((*spatial.counts, strata), np.int64)

    def look(inner: tuple[slice, slice], *arrays: np.ndarray) -> tuple:
        *blocks, known, grown = arrays
        window = _inner_window(grown, inner)
        features = scene.features(blocks, inner)
        codes, disputed = _codes(known, features, inner)
        spectra = scene.spectra_of(blocks, inner)
        others = [rival.values(spectra) for own in rivals.values() for rival in own]
        row, column = int(window.row_off), int(window.col_off)
        sample = draw_training(
            [features, *[other[None] for other in others]],
            codes,
            options.per_class,
            options.bootstrap.seed,
            row,
            column,
        )
        place = spatial.window(codes.shape, row, column)
        tested = codes >= 0
        found = np.bincount(
            place.number[tested] * strata + codes[tested], minlength=place.count * strata
        )
        return place, found.reshape(*place.shape, strata), sample, disputed

    sample, conflicts = None, 0
    for _, (place, found, drawn, disputed) in iter_blocks(
        look,
        [*scene.sources, truth.read, lambda window: window],
        block_px=WINDOW_PX,
        threads=options.threads,
        halo=HALO_PX,
        progress="training pixels",
    ):
        counts[place.slices] += found
        conflicts += disputed
        sample = drawn if sample is None else merge_training([sample, drawn], options.per_class)
    return _Survey(sample, counts, conflicts)


@dataclass(frozen=True)
class FixedMap:
    """A raster of codes that learned nothing, with which the score of a zone is compared.

    `kind` begins the names of its methods, such as "rule 4 medium".
    """

    kind: str
    path: Path
    bands: tuple[str, ...]
    levels: Mapping[str, tuple[int, ...]]

    @property
    def names(self) -> list[str]:
        """Names of the counts of its bands' codes."""
        return [f"codes {self.kind} {band} {next(iter(self.levels))}" for band in self.bands]


@dataclass(frozen=True)
class _ZonePlan:
    """A zone's code, models, folds per spatial block, fixed maps, and its methods' thresholds."""

    zone: str
    code: int
    models: ZoneModels
    fold: np.ndarray
    maps: Sequence[FixedMap]
    edges: dict[str, np.ndarray]


def _train(
    scene: Scene,
    truth: ZoneTruth,
    survey: _Survey,
    zones: Sequence[str],
    rivals: Mapping[str, Sequence[Rival]],
    maps: Mapping[str, Sequence[FixedMap]],
    options: Options,
) -> tuple[Standardisation, list[_ZonePlan]]:
    sample = survey.sample
    spatial = options.bootstrap.over(scene.cube.grid.shape)
    population = survey.counts.sum(axis=(0, 1))
    sampled = np.bincount(sample.stratum, minlength=len(population))
    weight = (population / np.maximum(sampled, 1))[sample.stratum]
    size = len(scene.names)
    standardisation = standardise(sample.features[:, :size], weight)
    standardised = standardisation.apply(sample.features[:, :size].T.copy())
    plans, first = [], size
    for zone in zones:
        code = truth.code(zone)
        zone_counts, tested = survey.counts[..., code], survey.counts.sum(axis=-1)
        require_zone(int(zone_counts.sum()), int(tested.sum()), zone, truth)
        holding = int((zone_counts > 0).sum())
        folds = min(options.folds, holding)
        if folds < 2:
            raise InputError(
                f"{truth.file}: the zone '{zone}' lies in one spatial block of "
                f"{spatial.side_px} pixels, so none is left to test on; choose smaller blocks"
            )
        fold = assign_folds(zone_counts, tested, folds)
        touched = touched_folds(sample.row, sample.column, fold, spatial, options.buffer_px, folds)
        own = fold[spatial.cell(sample.row, sample.column)]
        try:
            models = train_zone(
                standardised, sample.stratum == code, weight, touched, own, options.threads
            )
        except InputError as error:
            raise InputError(f"zone {zone}: {error}") from error
        edges = {"score": PROBABILITY_EDGES}
        for rival in rivals[zone]:
            edges[rival.name] = choose_edges(sample.features[:, first])
            first += 1
        for item in maps[zone]:
            edges |= dict.fromkeys(item.names, np.array([MEDIUM, HIGH], np.float32))
        plans.append(_ZonePlan(zone, code, models, fold, maps[zone], edges))
    return standardisation, plans


class _Tally:
    """Counts per zone and method: (block rows, block columns, thresholds reached, 2)."""

    def __init__(self, plans: Sequence[_ZonePlan], spatial: SpatialBlocks):
        kind = np.uint16 if spatial.side_px <= 255 else np.uint32
        self.counts = {
            (plan.zone, name): np.zeros((*spatial.counts, len(edges) + 1, 2), kind)
            for plan in plans
            for name, edges in plan.edges.items()
        }
        self._lock = threading.Lock()

    def add(
        self,
        key: tuple[str, str],
        values: np.ndarray,
        edges: np.ndarray,
        inside: np.ndarray,
        tested: np.ndarray,
        places: BlockWindow,
    ) -> None:
        """Add the tested pixels of a window; values that are not finite reach no threshold."""
        steps = len(edges) + 1
        found = values[tested]
        found = np.where(np.isfinite(found), found, -np.inf)
        cell = (places.number[tested] * steps + place_scores(found, edges)) * 2 + inside[tested]
        counts = np.bincount(cell, minlength=places.count * steps * 2)
        counts = counts.reshape(*places.shape, steps, 2)
        # Whole numbers: their sum does not depend on the order in which threads come.
        with self._lock:
            self.counts[key][places.slices] += counts.astype(self.counts[key].dtype)


def _score_layers(
    scene: Scene,
    zones: Sequence[str],
    outputs: Sequence[Path],
    held_out: bool,
    origin: Mapping | None = None,
) -> list[Layer]:
    tags = {**scene.cube.tags, "METHOD": METHOD}
    if origin is not None:
        tags["TRAINED_ON"] = origin["scene"]
        tags["TRAINED_ON_SYNTHETIC"] = "yes" if origin["synthetic"] else "no"
    return [
        Layer(
            path,
            "float32",
            np.nan,
            (zone, f"{zone} held out") if held_out else (zone,),
            tags={**tags, "ZONE": zone},
        )
        for zone, path in zip(zones, outputs, strict=True)
    ]


def _map(
    scene: Scene,
    truth: ZoneTruth,
    standardisation: Standardisation,
    plans: Sequence[_ZonePlan],
    rivals: Mapping[str, Sequence[Rival]],
    maps: Mapping[str, Sequence[FixedMap]],
    outputs: Sequence[Path],
    options: Options,
) -> dict[tuple[str, str], np.ndarray]:
    """Write the score rasters and return the counts of all methods."""
    spatial = options.bootstrap.over(scene.cube.grid.shape)
    tally = _Tally(plans, spatial)
    models = [model for plan in plans for model in (plan.models.final, *plan.models.folds)]
    paths = list(dict.fromkeys(item.path for own in maps.values() for item in own))

    def make(inner: tuple[slice, slice], *arrays: np.ndarray) -> list[np.ndarray]:
        number = len(scene.sources)
        blocks, codes_of = arrays[:number], dict(zip(paths, arrays[number:], strict=False))
        *_, known, grown = arrays
        window = _inner_window(grown, inner)
        features = scene.features(blocks, inner)
        codes, _ = _codes(known, features, inner)
        tested = codes >= 0
        places = spatial.window(codes.shape, int(window.row_off), int(window.col_off))
        scores = predict_block(features, standardisation, models)
        spectra = scene.spectra_of(blocks, inner)
        results, first = [], 0
        for plan in plans:
            inside = codes == plan.code
            final = scores[first]
            folds = scores[first + 1 : first + 1 + len(plan.models.folds)]
            first += 1 + len(plan.models.folds)
            fold = plan.fold[places.slices].ravel()[places.number]
            # A block without ground truth trained no model, so the final one is held out from it.
            held = np.take_along_axis(folds, np.maximum(fold, 0)[None].astype(np.intp), 0)[0]
            held = np.where(fold >= 0, held, final)
            results.append(np.stack([final, held]))

            def add(name: str, values: np.ndarray, plan=plan, inside=inside) -> None:
                tally.add((plan.zone, name), values, plan.edges[name], inside, tested, places)

            add("score", held)
            for rival in rivals[plan.zone]:
                add(rival.name, rival.values(spectra))
            for item in maps[plan.zone]:
                for place, name in enumerate(item.names):
                    add(name, codes_of[item.path][(slice(None), *inner)][place])
        return results

    map_blocks(
        make,
        [
            *scene.sources,
            *paths,
            truth.read,
            lambda window: window,
        ],
        _score_layers(scene, [plan.zone for plan in plans], outputs, held_out=True),
        block_px=WINDOW_PX,
        threads=options.threads,
        halo=HALO_PX,
        progress="score",
    )
    return tally.counts


def predict_block(
    features: np.ndarray, standardisation: Standardisation, models: Sequence[Model]
) -> np.ndarray:
    """Probabilities (models, rows, columns) of a block of features, which are overwritten.

    NaN where there are no features.
    """
    flat = standardisation.apply(features.reshape(len(features), -1))
    return predict(flat, models).reshape(len(models), *features.shape[1:])


def score_scene(
    scene: Scene,
    truth: ZoneTruth,
    zones: Sequence[str],
    outputs: Sequence[Path],
    *,
    name: str,
    references: References | None,
    minerals: Mapping[str, Sequence[str]],
    maps: Sequence[tuple[str, ZoneMap]],
    options: Options,
) -> tuple[dict, list[dict], dict[str, dict]]:
    """Train, write and test the score of each zone.

    `minerals` are the reference spectra of each zone for SAM, `maps` fixed maps of zones with
    their kind (RULE or PUBLISHED); both may lack zones. Returns the record, the rows of the
    curves (CURVE_COLUMNS) and the accuracy records by file name.
    """
    options.check()
    rivals = {zone: list_rivals(scene, zone, references, minerals.get(zone, ())) for zone in zones}
    fixed = {
        zone: [
            FixedMap(kind, item.path, item.bands, item.levels)
            for kind, item in maps
            if item.zone == zone
        ]
        for zone in zones
    }
    for zone in zones:
        truth.code(zone)
    survey = _survey(scene, truth, rivals, options)
    tested = survey.counts.sum(axis=(0, 1))
    if not tested.sum():
        raise InputError(
            f"{truth.file}: no clear pixel of {scene.cube.path} has ground truth; check both"
        )
    standardisation, plans = _train(scene, truth, survey, zones, rivals, fixed, options)
    counts = _map(
        scene,
        truth,
        standardisation,
        plans,
        rivals,
        fixed,
        outputs,
        options,
    )
    record = {
        "scene": name,
        "method": METHOD,
        "assessed": True,
        "synthetic": scene.synthetic or bool(truth.synthetic),
        "bands": list(scene.bands),
        "spectra": scene.spectra.path.name,
        **_describe_ground(scene),
        "reference": {
            "file": truth.file,
            "kind": truth.kind,
            "note": truth.note,
            "n_conflicting": survey.conflicts,
        },
        "block_px": options.bootstrap.spatial_block_px,
        "buffer_px": options.buffer_px,
        "per_class": options.per_class,
        "seed": options.bootstrap.seed,
        "bootstrap": options.bootstrap.replicates,
        "features": list(scene.names),
        "standardisation": {
            "mean": standardisation.mean.tolist(),
            "scale": standardisation.scale.tolist(),
            "clip": CLIP,
        },
        "ratio_floor": RATIO_FLOOR,
        "inverse_penalty": INVERSE_PENALTY,
        "rules": RULES,
        "zones": [],
    }
    rows: list[dict] = []
    records: dict[str, dict] = {}
    for plan in plans:
        own = {
            method: found.reshape(-1, *found.shape[2:])
            for (zone, method), found in counts.items()
            if zone == plan.zone
        }
        comparison = _Comparison(plan, own, options)
        record["zones"].append(comparison.describe())
        rows += comparison.curve_rows()
        records |= comparison.accuracy_records(
            scene=name,
            truth=truth,
            synthetic=scene.synthetic,
            conflicts=survey.conflicts,
        )
    return record, rows, records


def _describe_ground(scene: Scene) -> dict:
    """What the features of a scene rest on, for its record and for scenes that use its models."""
    return {
        "angle_bands": list(scene.angle_bands),
        "ratios": {ratio.name: ratio.formula for ratio in scene.ratios},
        "ratios_left_out": missing_ratios(scene.spectra.bands),
        "wavelengths": scene.used_bands,
        "corrections": {
            "cube": _corrections(scene.cube),
            "spectra": _corrections(scene.spectra),
        },
    }


def _corrections(info: RasterInfo) -> dict[str, str | None]:
    """How a cube was corrected, as its tags say."""
    return {name.lower(): info.tags.get(name) for name in ("ATMOSPHERE", "NORMALISATION")}


class _Comparison:
    """Scores of all methods on the tested pixels of one zone."""

    def __init__(self, plan: _ZonePlan, counts: Mapping[str, np.ndarray], options: Options):
        self.plan = plan
        self.options = options
        self.bootstrap = options.bootstrap
        fold = plan.fold.ravel()
        kept = fold >= 0
        self.fold = fold[kept]
        self.counts = {name: found[kept] for name, found in counts.items()}
        self.folds = len(plan.models.folds)
        self._read_rules()
        names = list(self.counts)
        self.ratios = [name for name in names if name.startswith("ratio ")]
        self.rules = [name for name in names if name.startswith(f"{RULE} ")]
        self.published = [name for name in names if name.startswith(f"{PUBLISHED} ")]
        self.confusion: dict[str, np.ndarray] = {}
        self.thresholds: dict[str, list[float] | None] = {}
        self.chosen: dict[str, list[str]] = {}
        self._curves: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self._cut()

    def _read_rules(self) -> None:
        """Turn the counts of the fixed maps' codes (0, 1, 2) into counts of levels (no, yes)."""
        for item in self.plan.maps:
            for band, name in zip(item.bands, item.names, strict=True):
                codes = self.counts.pop(name)
                for level, members in item.levels.items():
                    found = codes[:, list(members)].sum(axis=1, dtype=np.int64)
                    missed = codes.sum(axis=1, dtype=np.int64) - found
                    counts = np.stack([missed, found], axis=1)
                    self.counts[f"{item.kind} {band} {level}"] = counts

    def _training(self, name: str, fold: int) -> np.ndarray:
        return self.counts[name][self.fold != fold].sum(axis=0, dtype=np.int64)

    def _curve(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Counts of a method over all blocks, and those of the bootstrap samples."""
        if name not in self._curves:
            self._curves[name] = (
                self.counts[name].sum(axis=0, dtype=np.int64),
                self.bootstrap.resample(self.counts[name]),
            )
        return self._curves[name]

    def _samples(self, name: str) -> Scores:
        """Scores of a method's map in the bootstrap samples."""
        return score_confusion(self.bootstrap.resample(self.confusion[name]))

    def _cut(self) -> None:
        edges = self.plan.edges
        learned = {"score": self.plan.models.thresholds}
        for name in [*self.ratios, *(["SAM"] if "SAM" in self.counts else [])]:
            learned[name] = np.array(
                [edges[name][best_threshold(self._training(name, k))] for k in range(self.folds)]
            )
        for name, thresholds in learned.items():
            steps = np.searchsorted(edges[name], thresholds, side="right")
            self.confusion[name] = cut_counts(self.counts[name], steps[self.fold])
            self.thresholds[name] = [float(value) for value in thresholds]
        for name in (*self.rules, *self.published):
            self.confusion[name] = cut_counts(self.counts[name], np.ones(len(self.fold), int))
            self.thresholds[name] = None
        for name, among in (("best ratio", self.ratios), ("best rule", self.rules)):
            if among:
                self._choose(f"{name} on training blocks", among)
        for kind, among in ((RULE, self.rules), (PUBLISHED, self.published)):
            if among:
                best = max(among, key=lambda name: self._f1(self.confusion[name]))
                name = f"best {kind} in hindsight"
                self.confusion[name] = self.confusion[best]
                self.thresholds[name] = None
                self.chosen[name] = [best]

    @staticmethod
    def _f1(blocks: np.ndarray) -> float:
        value = float(score_confusion(blocks.sum(axis=0)).f1[1])
        return value if math.isfinite(value) else 0.0

    def _choose(self, name: str, among: Sequence[str]) -> None:
        """In each fold the method of best F1 on the other folds."""
        picked = []
        blocks = np.empty((len(self.fold), 2, 2), np.int64)
        for fold in range(self.folds):
            best = [self._training_f1(item, fold) for item in among]
            picked.append(among[int(np.argmax(best))])
            here = self.fold == fold
            blocks[here] = self.confusion[picked[-1]][here]
        self.confusion[name] = blocks
        self.thresholds[name] = None
        self.chosen[name] = picked

    def _training_f1(self, name: str, fold: int) -> float:
        f1 = np.nan_to_num(sweep_thresholds(self._training(name, fold)).f1)
        return float(f1.max())

    def describe(self) -> dict:
        """The zone's part of the record."""
        models = self.plan.models
        place = best_threshold(self._curve("score")[0])
        score = score_confusion(self.confusion["score"].sum(axis=0))
        confusion = self.confusion["score"]
        return {
            "zone": self.plan.zone,
            "code": self.plan.code,
            "n": int(confusion.sum()),
            "n_reference": int(confusion[:, 1].sum()),
            "n_blocks": int(confusion.any(axis=(1, 2)).sum()),
            "n_zone_blocks": int(confusion[:, 1].any(axis=1).sum()),
            "folds": self.folds,
            "threshold": float(PROBABILITY_EDGES[place]),
            "model": _describe_model(models.final),
            "fold_models": [
                {
                    **_describe_model(model),
                    "threshold": float(models.thresholds[k]),
                    "training_pixels": models.pixels[k],
                    "training_zone_pixels": models.zone_pixels[k],
                }
                for k, model in enumerate(models.folds)
            ],
            "methods": [self._describe_method(name) for name in self.confusion],
            "comparisons": [
                self._compare(name, float(score.f1[1]))
                for name in self.confusion
                if name == "SAM" or name.startswith(("best ", f"{PUBLISHED} "))
            ],
        }

    def _describe_method(self, name: str) -> dict:
        blocks = self.confusion[name]
        weights = weigh_blocks(blocks)
        point = score_confusion(blocks.sum(axis=0))
        spread = self._samples(name)

        def value(name: str, place: int | None = None, kind: Kind = Kind.SHARE) -> dict:
            own = (getattr(part, name) for part in (point, spread, weights))
            return estimate(*(part if place is None else part[..., place] for part in own), kind)

        total = blocks.sum(axis=0)
        average = None
        if name == "score" or name == "SAM" or name in self.ratios:
            counts, samples = self._curve(name)
            average = estimate(
                average_precision(counts), average_precision(samples), weights.recall[:, 1]
            )
        return {
            "method": name,
            "chosen": self.chosen.get(name),
            "thresholds": self.thresholds[name],
            "n": int(total.sum()),
            "n_reference": int(total[1].sum()),
            "found": int(total[:, 1].sum()),
            "right": int(total[1, 1]),
            "precision": value("precision", 1),
            "recall": value("recall", 1),
            "f1": value("f1", 1),
            "kappa": value("kappa", kind=Kind.AGREEMENT),
            "overall_accuracy": value("overall"),
            "average_precision": average,
        }

    def _compare(self, other: str, f1: float) -> dict:
        """The score beside another method, from the same redrawn blocks: F1, other measures."""
        samples = [self._samples(name).f1[:, 1] for name in ("score", other)]
        theirs = self._f1(self.confusion[other])
        # The pair rests on the blocks of the one that has fewer of them.
        weights = min(
            (weigh_blocks(self.confusion[name]).f1[:, 1] for name in ("score", other)),
            key=lambda own: float(effective_blocks(own)),
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = samples[0] / samples[1]
        return {
            "other": other,
            "f1_ratio": estimate(
                f1 / theirs if theirs > 0 else math.nan, ratios, weights, Kind.RATIO
            ),
            "f1_difference": estimate(
                f1 - theirs, samples[0] - samples[1], weights, Kind.DIFFERENCE
            ),
            "differences": self._differences(other),
        }

    def _differences(self, other: str) -> dict[str, dict]:
        """The score's measures less another method's, from the same redrawn blocks."""
        maps = (self.confusion[other], self.confusion["score"])
        rows = compare_blocks(*maps, [self.plan.zone], self.bootstrap)
        return {row["measure"]: row["difference"] for row in rows}

    def curve_rows(self) -> list[dict]:
        """Rows of the curves: each threshold, the operating points and the rule's points."""
        rows, fixed = [], {*self.rules, *self.published}
        for name in self.counts:
            if name in fixed:
                continue
            total, samples = self._curve(name)
            curve, spread = sweep_thresholds(total), sweep_thresholds(samples)
            of_blocks = sweep_thresholds(self.counts[name])
            holding = self.counts[name][..., 1].sum(axis=-1)
            for place, edge in enumerate(self.plan.edges[name]):
                rows.append(
                    self._row(
                        name,
                        "curve",
                        float(edge),
                        total,
                        int(curve.found[place]),
                        int(curve.right[place]),
                        [spread.precision[:, place], spread.recall[:, place]],
                        (of_blocks.found[:, place], holding),
                    )
                )
        for name, blocks in self.confusion.items():
            total = blocks.sum(axis=0)
            spread, weights = self._samples(name), weigh_blocks(blocks)
            rows.append(
                self._row(
                    name,
                    name.split()[0] if name in fixed else "operating",
                    None,
                    total,
                    int(total[:, 1].sum()),
                    int(total[1, 1]),
                    [spread.precision[:, 1], spread.recall[:, 1]],
                    (weights.precision[:, 1], weights.recall[:, 1]),
                )
            )
        return rows

    def _row(
        self,
        name: str,
        kind: str,
        threshold: float | None,
        total: np.ndarray,
        found: int,
        right: int,
        spread: Sequence[np.ndarray],
        weights: Sequence[np.ndarray],
    ) -> dict:
        inside = int(total[..., 1].sum()) if kind == "curve" else int(total[1].sum())
        precision = estimate(right / found if found else math.nan, spread[0], weights[0])
        recall = estimate(right / inside, spread[1], weights[1])
        return {
            "zone": self.plan.zone,
            "method": name,
            "kind": kind,
            "threshold": threshold,
            "n": int(total.sum()),
            "n_reference": inside,
            "found": found,
            "right": right,
            "precision": precision["value"],
            "precision_low": precision["low"],
            "precision_high": precision["high"],
            "recall": recall["value"],
            "recall_low": recall["low"],
            "recall_high": recall["high"],
            "f1": rounded(2 * right / (found + inside)),
        }

    def accuracy_records(
        self, *, scene: str, truth: ZoneTruth, synthetic: bool, conflicts: int
    ) -> dict[str, dict]:
        """Accuracy records of the score and of what it is compared with, by file name."""
        split = (
            f"spatial blocks of {self.bootstrap.spatial_block_px} pixels in {self.folds} folds; "
            "each block is tested with what was learned on the other folds"
        )
        named = {
            "score": (
                METHOD,
                f"{split}, without the pixels within {self.options.buffer_px} pixels of it",
            ),
            "SAM": ("Spectral Angle Mapper, threshold learned", split),
            "best ratio on training blocks": ("Band ratio, chosen and cut by learning", split),
            "best rule on training blocks": ("Fixed ranges, band and level learned", split),
        }
        return {
            f"{self.plan.zone}-{name.split(' on ')[0].replace(' ', '-').lower()}.json": zone_record(
                self.confusion[name],
                scene=scene,
                method=f"{title}, {self.plan.zone}",
                zone=self.plan.zone,
                code=self.plan.code,
                truth=truth,
                synthetic=synthetic,
                conflicts=conflicts,
                bootstrap=self.bootstrap,
                split=part,
            )
            for name, (title, part) in named.items()
            if name in self.confusion
        }


def cut_counts(counts: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """Confusion matrices (blocks, 2, 2) of "at least `steps` thresholds reached".

    `counts` (blocks, edges + 1, 2) as from `count_scores`, `steps` (blocks,).
    """
    above = np.arange(counts.shape[1])[None, :] >= steps[:, None]
    found = np.where(above[..., None], counts, 0).sum(axis=1, dtype=np.int64)
    missed = counts.sum(axis=1, dtype=np.int64) - found
    return np.stack([missed, found], axis=-1)


def _describe_model(model: Model) -> dict:
    return {"intercept": model.intercept, "coefficients": model.coefficients.tolist()}


# ---- a model from another scene --------------------------------------------------------------


def apply_record(
    scene: Scene,
    record: Mapping,
    path: Path,
    zones: Sequence[str],
    outputs: Sequence[Path],
    *,
    name: str,
    threads: int,
) -> dict:
    """Write the scores of a scene by the models of another scene's record; return its record.

    Nothing can be tested here, and the record says so. Raises InputError for a record without
    models of the zones, made of other features, at other wavelengths or after other corrections.
    """
    try:
        known = {item["zone"]: item for item in record["zones"]}
        features = tuple(record["features"])
        standardisation = Standardisation(
            np.array(record["standardisation"]["mean"], float),
            np.array(record["standardisation"]["scale"], float),
        )
        items = [
            {key: known[zone][key] for key in ("zone", "code", "threshold", "model")}
            for zone in zones
            if zone in known
        ]
        models = [
            Model(float(item["model"]["intercept"]), np.array(item["model"]["coefficients"], float))
            for item in items
        ]
        wavelengths = {
            key: (item["centre_um"], item["fwhm_um"]) for key, item in record["wavelengths"].items()
        }
        corrections = {key: dict(item) for key, item in record["corrections"].items()}
        bands = tuple(record["bands"])
        origin = record.get("trained_on") or {
            "scene": str(record["scene"]),
            "synthetic": bool(record["synthetic"]),
        }
        origin = {"scene": str(origin["scene"]), "synthetic": bool(origin["synthetic"])}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not a record of score_alteration.py; train one") from error
    missing = [zone for zone in zones if zone not in known]
    if missing:
        raise InputError(
            f"{path}: has no model of the zone {', '.join(missing)} (it has: {', '.join(known)})"
        )
    if features != scene.names or any(len(m.coefficients) != len(features) for m in models):
        theirs = " ".join(bands)
        raise InputError(
            f"{path}: its model reads other features than the bands {' '.join(scene.bands)} "
            f"give (it was trained on {theirs}); train it on the same bands"
        )
    _require_same_ground(scene, wavelengths, corrections, path)

    def make(inner: tuple[slice, slice], *blocks: np.ndarray) -> list[np.ndarray]:
        scores = predict_block(scene.features(blocks, inner), standardisation, models)
        return list(scores[:, None])

    map_blocks(
        make,
        scene.sources,
        _score_layers(scene, zones, outputs, held_out=False, origin=origin),
        block_px=WINDOW_PX,
        threads=threads,
        halo=HALO_PX,
        progress="score",
    )
    reason = (
        f"The models were trained on the scene {origin['scene']}; this scene has no "
        "truth, so no accuracy can be stated and the probabilities are not calibrated for it."
    )
    return {
        **unassessed_record(scene=name, method=METHOD, synthetic=scene.synthetic, reason=reason),
        "trained_on": {**origin, "file": path.name},
        "bands": list(scene.bands),
        **_describe_ground(scene),
        "features": list(features),
        "standardisation": record["standardisation"],
        "zones": items,
    }


def _require_same_ground(
    scene: Scene,
    wavelengths: Mapping[str, tuple[float | None, float | None]],
    corrections: Mapping[str, Mapping],
    path: Path,
) -> None:
    """InputError where features of one name rest on other wavelengths or other corrections."""
    for key, own in scene.used_bands.items():
        centre, width = wavelengths.get(key, (None, None))
        if not same_wavelength(own["centre_um"], centre, width):
            here, there = (
                "no wavelength" if value is None else f"{value:g} µm"
                for value in (own["centre_um"], centre)
            )
            raise InputError(
                f"{path}: its {key} is at {there}, here at {here}; train it on a scene of the same "
                "sensor"
            )
    for cube, said in _describe_ground(scene)["corrections"].items():
        for step, value in said.items():
            theirs = corrections.get(cube, {}).get(step)
            if theirs != value:
                raise InputError(
                    f"{path}: was trained on a {cube} with {step} {theirs or 'unknown'}, here it "
                    f"is {value or 'unknown'}; correct both scenes alike"
                )


def read_minerals(path: Path | None, minerals: Mapping[str, Sequence[str]]) -> References | None:
    """The reference spectra for SAM; InputError for a mineral that the table lacks."""
    if path is None:
        return None
    references = read_references(path)
    for zone, names in minerals.items():
        missing = [name for name in names if name not in references.names]
        if missing:
            raise InputError(
                f"{path}: has no spectrum {', '.join(missing)}, a mineral of the zone {zone}; take "
                "it out of the zone or add it to the references"
            )
    return references
