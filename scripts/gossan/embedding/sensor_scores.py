"""Scores of methods that name minerals from several sensors: which tables hold them, and how.

Rows are rows of text (records.read_table); an empty cell is a value that is not defined. A set of
sensors is their names joined by "+", in the order of SENSORS. The mineral MACRO is the plain mean
over all minerals.
"""

from collections.abc import Iterable, Mapping, Sequence

from gossan.cube.bands import HYPERSPECTRAL, SENSORS
from gossan.cube.instruments import INSTRUMENTS
from gossan.errors import InputError
from gossan.tables import number

SENSOR_LABELS = {name: item.label for name, item in INSTRUMENTS.items()}
METHOD_LABELS = {
    "masked": "Network, masking",
    "filled": "Network, masking, filled in",
    "unmasked": "Network, no masking",
    "ocsvm": "One-class SVM",
    "isolation_forest": "Isolation Forest",
    "sam": "Spectral Angle Mapper",
    "shape": "Shape fit",
}
"""Methods in the order of figures and tables."""
MAPPED = "Network, masking, as mapped"
"""How the record of the published map calls its method."""
MACRO = "macro"
VALIDATION, ORACLE, LIBRARY, FULL = "validation", "oracle", "library", "full"
"""Where a threshold comes from: validation pixels, the test pixels themselves, library spectra
alone; and, for sets of sensors, validation pixels that all sensors see."""
PIXELS = "pixels"
"""What embeddings are of, where they are not of the LIBRARY's spectra."""

NEEDED_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "detection": (
        *("method", "mineral", "threshold_kind", "n", "n_mineral", "precision", "recall"),
        *("f1", "f1_low", "f1_high", "training"),
    ),
    "subsets": ("sensors", "method", "mineral", "threshold_kind", "n", "f1", "f1_low", "f1_high"),
    "similarity": ("missing", "mineral", "n", "cosine", "euclidean"),
    "coverage": (
        *("mineral", "asked", "n_calibration", "calibrated_on", "n", "covered"),
        *("named", "none", "several", "other_within"),
    ),
}
"""What figures and page need of the tables of assess_detectors, which have more."""

Rows = Sequence[Mapping[str, str]]


def parse_sensors(text: str) -> tuple[str, ...]:
    """The sensors of a set such as "emit+sentinel2"; InputError for one that is unknown."""
    sensors = tuple(text.split("+"))
    unknown = [name for name in sensors if name not in SENSORS]
    if unknown:
        raise InputError(
            f"sensors {text!r}: {unknown[0]!r} is unknown; join {', '.join(SENSORS)} by +"
        )
    return tuple(name for name in SENSORS if name in sensors)


def name_sensors(sensors: Iterable[str]) -> str:
    """A set of sensors in words, such as "EMIT, PRISMA and Sentinel-2"."""
    return join_words([SENSOR_LABELS[name] for name in sensors])


def join_words(words: Sequence[str]) -> str:
    """Words as a list with "and" before the last."""
    return ", ".join(words[:-1]) + (" and " if len(words) > 1 else "") + "".join(words[-1:])


def method_label(method: str) -> str:
    """A method in words."""
    return METHOD_LABELS.get(method, method.replace("_", " ").capitalize())


def published_label(network: str) -> str:
    """A network as published, in words."""
    return f"{METHOD_LABELS[network]}, as published"


def order_methods(rows: Rows) -> list[str]:
    """The methods of some rows: those of METHOD_LABELS in their order, then others as they come."""
    found = dict.fromkeys(row["method"] for row in rows)
    return [
        *(name for name in METHOD_LABELS if name in found),
        *(name for name in found if name not in METHOD_LABELS),
    ]


def list_minerals(rows: Rows) -> list[str]:
    """The minerals of some rows, as they come, without their mean."""
    return [name for name in dict.fromkeys(row["mineral"] for row in rows) if name != MACRO]


def pick(rows: Rows, **wanted: str) -> list[Mapping[str, str]]:
    """The rows whose columns hold what is wanted."""
    return [row for row in rows if all(row[key] == value for key, value in wanted.items())]


def subset_scores(
    rows: Rows, mineral: str = MACRO, kind: str = VALIDATION
) -> dict[tuple[str, ...], dict[str, float]]:
    """F1 by set of sensors and method at one kind of threshold; sets with more sensors first.

    `rows` are the table `subsets`; a method without an F1 with a set of sensors is left out there.
    """
    found: dict[tuple[str, ...], dict[str, float]] = {}
    for row in pick(rows, mineral=mineral, threshold_kind=kind):
        own = found.setdefault(parse_sensors(row["sensors"]), {})
        value = number(row, "f1")
        if value is not None:
            own[row["method"]] = value
    return {sensors: found[sensors] for sensors in sorted(found, key=_place_of_subset)}


def _place_of_subset(sensors: Sequence[str]) -> tuple:
    return -len(sensors), [SENSORS.index(name) for name in sensors]


def lacks_hyperspectral(sensors: Sequence[str], available: Iterable[str] = SENSORS) -> bool:
    """Whether a set of sensors lacks one of the imaging spectrometers that are available."""
    return any(name in available and name not in sensors for name in HYPERSPECTRAL)


def similarities(rows: Rows, column: str) -> dict[tuple[str, ...], dict[str, float]]:
    """A column of the table `similarity` by missing sensors and mineral, few missing first."""
    found: dict[tuple[str, ...], dict[str, float]] = {}
    for row in rows:
        value = number(row, column)
        if value is not None:
            found.setdefault(parse_sensors(row["missing"]), {})[row["mineral"]] = value
    return {
        missing: found[missing]
        for missing in sorted(found, key=lambda m: (len(m), [SENSORS.index(name) for name in m]))
    }
