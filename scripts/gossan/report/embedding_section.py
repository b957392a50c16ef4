"""What the report says of one embedding of several sensors: map, methods, sets, abstention."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from gossan.cube.bands import COLUMNS, EXCLUDED_UM, HYPERSPECTRAL, SENSORS
from gossan.embedding.explanation import doubt_network, read_shares
from gossan.embedding.sensor_scores import (
    FULL,
    LIBRARY,
    MACRO,
    MAPPED,
    METHOD_LABELS,
    NEEDED_COLUMNS,
    ORACLE,
    SENSOR_LABELS,
    VALIDATION,
    Rows,
    lacks_hyperspectral,
    list_minerals,
    method_label,
    name_sensors,
    order_methods,
    parse_sensors,
    pick,
    similarities,
    subset_scores,
)
from gossan.errors import InputError
from gossan.files import read_json
from gossan.report.embedding_published import (
    beside_table,
    check_conclusions,
    count_conclusions,
    describe_beside,
    describe_ways,
    moved_tables,
)
from gossan.report.page import describe_mask, describe_scene
from gossan.report.phrases import (
    SPARSE,
    TOO_FEW,
    capitalise,
    card,
    count,
    in_text,
    join_words,
    part_of,
    percent,
    with_interval,
)
from gossan.report.sections import (
    Scene,
    Section,
    Source,
    common_answers,
    day_of,
    require_rows,
    truth_text,
)
from gossan.tables import number, read_table, value_of

FIGURE_TITLES = {
    "sensors": "Sensors present",
    "map": "Minerals, abstention and distance",
    "detection": "F1 by mineral and method",
    "subsets": "F1 of all sets of sensors",
    "similarity": "Embeddings with sensors missing",
    "gain": "Missing sensors filled in",
    "coverage": "Coverage and abstention",
    "training": "Training curves",
    "spectra": "Reference spectra",
}
TEST_FIGURES = ("detection", "subsets", "similarity", "gain", "coverage")
ANSWERS = (
    *("scene", "atmosphere", "normalisation", "sensors", "bands", "grid", "minerals"),
    *("library", "network", "masking", "threshold", "methods", "reference"),
)
"""Rows of a published set-up that this section answers."""

NETWORKS = {
    "masked": "Network, masking",
    "unmasked": "Network, no masking",
    "filler": "Masked autoencoder",
}


def network_folder(name: str) -> str:
    """Where a network of NETWORKS lies in the folder of the embedding."""
    return name if name == "filler" else f"networks/{name}"


TRAINED_ALONE = ("masked",)
"""Networks of a scene of one sensor: there is none to hide or to fill in."""
BASELINES = ("ocsvm", "isolation_forest")
EXPERTS = ("sam", "shape")
CLAIMED = ("alunite", "jarosite")
"""Minerals of which the paper prints scores."""
CLAIMED_RATIO = 2.0
TRIAL_METHODS = ("network", "sam")
MOST_SETS = 5
OVERALL = ("overall_accuracy", "kappa", "macro_f1")
RECONSTRUCTIONS = {
    "network": "autoencoder",
    "interpolation": "straight lines",
    "mean": "scaled mean spectrum",
}
ABSENCES = {"sensors": "it alone", "hyperspectral": "all hyperspectral sensors"}
COVERAGE_SHARES = ("named", "none", "several", "other_within")
CALIBRATED_ON = {VALIDATION: "validation pixels", LIBRARY: "library spectra"}


AREA_COLUMNS = ("name", "label", "pixels", "area_km2")
SENSOR_AREA_COLUMNS = ("sensors", "name", "pixels")
PIXEL_COLUMNS = ("region", "method", "mineral", "nearest", "within_threshold", "named")
COMPARISON_COLUMNS = (
    *("network", "threshold_kind", "mineral", "measure", "n", "n_mineral"),
    *("published", "own", "difference"),
)
MOVED_COLUMNS = ("network", "spectra", "missing", "mineral", "n", "cosine", "euclidean")
TRIAL_COLUMNS = (
    *("method", "sensors", "spectra", "mineral", "threshold_kind"),
    *("n", "n_mineral", "f1"),
)


@dataclass(frozen=True, kw_only=True)
class SensorScene(Scene):
    """A scene with the embedding of its sensors.

    `cube` is the record of the stack, `bands` the rows of its table of bands, `sensors` the record
    of each sensor's cube. `tables` maps what the scene has beside: rows of `areas` and
    `sensor_areas` (map_embedding), `detection`, `subsets`, `similarity` and `coverage`
    (assess_detectors), `comparison` and `moved` (compare_embeddings), `spectra` (library records
    that trained), and the records of the networks `masked`, `unmasked`, `filler` and
    `published_masked`. `trial` are scores and record of assess_spectra, `pixels`
    the summaries of name_spectra by collection: of the study, not of the scene.

    Raises InputError for a table of bands without rows.
    """

    bands: Rows
    sensors: Mapping[str, Mapping]
    tables: Mapping[str, Sequence | Mapping] = field(default_factory=dict)
    trial: tuple[Rows, Mapping] | None = None
    pixels: Mapping[str, Rows] = field(default_factory=dict)

    def __post_init__(self):
        """Refuse a stack without bands."""
        if not self.bands:
            raise InputError(f"{self.id}: its table of bands has no rows; stack the sensors again")

    @property
    def order(self) -> list[str]:
        """The sensors of the stack."""
        return [name for name in SENSORS if pick(self.bands, sensor=name)]

    @property
    def name(self) -> str:
        """The scene in words, such as "scene a (EMIT and PRISMA, 2024-07-06 to 2024-08-01)"."""
        facts = [name_sensors(self.order), self.days, *["SYNTHETIC"] * self.synthetic]
        return f"scene {self.id} ({', '.join(facts)})"

    @property
    def days(self) -> str:
        """When the sensors saw it, first and last day."""
        days = sorted(
            {day_of(item) for item in self.cube.get("sensors", [])} or {day_of(self.cube)}
        )
        return " to ".join(dict.fromkeys((days[0], days[-1])))

    def rows(self, name: str) -> Rows:
        """The rows of a table; none where the scene has no such table."""
        return self.tables.get(name, ())


def read_scene(source: Source) -> SensorScene:
    """Read what the section shows; InputError for a file that is missing or of another kind."""
    folder, stack = source.folder, source.scene_dir / "stack/cube"
    tables: dict[str, Sequence | Mapping] = {
        "areas": read_table(folder / "map/areas.csv", AREA_COLUMNS),
        "sensor_areas": read_table(folder / "map/sensor_areas.csv", SENSOR_AREA_COLUMNS),
        "spectra": read_table(folder / "library/records.csv", ()),
    }
    if source.holds("trained"):
        several = len(source.scene["stack"]) > 1
        for name in NETWORKS if several else TRAINED_ALONE:
            tables[name] = read_json(folder / network_folder(name) / "record.json")
    compared = source.holds("published", "trained")
    if compared:
        tables["comparison"] = read_table(
            folder / "published/comparison.csv", COMPARISON_COLUMNS if source.holds("truth") else ()
        )
        tables["moved"] = read_table(folder / "published/similarity.csv", MOVED_COLUMNS)
        tables["published_masked"] = read_json(
            folder / "published" / network_folder("masked") / "record.json"
        )
    tested = source.holds("truth", "trained")
    if tested:
        for name, columns in NEEDED_COLUMNS.items():
            tables[name] = read_table(folder / f"assessment/{name}.csv", columns)
    absent = {
        *(() if tested else TEST_FIGURES),
        *(() if source.holds("trained") else ("training",)),
    }
    bands = read_table(stack / "bands.csv", COLUMNS)
    known = [name for name in SENSORS if name in source.scene["stack"]]
    return SensorScene(
        id=source.id,
        cube=read_json(stack / "cube.json"),
        figures=source.figures([name for name in FIGURE_TITLES if name not in absent]),
        records=[
            record
            for place in ([""] if source.holds("trained") else [])
            + ["../published/accuracy"] * compared
            for record in source.records(place)
        ],
        bands=require_rows(stack / "bands.csv", bands),
        sensors={name: read_json(source.scene_dir / name / "cube/cube.json") for name in known},
        tables=tables,
        **_read_study(source),
    )


def _read_study(source: Source) -> dict:
    """The trial on real spectra and the named pixels, which belong to the study."""
    folder, found = source.study_dir / "embedding", {}
    if (source.own.get("spectra") or {}).get("training"):
        scores = read_table(folder / "spectra/scores.csv", TRIAL_COLUMNS)
        found["trial"] = scores, read_json(folder / "spectra/record.json")
    names = source.own.get("pixels") or {}
    pixels = {
        name: read_table(folder / f"pixels/{name}/summary.csv", PIXEL_COLUMNS) for name in names
    }
    return {**found, "pixels": pixels}


def make_section(scene: SensorScene, source: Source) -> Section:
    """The section of an embedding.

    A paper may have `detection` (its scores: `mineral`, `method`, `data`, `recall`, `f1`),
    `similarity` (`mineral`, `missing` sensors, `cosine`) and `bands` (how many it kept of each
    sensor).
    """
    return Section(
        "embedding",
        scene,
        {name: FIGURE_TITLES[name] for name in scene.figures},
        _context(scene, source.paper),
        [
            _found(scene),
            *verdicts(scene, source.paper),
            *doubt_network(scene.id, *read_shares(scene.rows("areas"))),
        ],
        _answers(scene),
        {key: value for key, value in scene.cube.items() if key != "bands"},
    )


def _found(scene: SensorScene) -> str:
    """How much of the scene has which minerals, and how well they were found."""
    text = f"In {scene.name}"
    areas = [row for row in scene.rows("areas") if row["name"] not in ("unclassified", "nodata")]
    parts = []
    if areas:
        whole = sum(int(row["pixels"]) for row in scene.rows("areas") if row["name"] != "nodata")
        named = sum(int(row["pixels"]) for row in areas)
        most = sorted(areas, key=lambda row: -int(row["pixels"]))[:3]
        kinds = join_words(
            [
                f"{row['label'].lower()} ({int(row['pixels']) / whole:.1%})"
                for row in most
                if int(row["pixels"])
            ]
        )
        share = f"{named / whole:.1%}" if whole else "none"
        parts.append(
            f"the network names a single mineral at {share} of {whole:,} pixels"
            + (f", most of all {kinds}" if kinds else "")
            + ", and abstains at the others"
        )
    row = _macro(scene, "masked")
    if row is not None:
        minerals = list_minerals(scene.rows("detection"))
        parts.append(
            f"on n = {_count(row)} test pixels, in blocks that chose no threshold, its F1 (the "
            "harmonic mean of how much of a mineral is found and how much of what is found is "
            f"right) is {_value(row, 'f1')} on average over {len(minerals)} minerals"
        )
        parts += [
            "as mapped, with abstentions, one class for each pixel, overall accuracy is "
            f"{with_interval(item['overall_accuracy'], without=TOO_FEW)}"
            for item in _named_rows(scene.records)
            if item["method"] == MAPPED
        ]
    else:
        parts.append("no accuracy can be stated, because there is no truth")
    return f"{text}, {'; '.join(parts)}."


def _macro(scene: SensorScene, method: str, kind: str = VALIDATION) -> Mapping[str, str] | None:
    return _row(scene.rows("detection"), method, MACRO, kind)


def _row(rows: Rows, method: str, mineral: str, kind: str = VALIDATION) -> Mapping[str, str] | None:
    return next(iter(pick(rows, method=method, mineral=mineral, threshold_kind=kind)), None)


def _count(row: Mapping[str, str]) -> str:
    return f"{int(float(row['n'])):,}"


def _value(row: Mapping[str, str] | None, name: str) -> str:
    return with_interval(value_of(row, name), without=TOO_FEW)


def verdicts(scene: SensorScene, paper: Mapping) -> list[str]:
    """What the tables allow to say of the methods, whichever way it turns out."""
    detection, subsets = scene.rows("detection"), scene.rows("subsets")
    sentences = [
        describe_winner(detection),
        describe_ratios(detection) if paper else "",
        describe_masking(subsets, scene.order),
        describe_beside(scene.rows("comparison")),
    ]
    return [sentence for sentence in sentences if sentence]


def describe_winner(rows: Rows) -> str:
    """Which method has the best mean F1, and where the network, SAM and the shape fit stand."""
    scored = sorted(
        (
            (value, method)
            for method in order_methods(rows)
            if (value := number(_row(rows, method, MACRO), "f1")) is not None
        ),
        key=lambda item: -item[0],
    )
    if not scored:
        return ""
    best, winner = scored[0]
    text = f"The best mean F1 is that of the {_method_words(winner)}, {best:.3f}"
    if len(scored) > 1:
        second, other = scored[1]
        text += (
            f"; next comes the {_method_words(other)}, {second:.3f}{_overlap(rows, winner, other)}"
        )
    text += "."
    network = next((value for value, method in scored if method == "masked"), None)
    experts = [(value, method) for value, method in scored if method in EXPERTS]
    if network is None or not experts:
        return text
    told = [
        f"the {_method_words(method)} {'beats' if value > network else 'stays below'} the masked "
        f"network ({value:.3f} against {network:.3f})"
        for value, method in experts
    ]
    return f"{text} {capitalise(join_words(told))}."


def _method_words(method: str) -> str:
    label = method_label(method)
    if method in ("masked", "unmasked", "filled"):
        return {
            "masked": "network with masking",
            "unmasked": "network without masking",
            "filled": "network with masking and absent sensors filled in",
        }[method]
    return in_text(label) if method in ("shape", "ocsvm") else label


def _overlap(rows: Rows, one: str, other: str) -> str:
    """Whether the intervals of two methods' mean F1 tell them apart."""
    first, second = (value_of(_row(rows, method, MACRO), "f1") for method in (one, other))
    if first["low"] is None or second["high"] is None:
        return " (without intervals to judge by)"
    if first["low"] <= second["high"]:
        return " (their 95 % intervals overlap)"
    return ", beyond both 95 % intervals"


def describe_ratios(rows: Rows, minerals: Sequence[str] = CLAIMED) -> str:
    """Whether the network's F1 is at least twice that of the one-class baselines."""
    sentences = []
    for mineral in minerals:
        own = number(_row(rows, "masked", mineral), "f1")
        others = {
            method: value
            for method in BASELINES
            if (value := number(_row(rows, method, mineral), "f1")) is not None
        }
        if own is None or not others:
            continue
        told = join_words(
            [
                f"{own / value:.2f} times that of the {_method_words(method)} ({value:.3f})"
                if value
                else f"beside 0 of the {_method_words(method)}"
                for method, value in others.items()
            ]
        )
        enough = own > 0 and own >= CLAIMED_RATIO * max(others.values())
        verdict = "at least twice each" if enough else "less than twice the better of them"
        sentences.append(
            f"For {mineral}, the masked network's F1 of {own:.3f} is {told}: {verdict}."
        )
    return " ".join(sentences)


def describe_masking(rows: Rows, available: Iterable[str] = SENSORS, kind: str = VALIDATION) -> str:
    """Whether the masked network beats the unmasked one where a spectrometer is missing."""
    available = list(available)
    compared = {
        sensors: (own["masked"], own["unmasked"])
        for sensors, own in subset_scores(rows, kind=kind).items()
        if "masked" in own and "unmasked" in own and lacks_hyperspectral(sensors, available)
    }
    if not compared:
        return ""
    lost = [sensors for sensors, (masked, unmasked) in compared.items() if masked <= unmasked]
    gains = [masked - unmasked for masked, unmasked in compared.values()]
    mean = sum(gains) / len(gains)
    text = (
        f"Of the {len(compared)} sets of sensors that lack a hyperspectral one, masking in "
        f"training beats no masking in {len(compared) - len(lost)} (by {mean:+.3f} in mean F1 on "
        "average)"
    )
    if not lost:
        return f"{text}: in every one."
    named = "; ".join(name_sensors(sensors) for sensors in lost[:MOST_SETS])
    more = f"; and {len(lost) - MOST_SETS} more" if len(lost) > MOST_SETS else ""
    return f"{text}, and does not with {named}{more}."


def _context(scene: SensorScene, paper: Mapping) -> dict:
    return {
        "cards": _cards(scene),
        "ranges": ", ".join(
            f"{low:.2f}–{high:.2f}" for low, high in scene.cube.get("excluded_um", EXCLUDED_UM)
        ),
        "trial": _trial_context(*scene.trial) if scene.trial else None,
        "collections": [
            _collection(name, region, [row for row in rows if row["region"] == region])
            for name, rows in scene.pixels.items()
            for region in dict.fromkeys(row["region"] for row in rows)
        ],
        "areas": _area_rows(scene),
        "combinations": _combination_rows(scene),
        "sensor_areas": _sensor_area_rows(scene),
        "detection": detection_table(
            scene.rows("detection"), paper.get("detection", []), _spectra_seen(scene.tables)
        ),
        "verdicts": verdicts(scene, paper),
        "published": _published_context(scene, paper),
        "tested": _tested(scene),
        "named": _named_rows(scene.records),
        "subsets": _subset_text(scene),
        "similarity": similarity_table(scene.rows("similarity"), paper.get("similarity", [])),
        "filler": _filler_context(scene),
        "coverage": _coverage_rows(scene.rows("coverage")),
        "coverage_text": describe_coverage(scene.rows("coverage")),
        "band_counts": count_bands(scene.bands, paper.get("bands", {})),
        "networks": [
            {"title": title, "facts": describe_network(scene.tables[name])}
            for name, title in NETWORKS.items()
            if name in scene.tables
        ],
        "library": list(scene.rows("spectra")),
        "products": [
            {
                "label": SENSOR_LABELS[name],
                "facts": describe_scene(
                    {key: value for key, value in record.items() if key not in ("notes", "bands")}
                ),
                "notes": list(record.get("notes", [])),
                "mask": describe_mask(record),
            }
            for name, record in scene.sensors.items()
        ],
        "stacked": [
            {
                **item,
                "label": SENSOR_LABELS.get(item["sensor"], item["sensor"]),
                "day": day_of(item),
            }
            for item in scene.cube.get("sensors", [])
        ],
    }


def _published_context(scene: SensorScene, paper: Mapping) -> dict | None:
    """Networks as published beside the study's own; None where there are none."""
    record = scene.tables.get("published_masked")
    if record is None:
        return None
    comparison, moved = scene.rows("comparison"), scene.rows("moved")
    conclusions = check_conclusions(comparison, moved, scene.rows("detection"), paper)
    return {
        "facts": describe_network(record),
        "ways": describe_ways(record.get("training") or {}),
        "seen": count(_triplets(record)),
        "seen_by_ours": count(_triplets(scene.tables.get("masked") or {})),
        "text": describe_beside(comparison),
        "beside": beside_table(comparison, paper.get("detection", [])),
        "moved": moved_tables(moved, paper.get("similarity", [])),
        "conclusions": conclusions,
        "conclusions_text": count_conclusions(conclusions),
    }


def _triplets(record: Mapping) -> int | None:
    """Triplets that a network learned from, by its record."""
    training = record.get("training") or {}
    return training["triplets"] * training["epochs"] if "triplets" in training else None


def _named_rows(records: Sequence[Mapping]) -> list[dict]:
    """Overall scores of the assessed records, in the order of the methods."""
    order = [MAPPED, *METHOD_LABELS.values()]
    rows = [
        {"method": item["method"], **{name: item["scores"][name] for name in OVERALL}}
        for item in records
        if item["assessed"]
    ]
    return sorted(
        rows,
        key=lambda row: order.index(row["method"]) if row["method"] in order else len(order),
    )


def _cards(scene: SensorScene) -> list[dict]:
    """The key numbers: mean F1 of the network and of its opponents."""
    rows = scene.rows("detection")
    cards = []
    for method in order_methods(rows):
        row = _row(rows, method, MACRO)
        value, label = value_of(row, "f1"), method_label(method)
        if value["value"] is not None:
            label = label if method in ("sam", "isolation_forest") else in_text(label)
            cards.append(card(f"Mean F1, {label}", value, _count(row)))
    return cards


def _area_rows(scene: SensorScene) -> list[dict]:
    rows = [row for row in scene.rows("areas") if row["name"] != "nodata"]
    whole = sum(int(row["pixels"]) for row in rows)
    return [
        {
            "label": "No single mineral" if row["name"] == "unclassified" else row["label"],
            "pixels": f"{int(row['pixels']):,}",
            "area": f"{float(row['area_km2']):,.2f}" if row["area_km2"] else SPARSE,
            "share": part_of(int(row["pixels"]), whole, 2),
        }
        for row in rows
    ]


def _combination_rows(scene: SensorScene) -> list[dict]:
    """Which sensors saw how many pixels together, most first."""
    total = scene.cube.get("pixels", {}).get("total") or 0
    return [
        {
            "sensors": name_sensors(item["sensors"]) or "none (no data)",
            "pixels": f"{item['pixels']:,}",
            "share": part_of(item["pixels"], total, 2),
        }
        for item in sorted(scene.cube.get("combinations", []), key=lambda item: -item["pixels"])
    ]


def _sensor_area_rows(scene: SensorScene) -> list[dict]:
    """Answers by the sensors present: share named, of none, of several."""
    rows = scene.rows("sensor_areas")
    found = []
    for sensors in dict.fromkeys(row["sensors"] for row in rows):
        own = pick(rows, sensors=sensors)
        pixels = {row["name"]: int(row["pixels"]) for row in own}
        whole = sum(pixels.values())
        none, several = pixels.get("none", 0), pixels.get("several", 0)
        found.append(
            {
                "sensors": "All pixels"
                if sensors == "all"
                else name_sensors(parse_sensors(sensors)),
                "pixels": whole,
                "named": part_of(whole - none - several, whole),
                "none": part_of(none, whole),
                "several": part_of(several, whole),
            }
        )
    return [
        {**row, "pixels": f"{row['pixels']:,}"}
        for row in sorted(found, key=lambda row: (row["sensors"] != "All pixels", -row["pixels"]))
    ]


def detection_table(
    rows: Rows, published: Sequence[Mapping], seen: Mapping[str, int] = MappingProxyType({})
) -> list[dict]:
    """Table 1: a group of rows for each mineral, a row per method, with the paper's scores beside.

    The mean of the minerals comes first, then the minerals of the paper; these groups `lead`, as
    all do where the paper has none. Minerals without a test are left out. `seen` are the spectra
    of all minerals that a network learned from, by its method.
    """
    printed = list(dict.fromkeys(entry["mineral"] for entry in published))
    minerals = [*printed, *(name for name in list_minerals(rows) if name not in printed)]
    scores = {(entry["mineral"], entry["method"]): entry for entry in published}
    groups = []
    for mineral in [MACRO, *minerals]:
        lines = [
            _detection_row(rows, method, mineral, scores.get((mineral, method)), seen.get(method))
            for method in order_methods(rows)
            if _row(rows, method, mineral) is not None
        ]
        if lines:
            title = "Mean of the minerals" if mineral == MACRO else mineral.capitalize()
            leads = mineral == MACRO or mineral in printed or not printed
            groups.append({"mineral": title, "leads": leads, "rows": lines})
    return groups


def _spectra_seen(tables: Mapping[str, Mapping]) -> dict[str, int]:
    """Triplets that each network learned from, by its method."""
    seen = {}
    for name in ("masked", "unmasked"):
        triplets = _triplets(tables.get(name) or {})
        if triplets is not None:
            seen[name] = triplets
    return seen | ({"filled": seen["masked"]} if "masked" in seen else {})


def _detection_row(
    rows: Rows, method: str, mineral: str, entry: Mapping | None, seen: int | None
) -> dict:
    own = _row(rows, method, mineral)
    parts = ("precision", "recall")
    if entry is not None:
        entry = {**entry, "precision": implied_precision(entry["recall"], entry["f1"])}
    return {
        "method": method_label(method),
        "n": _count(own),
        "n_mineral": count(number(own, "n_mineral")),
        "training": count(seen or number(own, "training")),
        **{name: None if mineral == MACRO else value_of(own, name) for name in parts},
        "f1": value_of(own, "f1"),
        "oracle": number(_row(rows, method, mineral, ORACLE), "f1"),
        "library": number(_row(rows, method, mineral, LIBRARY), "f1"),
        "paper": entry,
    }


def implied_precision(recall: float, f1: float) -> float:
    """The precision that a recall and an F1 leave: F1 is the harmonic mean of both."""
    return f1 * recall / (2 * recall - f1)


def _tested(scene: SensorScene) -> dict | None:
    """Split, truth and n of the tests; None where nothing was tested."""
    record = next((item for item in scene.records if item["assessed"]), None)
    if record is None:
        return None
    return {
        "split": record["split"],
        "truth": truth_text(record),
        "n": f"{record['n']:,}",
        "bootstrap": f"{record['bootstrap']:,}",
        "block_px": record["block_px"],
        "seed": record["seed"],
    }


def _subset_text(scene: SensorScene) -> str:
    rows = scene.rows("subsets")
    scores = subset_scores(rows)
    if not scores:
        return ""
    methods = [name for name in order_methods(rows) if name != "filled"]
    wins = {
        method: sum(
            own.get(method, -1.0) == max(own.get(other, -1.0) for other in methods)
            for own in scores.values()
        )
        for method in methods
    }
    told = join_words(
        [f"the {_method_words(name)} in {count}" for name, count in wins.items() if count]
    )
    sentences = [
        f"Of {len(scores)} sets of sensors, the best mean F1 is that of {told}.",
        describe_masking(rows, scene.order),
    ]
    common = describe_masking(rows, scene.order, FULL)
    if common:
        sentences.append(
            "A map has one threshold for each mineral, whichever sensors saw a pixel. With the "
            f"thresholds that were chosen with all sensors: {in_text(common)}"
        )
    return " ".join(sentences)


def similarity_table(rows: Rows, published: Sequence[Mapping]) -> dict | None:
    """Table 2: the best and worst sets of missing sensors, all of them, and the paper's.

    Sets are ordered by the cosine similarity, averaged over the minerals. None without rows.
    """
    cosine, euclid = similarities(rows, "cosine"), similarities(rows, "euclidean")
    if not cosine:
        return None
    minerals = list_minerals(rows)

    def line(missing: tuple[str, ...]) -> dict:
        own = cosine[missing]
        return {
            "missing": name_sensors(missing),
            "mean": sum(own.values()) / len(own),
            "cells": [(own.get(name), euclid.get(missing, {}).get(name)) for name in minerals],
        }

    lines = sorted((line(missing) for missing in cosine), key=lambda item: -item["mean"])
    n = [int(float(row["n"])) for row in rows]
    return {
        "minerals": [name.capitalize() for name in minerals],
        "sets": len(lines),
        "n": f"{min(n):,}" if min(n) == max(n) else f"{min(n):,} to {max(n):,}",
        "best": lines[:MOST_SETS],
        "worst": lines[-MOST_SETS:] if len(lines) >= 2 * MOST_SETS else [],
        "all": lines,
        "paper": [
            {
                "mineral": entry["mineral"].capitalize(),
                "missing": name_sensors(entry["missing"]),
                "paper": entry["cosine"],
                "ours": cosine.get(tuple(entry["missing"]), {}).get(entry["mineral"]),
                "euclidean": euclid.get(tuple(entry["missing"]), {}).get(entry["mineral"]),
            }
            for entry in published
        ],
    }


def _trial_context(rows: Rows, record: Mapping) -> dict:
    """The trial on real spectra: mean F1 by sensor and by mineral, the network beside SAM."""

    def line(name: str, **wanted: str) -> dict:
        cells = [
            value_of(_only(pick(rows, method=method, threshold_kind=kind, **wanted)), "f1")
            for kind in (VALIDATION, ORACLE)
            for method in TRIAL_METHODS
        ]
        one = _only(pick(rows, method=TRIAL_METHODS[0], threshold_kind=VALIDATION, **wanted))
        n, n_mineral = (count(number(one, key)) for key in ("n", "n_mineral"))
        return {"name": name, "n": n, "n_mineral": n_mineral, "cells": cells}

    sets = list(dict.fromkeys(row["sensors"] for row in rows))
    every = sets[-1]
    return {
        "record": record,
        "sensors": {
            spectra: [
                line(
                    SENSOR_LABELS.get(name, "All five"),
                    sensors=name,
                    mineral=MACRO,
                    spectra=spectra,
                )
                for name in sets
            ]
            for spectra in ("all", "new")
        },
        "minerals": [
            line(name.capitalize(), sensors=every, mineral=name, spectra="all")
            for name in list_minerals(rows)
        ],
        "shared": len(record["shared_specimens"]),
    }


def _collection(name: str, region: str, rows: Rows) -> dict:
    """Answers of a network and its opponents to a collection: each mineral, none at the end."""
    methods = list(dict.fromkeys(row["method"] for row in rows))
    lines = []
    for mineral in dict.fromkeys(row["mineral"] for row in rows if row["mineral"] != "all"):
        cells = [
            count(number(_only(pick(rows, method=method, mineral=mineral)), key))
            for method in methods
            for key in ("nearest", "within_threshold", "named")
        ]
        title = "None or several" if mineral == "unclassified" else mineral.capitalize()
        lines.append({"name": title, "cells": cells})
    return {
        "name": name,
        "region": region,
        "methods": [method_label(method) for method in methods],
        "lines": lines,
    }


def _only(rows: Rows) -> Mapping | None:
    return rows[0] if rows else None


def _filler_context(scene: SensorScene) -> dict | None:
    """What filling in is worth, and how well each sensor is rebuilt; None without a filler."""
    record = scene.tables.get("filler")
    if record is None:
        return None
    found = record.get("reconstruction") or {}
    return {
        "gain": describe_filling(scene.rows("subsets"), scene.order),
        "n": count(found.get("spectra")),
        "rebuilt": [
            {
                "label": SENSOR_LABELS.get(sensor, sensor),
                "absent": title,
                "values": [
                    (ways.get(way) or {}).get(key)
                    for key in ("rmse", "angle_rad")
                    for way in RECONSTRUCTIONS
                ],
            }
            for group, title in ABSENCES.items()
            for sensor, ways in (found.get(group) or {}).items()
        ],
        "ways": list(RECONSTRUCTIONS.values()),
    }


def describe_filling(rows: Rows, available: Iterable[str] = SENSORS) -> str:
    """What the reconstruction of missing sensors adds to the mean F1, gains and losses alike."""
    available = list(available)
    gains = {
        sensors: own["filled"] - own["masked"]
        for sensors, own in subset_scores(rows).items()
        if "masked" in own and "filled" in own and lacks_hyperspectral(sensors, available)
    }
    if not gains:
        return "What it adds to F1 was not tested."
    better = sum(gain > 0 for gain in gains.values())
    best = max(gains, key=gains.get)
    worst = min(gains, key=gains.get)
    text = (
        f"Where a hyperspectral sensor is missing ({len(gains)} sets of sensors), filling in "
        f"changes the masked network's mean F1 by {sum(gains.values()) / len(gains):+.3f} on "
        f"average; it helps with {better} sets. The most is {gains[best]:+.3f} with "
        f"{name_sensors(best)}, the least {gains[worst]:+.3f} with {name_sensors(worst)}."
    )
    without = [gain for sensors, gain in gains.items() if not set(sensors) & set(HYPERSPECTRAL)]
    if without:
        text += (
            f" With none of the hyperspectral sensors ({len(without)} sets), it is "
            f"{sum(without) / len(without):+.3f}."
        )
    return text


def _coverage_rows(rows: Rows) -> list[dict]:
    return [
        {
            "mineral": row["mineral"].capitalize(),
            "n": f"{int(float(row['n'])):,}",
            "calibrated": f"{int(float(row['n_calibration'])):,}",
            "on": CALIBRATED_ON.get(row["calibrated_on"], row["calibrated_on"]),
            "asked": f"{float(row['asked']):.1%}",
            "covered": value_of(row, "covered"),
            **{name: percent(number(row, name)) for name in COVERAGE_SHARES},
        }
        for row in rows
    ]


def describe_coverage(rows: Rows) -> str:
    """Which minerals get the coverage that was asked for."""
    single = [row for row in rows if row["covered"]]
    if not single:
        return ""
    asked = sorted({float(row["asked"]) for row in single})
    beyond, within, untold = [], [], []
    for row in single:
        high, wanted = number(row, "covered_high"), float(row["asked"])
        if float(row["covered"]) < wanted:
            told = f"{row['mineral']} ({float(row['covered']):.1%})"
            (untold if high is None else beyond if high < wanted else within).append(told)
    text = f"Asked for: {join_words([f'{value:.0%}' for value in asked])} of each mineral's pixels."
    if beyond:
        text += f" Short of it by more than the 95 % interval: {join_words(beyond)}."
    if within:
        text += f" Short of it, but not by more than the interval tells: {join_words(within)}."
    if untold:
        text += f" Short of it, in too few blocks for an interval: {join_words(untold)}."
    rest = len(single) - len(beyond) - len(within) - len(untold)
    return (
        f"{text} {'Every mineral' if rest == len(single) else f'{rest} of {len(single)}'} got it."
    )


def count_bands(rows: Rows, published: Mapping[str, int]) -> dict:
    """Bands that survive, sensor by sensor, beside the paper's; and which ones were left out."""
    lines = []
    for sensor in [name for name in SENSORS if pick(rows, sensor=name)]:
        own = pick(rows, sensor=sensor)
        kept = sum(row["kept"] == "yes" for row in own)
        paper = published.get(sensor)
        lines.append(
            {
                "label": SENSOR_LABELS[sensor],
                "offered": len(own),
                "kept": kept,
                "paper": paper,
                "difference": None if paper is None else kept - paper,
                "names": ", ".join(row["band"] for row in own),
                "left_out": describe_excluded(own),
            }
        )
    return {
        "rows": lines,
        "kept": sum(line["kept"] for line in lines),
        "offered": sum(line["offered"] for line in lines),
        "paper": sum(published.values()) or None,
        "text": describe_difference(lines),
    }


def describe_excluded(rows: Rows) -> str:
    """The bands of a sensor that were left out, run by run, with their wavelengths."""
    groups = itertools.groupby(rows, lambda row: row["kept"])
    runs = [list(group) for kept, group in groups if kept == "no"]
    parts = []
    for run in runs:
        first, last = run[0], run[-1]
        low, high = (float(row["wavelength_um"]) for row in (first, last))
        parts.append(
            f"{first['band']} ({low:.3f} µm)"
            if len(run) == 1
            else f"{first['band']}–{last['band']} ({len(run)}: {low:.3f}–{high:.3f} µm)"
        )
    return ", ".join(parts) or "none"


def describe_difference(lines: Sequence[Mapping]) -> str:
    """Where our number of bands differs from the paper's, and what of that can be explained."""
    differing = [line for line in lines if line["difference"]]
    if not lines or all(line["paper"] is None for line in lines):
        return ""
    if not differing:
        return "These are the paper's numbers."
    parts = [f"{line['label']} {line['difference']:+d}" for line in differing]
    text = f"Beside the paper: {join_words(parts)}."
    whole = [line for line in differing if line["difference"] == line["kept"] - line["offered"]]
    for line in whole:
        text += (
            f" {line['label']}: the paper counts all {line['paper']} bands, though its own ranges "
            f"hold {line['left_out']}."
        )
    unread = [line for line in differing if line["offered"] < line["paper"]]
    for line in unread:
        text += (
            f" {line['label']}: {line['offered']} bands are read ({line['names']}), fewer than the "
            f"{line['paper']} that the paper keeps."
        )
    names = [line["label"] for line in differing if line not in whole and line not in unread]
    if names:
        text += (
            f" {join_words(names)}: the table says which bands the ranges take from those that "
            "the product offers. Which ones the paper dropped is not known to us; products also "
            "differ in the bands that they call bad."
        )
    return text


LONGEST_FACT = 300
SETTINGS = ("training", "augmentation")
"""Parts of a network's record whose entries are rows of their own."""
IN_SECTIONS = ("reconstruction", "references", "layers")


def describe_network(record: Mapping) -> list[tuple[str, str]]:
    """The record of a training as rows of name and text; of long lists, how long they are."""
    plain: dict[str, object] = {}
    for key, value in record.items():
        if key in IN_SECTIONS:
            continue
        if key == "bands":
            # describe_scene knows bands as a list with centres.
            key = "bands by sensor"
        if key in SETTINGS and isinstance(value, Mapping):
            plain |= {f"{key}: {name}": item for name, item in value.items()}
        elif isinstance(value, Mapping):
            plain[key] = {name: _shortened(item) for name, item in value.items()}
        else:
            plain[key] = _shortened(value)
    return [row for key, value in plain.items() for row in describe_scene({key: value})]


def _shortened(value: object) -> object:
    if isinstance(value, list) and len(str(value)) > LONGEST_FACT:
        return len(value)
    return value


def _answers(scene: SensorScene) -> dict[str, str]:
    """This run's side of the published set-up."""
    detection = scene.rows("detection")
    masked = scene.tables.get("masked") or {}
    mapped = [row["name"] for row in scene.rows("areas")]
    named = [name for name in mapped if name not in ("unclassified", "nodata")]
    best = "best F1 on validation pixels; the best on the test pixels stands beside it"
    record = scene.records[0] if scene.records else None
    return {
        **common_answers(scene.cube, scene.synthetic),
        "sensors": name_sensors(scene.order),
        "bands": _band_words(scene),
        "grid": _grid_words(scene.cube),
        "minerals": ", ".join(list_minerals(detection) or named),
        "library": _library_words(masked) if masked else "",
        "network": _network_words(masked) if masked else "",
        "masking": _masking_words(masked) if masked else "",
        "threshold": best if detection else "",
        "methods": join_words([method_label(name) for name in order_methods(detection)]),
        "reference": truth_text(record) if record and record["assessed"] else "",
    }


def _band_words(scene: SensorScene) -> str:
    counts = count_bands(scene.bands, {})
    parts = " + ".join(str(row["kept"]) for row in counts["rows"])
    return f"{parts} = {counts['kept']}"


def _grid_words(cube: Mapping) -> str:
    pixel = (cube.get("grid") or {}).get("pixel_m")
    return "" if pixel is None else f"{pixel:g} m"


def _library_words(record: Mapping) -> str:
    libraries = record.get("libraries") or []
    names = ", ".join(Path(str(name)).name for name in libraries)
    return names + (" (with modelled spectra)" if record.get("modelled") else "")


def _network_words(record: Mapping) -> str:
    training = record.get("training") or {}
    parts = ["two dense layers"]
    if "hidden" in training and "embedding" in training:
        parts[0] += f" of {training['hidden']} and {training['embedding']} units"
    if training.get("networks", 1) > 1:
        parts.append(f"{training['networks']} networks side by side")
    if "mining" in training:
        parts.append(f"triplet loss, {training['mining']} mining")
    return ", ".join(parts)


def _masking_words(record: Mapping) -> str:
    most = (record.get("training") or {}).get("max_masked")
    return "" if most is None else f"0 to {most} sensors set to 0, drawn anew for each spectrum"
