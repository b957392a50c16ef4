"""What the reports of all studies share, and the index of the reports.

A study's page is a template of its own that extends base.html.j2: head, banner, "Beside the paper",
"How it was made" and files are the same for all. class_report.py and zone_report.py add what their
studies show.
"""

import base64
import os
import platform
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import yaml
from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from gossan.errors import InputError

BANNER = (
    "Scenes marked SYNTHETIC were simulated: their ground, image and reference are computed. "
    "Nothing about them describes a real place."
)

PACKAGES = (
    "geopandas",
    "jinja2",
    "jsonschema",
    "matplotlib",
    "numba",
    "numpy",
    "pandas",
    "pyogrio",
    "pyrsr",
    "pystac",
    "pyyaml",
    "rasterio",
    "scipy",
    "snakemake",
)

SPECTRAL_KEYS = ("centre_um", "fwhm_um")

FILE_NOTES = {
    "cube.tif": "reflectance, masked, with band wavelengths",
    "cube.json": "how the reflectance was made",
    "references.csv": "library spectra on the sensor's bands",
    "records.csv": "which spectrum of which library each class used",
    "classes.csv": "classes with codes, colours and thresholds",
    "class.tif": "class map (0 = unclassified, 255 = no data), with styles beside it",
    "angle.tif": "spectral angle to the best reference, radians",
    "margin.tif": "margin to the second best, radians",
    "item.json": "STAC item of the maps",
    "areas.csv": "class areas",
    "signatures.csv": "mean spectra of the classes",
    "model.keras": "network as Keras stores it",
    "model.onnx": "network for ONNX Runtime",
    "record.json": "how the network was trained, and its test",
    "patches.csv": "patches with place, label, class shares and side of the split",
    "proportions.csv": "pixels that have exactly the colour of each class",
    "pixels.csv": "coordinates of those pixels, and the network's answer",
    "pixels.gpkg": "coordinates and angles of the pixels of each class",
    "sam.json": "accuracy record of the map",
    "accuracy.json": "accuracy records of the study, checked against their schema",
    "truth.tif": "simulated ground truth",
    "product.tar": "simulated product in the sensor's native layout",
    "product.hdf": "simulated product in the sensor's native layout",
    "zones.gpkg": "simulated zones as polygons",
    "anomalies.tif": "anomalies of each band (1 = anomaly, 255 = no data), with styles beside it",
    "anomalies.csv": "thresholds and counts of the anomalies",
    "subbands.tif": "wavelet sub-bands of each band, on the cube's grid",
    "profile.csv": "horizontal detail, row by row",
    "comparison.csv": "wavelets side by side",
    "confidence.csv": "published rule by zone, band and level, tested",
    "score.json": "models of the alteration score and its test",
    "curves.csv": "curves of how much is found against how much is called, at every threshold",
    "looks.tif": "how many dates each pixel was clear on",
    "samples.gpkg": "sampled points with class, stratum and split",
    "strata.csv": "points of each stratum and class",
    "components.tif": "minimum noise fraction, component by component",
    "eigenvalues.csv": "signal and noise of each component",
    "purity.tif": "how often each pixel was an extreme",
    "endmembers.csv": "spectra of the end-members",
    "similarity.tif": "similarity to each reference by spectral angle",
    "iron.tif": "grades of iron by spectral angle (255 = no data), with styles beside it",
    "scan.csv": "thresholds tried and their scores",
    "robustness.csv": "scores with shifted thresholds",
    "labels.json": "how the grades were made",
    "validation.csv": "scores of all forests on both splits",
    "importance.csv": "permutation importance of each layer",
    "shap.csv": "SHAP values by feature and class",
    "cover.npz": "forest of the labelled points, as plain arrays",
    "iron.npz": "forest of the iron grades, as plain arrays",
    "probability.tif": "probability of each class",
    "uncertainty.tif": "entropy of the probabilities, and their spread over the trees",
    "potential.tif": "potential (1 low, 2 medium, 3 high, 255 = no data), with styles beside it",
    "score.tif": "score of the potential, the expected grade",
    "targets.gpkg": "targets by rank, as outlines and points",
    "targets.kml": "targets by rank, for Google Earth",
    "overlay.csv": "claims and occurrences by potential, against its share of area",
    "targets.json": "summary of the targets",
    "stack.tif": "reflectance of all sensors on one grid, absent ones as no data",
    "sensors.tif": "sensors present at each pixel, as a bit mask",
    "bands.csv": "bands of the sensors, kept and left out",
    "stack.json": "how the stack was made, and which sensors saw how much",
    "history.csv": "training, epoch by epoch",
    "detection.csv": "scores of every method, mineral and kind of threshold",
    "subsets.csv": "scores with every set of sensors",
    "similarity.csv": "embeddings with sensors missing against those of all sensors",
    "coverage.csv": "how often the true mineral is among the answers, asked and reached",
    "thresholds.json": "thresholds and limits of every method and mineral",
    "answer.tif": "one mineral (1), none (2), several (3) within the limits, 255 = no data",
    "distance.tif": "distance to the named mineral, else to the nearest, then to each mineral",
    "sensor_areas.csv": "answers by the sensors that saw a pixel",
    "scores.csv": "scores of the trial on real spectra",
}

FOLDER_NOTES = {
    "zones": "map of the {} zone",
    "confidence": "confidence of each band in the {} zone",
    "score": "alteration score of the {} zone; its second band is the one that was tested",
}
"""What a folder's rasters are, each named after its zone."""

FACT_NAMES = {
    "product_id": "Product",
    "spacecraft": "Spacecraft",
    "sensor": "Sensor",
    "collection": "Collection",
    "level": "Level",
    "acquired": "Acquired",
    "sun_elevation_deg": "Sun elevation (°)",
    "synthetic": "Synthetic",
    "atmosphere": "Atmospheric correction",
    "normalisation": "Normalisation",
    "pixels": "Pixels",
    "notes": "Notes",
}

CORRECTION_NAMES = {
    "dark_object": "Dark object, reflectance",
    "path_reflectance": "Path reflectance taken off",
    "path_held_by_shorter_bands": "Path held down by a shorter band",
    "transmittance": "Transmittance",
    "dark_object_rule": "Dark object of a band",
    "dark_object_surface_reflectance": "Surface reflectance of the dark object",
}

UNPUBLISHED = {
    "title": "Alteration map",
    "citation": "",
    "origin": "",
    "ground": "",
    "summary": "",
    "setup": [],
    "areas": [],
    "areas_note": "",
    "tables": [],
    "figures": [],
    "figures_note": "",
    "deviations": [],
}


class Scene(Protocol):
    """What every study's page needs of a scene.

    `cube` is the record of preprocessing, `figures` maps names to PNG files.
    """

    id: str
    cube: Mapping
    figures: Mapping[str, Path]

    @property
    def synthetic(self) -> bool:
        """Whether the scene was simulated."""


def render_page(
    template: str,
    base: str,
    style: str,
    *,
    study: str,
    scenes: Sequence[Scene],
    contexts: Sequence[Mapping],
    published: Mapping,
    summary: Sequence[str],
    answers: Mapping[str, str],
    figure_titles: Mapping[str, str],
    config: Mapping,
    files: Sequence[tuple[str, str]],
    **own: object,
) -> str:
    """A study's report as one self-contained HTML page.

    `template`, `base` and `style` are the texts of the study's template, of the base that it
    extends, and of the style sheet. `contexts` are what the template shows of each scene beside
    what all pages show; `published` is the study's entry of published.json ({} where there is
    none); `answers` this run's side of the published set-up, by key; `figure_titles` the titles
    of the figures that the page holds; `files` paths to list and the ways to them from the page;
    `own` what else the study's template needs. The page depends on nothing but these and the
    installed versions: it carries no date.
    """
    paper = {**UNPUBLISHED, **published}
    environment = _environment({"page.html.j2": template, "base.html.j2": base})
    return environment.get_template("page.html.j2").render(
        style=Markup(style),
        study=study,
        published=paper,
        banner=BANNER,
        any_synthetic=any(scene.synthetic for scene in scenes),
        summary=summary,
        scenes=[
            {**_common_context(scene), **context}
            for scene, context in zip(scenes, contexts, strict=True)
        ],
        setup=[{**row, "ours": _answer(row["ours"], answers)} for row in paper["setup"]],
        comparable=compare_ground(scenes, paper["ground"]),
        figure_titles=figure_titles,
        config_yaml=yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True),
        versions=installed_versions(),
        files=[{"path": path, "href": href, "what": _file_note(path)} for path, href in files],
        mark_text=_mark_text,
        **own,
    )


def _common_context(scene: Scene) -> dict:
    return {
        "id": scene.id,
        "synthetic": scene.synthetic,
        "figures": {name: _data_uri(path) for name, path in scene.figures.items()},
        "facts": describe_scene(scene.cube),
        "bands": describe_bands(scene.cube),
        "mask": describe_mask(scene.cube),
    }


def _answer(key: str, answers: Mapping[str, str]) -> str:
    if key not in answers:
        raise InputError(f"published.json: setup names {key!r}, which the report does not know")
    return answers[key]


def common_answers(scenes: Sequence[Scene]) -> dict[str, str]:
    """This run's side of those rows of a published set-up that any study may have."""

    def of_scenes(describe) -> str:
        return "; ".join(dict.fromkeys(describe(scene) for scene in scenes))

    return {
        "scene": of_scenes(
            lambda scene: (
                f"{'SYNTHETIC ' if scene.synthetic else ''}{scene.cube.get('sensor', '?')}, "
                f"{scene.cube.get('product_id', '?')}, {day_of(scene.cube)}"
            )
        ),
        **{
            key: of_scenes(lambda scene, key=key: str(scene.cube.get(key, "not recorded")))
            for key in ("atmosphere", "normalisation")
        },
    }


def render_index(template: str, style: str, studies: Sequence[Mapping]) -> str:
    """The page that links the studies' reports.

    Each study has `name`, `href` (relative to the page), `title`, `citation` and `records`
    (accuracy records). A study with many maps is told by the best of them: see `headlines`.
    """
    shown = [
        {
            **study,
            "synthetic": all(record["synthetic"] for record in study["records"]),
            "intervals": any(has_intervals(record) for record in study["records"]),
            **dict(zip(("headlines", "left_out"), headlines(study["records"]), strict=True)),
        }
        for study in studies
    ]
    return (
        _environment({"page.html.j2": template})
        .get_template("page.html.j2")
        .render(
            style=Markup(style),
            banner=BANNER,
            studies=shown,
            any_synthetic=any(
                record["synthetic"] for item in studies for record in item["records"]
            ),
            mark_text=_mark_text,
        )
    )


MOST_HEADLINES = 4
"""A scene with more maps than this is told by the best of them."""


def headlines(records: Sequence[Mapping]) -> tuple[list[Mapping], int]:
    """The records that stand for a study, in their order, and how many are left out.

    Of a scene with more than MOST_HEADLINES records these are, for each set of classes that maps
    were tested on, the one with the best macro-F1; of records without a test, the first. Networks
    that name patches are left to the report: their labels are another map's, and the paper's
    split lets copies of a patch train and test.
    """
    everything = len(records)
    records = [item for item in records if not item["method"].startswith("CNN")] or records
    crowded = {
        scene
        for scene, number in Counter(record["scene"] for record in records).items()
        if number > MOST_HEADLINES
    }
    best: dict[tuple, int] = {}
    for place, record in enumerate(records):
        key = (record["scene"], _subject(record) if record["scene"] in crowded else place)
        if key not in best or _merit(record) > _merit(records[best[key]]):
            best[key] = place
    kept = [records[place] for place in sorted(best.values())]
    return kept, everything - len(kept)


def _subject(record: Mapping) -> tuple[str, ...]:
    """The classes that a record tells apart; () where it was not assessed."""
    if not record["assessed"]:
        return ()
    return tuple(label["name"] for label in record["confusion_matrix"]["labels"])


def _merit(record: Mapping) -> float:
    value = record["scores"]["macro_f1"]["value"] if record["assessed"] else None
    return -1.0 if value is None else value


def has_intervals(record: Mapping) -> bool:
    """Whether the record's overall scores came with intervals."""
    return record["assessed"] and record["scores"]["overall_accuracy"]["low"] is not None


def compare_ground(scenes: Sequence[Scene], ground: str) -> str:
    """Whether the page's numbers may be set against those of a paper about `ground`."""
    if all(scene.synthetic for scene in scenes):
        ours = "this page's are of simulated ground"
        unless = ""
    else:
        ours = f"this page's are of {', '.join(scene.id for scene in scenes)}"
        unless = "Unless that is the same scene, "
    tail = "whether they agree or differ says nothing about either map."
    return (
        "Numbers of different ground cannot be compared. The paper's are of "
        f"{ground or 'its own scene'}; {ours}. {unless}{tail if unless else tail.capitalize()}"
    )


def reference_text(record: Mapping) -> str:
    """What an assessed map was compared with, in words."""
    reference = record["reference"]
    if reference["synthetic"]:
        return "the simulated ground truth"
    kinds = {"raster": "class raster", "points": "points", "polygons": "polygons"}
    return f"the reference {kinds[reference['kind']]} in {reference['file']}"


def installed_versions() -> list[tuple[str, str]]:
    """Versions of Python and of the packages that are installed."""
    versions = [("python", platform.python_version())]
    for name in PACKAGES:
        try:
            versions.append((name, metadata.version(name)))
        except metadata.PackageNotFoundError:
            continue
    return versions


# Parts of the record of preprocessing that have tables or figures of their own.
IN_TABLES = ("bands", "masked", "corrections", "stages", "histograms", "beyond_cube_range")


def describe_scene(cube: Mapping) -> list[tuple[str, str]]:
    """The record of preprocessing as rows of name and text, without what stands in tables."""
    rows = [
        (FACT_NAMES.get(key, key.replace("_", " ").capitalize()), _fact(key, value))
        for key, value in cube.items()
        if key not in IN_TABLES and value not in (None, [], {})
    ]
    names = [band["name"] for band in cube.get("bands") or []]
    for prefix, correction in _corrections(cube):
        rows += [
            (f"{prefix}{_correction_name(key)}", _text(value))
            for key, value in correction.items()
            if key != "method" and value != [] and not _is_per_band(value, names)
        ]
    return rows


def _is_per_band(value: object, names: Sequence[str]) -> bool:
    """Whether a correction's value says something of bands: numbers by band, or some bands."""
    if isinstance(value, Mapping):
        return not value or any(name in value for name in names)
    return isinstance(value, list) and bool(value) and set(value) <= set(names)


def describe_bands(cube: Mapping) -> dict:
    """The bands, with what the corrections did to each: `columns` and `rows` of text."""
    bands = cube.get("bands") or []
    columns = ["Band", "Centre, µm", "FWHM, µm"]
    rows = [
        [band["name"], *(f"{band[key]:.3f}" if key in band else "–" for key in SPECTRAL_KEYS)]
        for band in bands
    ]
    for prefix, correction in _corrections(cube):
        for key, value in correction.items():
            if not _is_per_band(value, [band["name"] for band in bands]):
                continue
            if isinstance(value, Mapping):
                found = [value.get(band["name"]) for band in bands]
                cells = ["–" if number is None else f"{number:.4f}" for number in found]
            else:
                cells = ["yes" if band["name"] in value else "no" for band in bands]
            columns.append(f"{prefix}{_correction_name(key)}")
            rows = [[*row, cell] for row, cell in zip(rows, cells, strict=True)]
    for stage in cube.get("stages") or []:
        columns.append(f"SNR, {stage['stage']}")
        found = [stage["snr"].get(band["name"]) for band in bands]
        cells = ["–" if number is None else f"{number:.0f}" for number in found]
        rows = [[*row, cell] for row, cell in zip(rows, cells, strict=True)]
    return {"columns": columns, "rows": rows}


def _corrections(cube: Mapping) -> list[tuple[str, Mapping]]:
    """The corrections; where there are several, each with its name to tell its numbers by."""
    corrections = cube.get("corrections") or []
    several = len(corrections) > 1
    return [(f"{item.get('method', '?')}: " if several else "", item) for item in corrections]


def describe_mask(cube: Mapping) -> dict:
    """What the quality flags masked: `rows` of flag, pixels and share, and a `note` on them."""
    masked = cube.get("masked") or {}
    rows = [
        (name.replace("_", " "), f"{item['pixels']:,}", f"{item['share_of_observed']:.2%}")
        for name, item in masked.items()
    ]
    pixels = cube.get("pixels") or {}
    note = "A pixel can carry several flags, so the counts overlap"
    if {"observed", "valid"} <= set(pixels):
        lost = pixels["observed"] - pixels["valid"]
        share = f" ({lost / pixels['observed']:.2%})" if pixels["observed"] else ""
        flagged = sum(item["pixels"] for item in masked.values())
        more = "add up to more than" if flagged > lost else "need not add up to"
        note += f" and {more} the {lost:,} pixels{share} that were masked in all"
    return {"rows": rows, "note": f"{note}."}


def _correction_name(key: str) -> str:
    return CORRECTION_NAMES.get(key, key.replace("_", " ").capitalize())


def _fact(key: str, value: object) -> str:
    if key == "pixels" and isinstance(value, Mapping):
        words = {"total": "in the frame", "valid": "clear"}
        return ", ".join(f"{_text(item)} {words.get(name, name)}" for name, item in value.items())
    return _text(value)


def _text(value: object) -> str:
    """Any JSON value on one line."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, Mapping):
        return ", ".join(
            f"{str(name).replace('_', ' ')} {_text(item)}" for name, item in value.items()
        )
    if isinstance(value, list):
        return "; ".join(_text(item) for item in value)
    return str(value)


def day_of(cube: Mapping) -> str:
    """The day on which a scene was acquired, from its record."""
    acquired = cube.get("acquired")
    return str(acquired)[:10] if acquired else "date unknown"


def _file_note(path: str) -> str:
    path = Path(path)
    if path.suffix == ".tif" and path.parent.name in FOLDER_NOTES:
        return FOLDER_NOTES[path.parent.name].format(path.stem.replace("-", " and "))
    return FILE_NOTES.get(path.name, "product of the run")


def _data_uri(path: Path) -> str:
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such figure; draw the figures first") from error
    if not content.startswith(b"\x89PNG"):
        raise InputError(f"{path}: not a PNG picture; draw the figures again")
    return f"data:image/png;base64,{base64.b64encode(content).decode('ascii')}"


def _mark_text(synthetic: bool) -> str:
    return "SYNTHETIC: " if synthetic else ""


def _environment(templates: Mapping[str, str]) -> Environment:
    return Environment(
        loader=DictLoader(templates),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def relative_link(target: str | Path, page: str | Path) -> str:
    """The way from a page to a file, as a link."""
    return quote(Path(os.path.relpath(target, Path(page).parent)).as_posix())


def records_of(accuracy: Mapping, scene: str) -> list[Mapping]:
    """The records of a scene in a study's accuracy.json; InputError where it has none."""
    found = [record for record in accuracy.get("records", []) if record["scene"] == scene]
    if not found:
        known: Iterable[str] = dict.fromkeys(
            record["scene"] for record in accuracy.get("records", [])
        )
        raise InputError(
            f"accuracy: has no record of scene {scene!r} (it has: {', '.join(known) or 'none'}); "
            "collect its record"
        )
    return found
