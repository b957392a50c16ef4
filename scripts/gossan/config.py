"""What a schema cannot see of the settings: faults between keys, files and names."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import yaml

from gossan.delimited import UTF_16, plain_text
from gossan.errors import InputError
from gossan.legend import GROUPS, MapClass, merge_classes, read_own_classes
from gossan.paths import find_beside, is_there, list_files
from gossan.schema import nearest

ANALYTIC = "analytic"
METHODS = ("minerals", "mnf", "patches", "zones", "prospects", "embedding", "targets")
# Methods that compare a cube with spectra of a library.
COMPARING = ("minerals", "zones", "embedding")
# What counts as favourable unless a study says: minerals of advanced argillic, argillic and phyllic
# alteration (Thompson and Thompson 1996, Atlas of Alteration), of weathered sulfides, and ore
# minerals. Carbonates, chlorite, epidote, feldspar, quartz and iron oxides are common without ore.
ALTERATION = (
    *("alunite", "kaolinite", "dickite", "pyrophyllite", "alunite+kaolinite", "buddingtonite"),
    *("muscovite", "illite", "kaolinite+muscovite", "tourmaline", "chalcedony", "jarosite"),
    *("pyrite", "chalcopyrite", "chalcocite", "malachite"),
)
MATCH_TITLES = {
    "origin": "Spectral Angle Mapper",
    "scene": "Spectral angles about the scene's mean",
    "sid": "Spectral information divergence",
    "matched_filter": "Matched filter",
    "ace": "Adaptive coherence estimator",
}
"""What `minerals.match` is called in records and reports."""
ORIGIN_ANGLE_RAD = 0.1
# What maps a scene of a folder of an embedding.
EMBEDDING_FILES = ("networks/masked/model.onnx", "assessment/thresholds.json")
# Of a text file of a library, what is searched for the names of its spectra: of one that holds
# many, such as the header of a large ENVI library, and of one in a folder that holds one.
_HEAD_BYTES = 1 << 22
_TITLE_BYTES = 1 << 12


def repeated_keys(path: str | Path) -> list[str]:
    """One line per key that stands twice in a mapping of a YAML file: the second would win."""
    try:
        document = yaml.compose(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return []  # told by the one who reads the file for its content
    return [
        f"{path}, line {line}: {key} stands twice; keep one"
        for key, line in _repetitions(document, "")
    ]


def _repetitions(node: yaml.Node | None, place: str) -> Iterator[tuple[str, int]]:
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _repetitions(item, place)
    if isinstance(node, yaml.MappingNode):
        seen = set()
        for key, item in node.value:
            name = f"{place}{key.value}"
            if name in seen:
                yield name, key.start_mark.line + 1
            seen.add(name)
            yield from _repetitions(item, f"{name}.")


def merge(first: Mapping, second: Mapping) -> dict:
    """Two configurations as one, key by key; `{}` in the second takes back what the first says."""
    merged = dict(first)
    for key, value in second.items():
        both = isinstance(value, Mapping) and value and isinstance(merged.get(key), Mapping)
        merged[key] = merge(merged[key], value) if both else value
    return merged


def config_faults(config: Mapping, known: Sequence[MapClass], papers: Iterable[str]) -> list[str]:
    """Faults that a schema cannot see, in a config that fits the schema.

    `known` are the classes of resources/static/minerals.csv, `papers` the names in published.json.
    """
    faults = []
    accuracy = config["accuracy"]
    side_px = accuracy.get("spatial_block_px") if isinstance(accuracy, Mapping) else None
    # What is no number the schema tells.
    side_px = side_px if isinstance(side_px, int) else math.inf
    for study, settings in config["studies"].items():
        if not methods_of(settings):
            faults.append(f"studies.{study}: has no method; add a section: {', '.join(METHODS)}")
        if settings.get("zones", {"score": {"buffer_px": 0}})["score"]["buffer_px"] > side_px:
            faults.append(
                f"studies.{study}.zones.score.buffer_px: is more than accuracy.spatial_block_px "
                f"({side_px}); lower it"
            )
        faults += [
            f"studies.{study}.{fault}" for fault in _study_faults(settings, known, list(papers))
        ]
    return faults


def _study_faults(settings: Mapping, known: Sequence[MapClass], papers: list[str]) -> Iterator[str]:
    if settings["paper"] and settings["paper"] not in papers:
        yield f"paper: {settings['paper']!r} is not known{nearest(settings['paper'], papers)}"
    absent = [(key, path) for key, path in _files_named(settings) if not is_there(path)]
    yield from (f"{key}: {path} does not exist; correct the path" for key, path in absent)
    classes = list(known)
    if settings["classes"] and "classes" not in dict(absent):
        try:
            own = read_own_classes(settings["classes"])
            classes, faults = merge_classes(known, own)
            yield from (f"classes: {settings['classes']}: {fault}" for fault in faults)
        except InputError as error:
            yield f"classes: {error}"
    yield from _mineral_faults(settings, {item.name: item for item in classes})
    yield from _key_faults(settings)


def methods_of(settings: Mapping) -> list[str]:
    """The methods of a study, in the order in which they build on one another."""
    return [method for method in METHODS if method in settings]


def minerals_named(settings: Mapping, method: str) -> list[str]:
    """Minerals that a method of a study looks for, each once."""
    section = settings[method]
    if method == "zones":
        named = [name for zone in section["alteration"].values() for name in zone["minerals"]]
    else:
        named = section["references"]
    return list(dict.fromkeys(named))


def mineral_groups(section: Mapping, classes: Sequence[MapClass]) -> list[str]:
    """Groups that the references of `minerals` fall into, in the order of GROUPS."""
    found = {item.group for item in classes if item.name in section["references"]}
    return [group for group in GROUPS if group and group in found]


def largest_angle(section: Mapping) -> float | None:
    """The largest angle of `minerals` for a reference; None for that of the comparison itself."""
    given = section["max_angle_rad"]
    return ORIGIN_ANGLE_RAD if given is None and section["match"] == "origin" else given


def libraries_of(settings: Mapping, method: str) -> list[str]:
    """Libraries of a method, in order of preference: its own, else the study's."""
    return list(settings[method]["library"] or settings["library"])


def has_grades(section: Mapping) -> bool:
    """Whether `prospects` maps grades of iron: from samples around mines, or by such a forest."""
    if section["model"]:
        return Path(section["model"]).stem == "iron"
    return not section["points"]["train"]


def has_potential(settings: Mapping) -> bool:
    """Whether a study has a map of potential, which its targets are ranked on."""
    return "prospects" in settings and has_grades(settings["prospects"])


def favourable_minerals(settings: Mapping, method: str) -> list[str]:
    """Minerals of a method's map that count as favourable, which may be none.

    Those that `targets` names; where it names none, those of ALTERATION; and all where the study
    maps none of these.
    """
    chosen = set(settings["targets"]["minerals"] or ALTERATION)
    mapping = [other for other in ("minerals", "embedding") if other in settings]
    every = {name for other in mapping for name in minerals_named(settings, other)}
    if chosen.isdisjoint(every):
        chosen = every
    return [name for name in minerals_named(settings, method) if name in chosen]


def _mineral_faults(settings: Mapping, classes: Mapping[str, MapClass]) -> Iterator[str]:
    for key, name in _minerals_of_keys(settings):
        if name not in classes:
            yield f"{key}: unknown mineral {name!r}{nearest(name, classes)}"
    for method in COMPARING:
        if method in settings:
            heads = [_names_in(source) for source in libraries_of(settings, method)]
            wanted = [name for name in minerals_named(settings, method) if name in classes]
            told = all(head is not None for head in heads)
            # The scene may give any of them.
            told = told and not settings[method].get("from_scene")
            for name in wanted if told else []:
                if not any(_is_in(head, classes[name]) for head in heads):
                    yield (
                        f"{method}: no library has a spectrum of {name!r}; name one that has, or "
                        "leave the mineral out"
                    )
    minerals = settings.get("minerals")
    if minerals and minerals["match"] != "origin":
        known = set(minerals["references"]) <= set(classes)
        if known and not mineral_groups(minerals, list(classes.values())):
            yield (
                "minerals.references: none has an absorption from 0.4 to 2.5 µm (a group in the "
                "class table); name others, or set minerals.match to origin"
            )
    if minerals:
        others = [("minerals.max_angle_rad_of", name) for name in minerals["max_angle_rad_of"]]
        patches = settings.get("patches", {"labels": [], "model": ""})
        # A network of another scene brings its labels.
        labels = [] if patches["model"] else patches["labels"]
        others += [("patches.labels", name) for name in labels]
        for key, name in others:
            if name not in minerals["references"]:
                yield (
                    f"{key}: {name!r} is not among minerals.references"
                    f"{nearest(name, minerals['references'])}"
                )


def _minerals_of_keys(settings: Mapping) -> Iterator[tuple[str, str]]:
    """(key, mineral) for each mineral that a study's settings name."""
    for method in ("minerals", "embedding"):
        for name in settings.get(method, {"references": []})["references"]:
            yield f"{method}.references", name
    for zone, members in settings.get("minerals", {"zones": {}})["zones"].items():
        yield from ((f"minerals.zones.{zone}", name) for name in members)
    for zone, own in settings.get("zones", {"alteration": {}})["alteration"].items():
        yield from ((f"zones.alteration.{zone}", name) for name in own["minerals"])
    for name in settings.get("targets", {"minerals": []})["minerals"]:
        yield "targets.minerals", name


def _names_in(source: str) -> str | None:
    """Where the names of a library's spectra stand, as one plain text; None where that is unknown.

    Names of the files of a folder with their first lines, the head of a table or of an ENVI
    header. It is a glance and no reading: a name that is nowhere in it is not in the library.
    """
    path = Path(source)
    if source == ANALYTIC or not path.exists():
        return None
    files = list_files(path, "**/*") if path.is_dir() else [path]
    texts = (part for item in files for part in (item.name, _head(_named_by(item), len(files))))
    return _plain(" ".join(texts))


def _named_by(path: Path) -> Path:
    """The file that tells the names of an ENVI library's spectra: its header."""
    if path.suffix.lower() != ".sli":
        return path
    return find_beside(path, f"{path.stem}.hdr", f"{path.name}.hdr") or path


def _head(path: Path, files: int) -> str:
    holds_many = files == 1 or path.suffix.lower() in (".csv", ".hdr")
    size = _HEAD_BYTES if holds_many else _TITLE_BYTES
    with path.open("rb") as stream:
        data = stream.read(size)
    return data.decode("utf-16" if data.startswith(UTF_16) else "utf-8", errors="replace")


def _is_in(text: str | None, mineral: MapClass) -> bool:
    names = [name for name in (mineral.name, mineral.record) if name]
    return text is not None and any(_plain(name) in text for name in names)


def _plain(text: str) -> str:
    return plain_text(text.lower().replace("_", " "))


def _files_named(settings: Mapping) -> list[tuple[str, str]]:
    """(key, path) of each file that a study's settings name."""
    named = [("classes", settings["classes"])]
    named += [("library", path) for path in settings["library"]]
    named.append(("cube.polygon", settings["cube"]["polygon"]))
    for method in methods_of(settings):
        section = settings[method]
        named += [(f"{method}.library", path) for path in section.get("library", [])]
        if method != "embedding":
            named.append((f"{method}.model", section.get("model", "")))
    if "minerals" in settings:
        named.append(("minerals.from_scene", settings["minerals"]["from_scene"]))
    if "zones" in settings:
        named.append(("zones.score.model", settings["zones"]["score"]["model"]))
        named.append(("zones.faults", settings["zones"]["faults"]))
    if "prospects" in settings:
        section = settings["prospects"]
        surveys = ("mines", "ore_points", "geology", "claims", "occurrences")
        surveys += ("known_mines", "districts")
        named += [(f"prospects.{key}", section[key]) for key in surveys]
        named += [
            (f"prospects.points.{key}", section["points"][key])
            for key in ("train", "test", "classes")
        ]
        named += [("prospects.rasters", path) for path in section["rasters"]]
        named.append(("prospects.forest.plans", section["forest"]["plans"]))
        table = section.get("published", {"table": ""})["table"]
        named.append(("prospects.published.table", table))
    if "targets" in settings:
        named.append(("targets.known", settings["targets"]["known"]))
    if "embedding" in settings:
        section = settings["embedding"]
        trial = section["spectra"]
        if section["model"]:
            regions = [f"networks/{name}/model.onnx" for name in section["regions"]["names"]]
            named += [
                ("embedding.model", f"{section['model']}/{name}")
                for name in (*EMBEDDING_FILES, *regions)
            ]
        named += [
            (f"embedding.spectra.{key}", trial[key]) for key in ("training", "test", "sensors")
        ]
        for name, collection in section["pixels"].items():
            place = f"embedding.pixels.{name}"
            named += [(f"{place}.files", path) for path in collection["files"]]
            named.append((f"{place}.matrix", collection.get("matrix", {}).get("wavelengths", "")))
    return [(key, path) for key, path in named if path and path != ANALYTIC]


def _prospect_faults(section: Mapping) -> Iterator[str]:
    for key in ("test", "classes"):
        if section["points"][key] and not section["points"]["train"]:
            yield f"prospects.points.{key}: goes with train; name the training points, too"
    if "published" in section and (section["points"]["train"] or section["model"]):
        other = "model" if section["model"] else "points.train"
        yield (
            f"prospects.published: grades the strata around mines, and prospects.{other} stands in "
            "for them; leave one of the two out"
        )
    strata = section["strata"]
    if len(strata["distances_m"]) != len(strata["counts"]):
        yield (
            f"prospects.strata: {len(strata['distances_m'])} distances_m and "
            f"{len(strata['counts'])} counts; give a count for each ring"
        )


def _agreement_faults(settings: Mapping) -> Iterator[str]:
    if not {"minerals", "zones", "embedding"} & set(settings):
        yield (
            "targets: needs maps; add the section minerals, zones or embedding, or prospects with "
            "mines instead of points"
        )
        return
    mapping = [method for method in ("minerals", "embedding") if method in settings]
    mapped = [name for method in mapping for name in minerals_named(settings, method)]
    for name in settings["targets"]["minerals"]:
        if name not in mapped:
            yield (
                f"targets.minerals: {name!r} is on no map; add it to the references of minerals or "
                "embedding"
            )
    zones = settings.get("zones", {"alteration": {}})["alteration"]
    for name in settings["targets"]["zones"]:
        if name not in zones:
            yield (
                f"targets.zones: {name!r} is no zone of zones.alteration; it has "
                f"{', '.join(zones) or 'none'}"
            )


def _published_zone_faults(section: Mapping) -> Iterator[str]:
    """Where the zones of a study and the method as published contradict each other."""
    published = section.get("published")
    if published is None:
        return
    if published["keep"] == "values":
        if section["normalisation"] != "minmax":
            yield (
                "zones.published: the bands are not scaled to 0–1 (zones.normalisation: "
                f"{section['normalisation']}), so that the 0 of what is no anomaly means nothing; "
                "set zones.normalisation to minmax, or zones.published.keep to marks"
            )
        if published["mad"]["side"] != "high":
            yield (
                f"zones.published.mad.side: {published['mad']['side']} anomalies are near the 0 of "
                "what is none; set zones.published.keep to marks"
            )
    zones, ranges = section["alteration"], published["alteration"]
    if set(zones) != set(ranges):
        yield (
            f"zones.published.alteration: has ranges of {', '.join(ranges)}, where "
            f"zones.alteration has the zones {', '.join(zones)}; give ranges of the same zones"
        )
    for zone, own in ranges.items():
        yield from _range_faults(f"zones.published.alteration.{zone}", own)


def _range_faults(place: str, own: Mapping) -> Iterator[str]:
    """Ranges of confidence in a zone that are none."""
    for level in ("medium", "high"):
        low, high = own[level]
        if low >= high:
            yield f"{place}.{level}: [{low:g}, {high:g}] is no range; give the lower end first"


def _key_faults(settings: Mapping) -> Iterator[str]:
    """Keys that do not go together."""
    for place, section in (("cube", settings["cube"]), ("zones", settings.get("zones"))):
        relative = {"iarr", "log_residuals"} & set((section or {}).get("atmosphere", [])[-1:])
        if relative and section["normalisation"] == "clip":
            yield (
                f"{place}.normalisation: clip would cut what {relative.pop()} gives, ratios around "
                "1; use minmax or none"
            )
    if settings["cube"]["window"] and settings["cube"]["polygon"]:
        yield "cube.window: stands beside polygon; give one of them"
    ranges = {
        "stack.excluded_um": settings["stack"]["excluded_um"],
        "minerals.range_um": settings.get("minerals", {"range_um": []})["range_um"],
    }
    for key, given in ranges.items():
        for low, high in given:
            if low >= high:
                yield f"{key}: [{low:g}, {high:g}] is no range; give the lower end first"
    for zone, own in settings.get("zones", {"alteration": {}})["alteration"].items():
        yield from _range_faults(f"zones.alteration.{zone}", own)
    yield from _published_zone_faults(settings.get("zones", {}))
    if "patches" in settings and "minerals" not in settings:
        yield "patches: needs a mineral map; add the section minerals"
    published = settings.get("patches", {}).get("published")
    if published:
        copies = 2 * published["rotations"] * published["patches"]
        if published["images"] > copies:
            yield (
                f"patches.published.images: {published['patches']} patches make {copies} copies; "
                "keep as many at most"
            )
    if "targets" in settings and not has_potential(settings):
        yield from _agreement_faults(settings)
    if "prospects" in settings:
        yield from _prospect_faults(settings["prospects"])
    if "embedding" in settings:
        trial = settings["embedding"]["spectra"]
        given = [key for key in ("training", "test", "sensors") if trial[key]]
        if given and len(given) < 3:
            yield "embedding.spectra: training, test and sensors go together; give all or none"
        for name, collection in settings["embedding"]["pixels"].items():
            if "matrix" in collection and len(collection["files"]) > 1:
                yield f"embedding.pixels.{name}.files: a matrix is of one file; name one"
        both = settings["embedding"]["sensors"], settings["stack"]["sensors"]
        if all(both) and set(both[0]) != set(both[1]):
            yield "embedding.sensors: are not those of stack.sensors; give one of the two keys"
    levels = {
        "prospects.potential": settings.get("prospects", {}).get("potential"),
        "targets": settings.get("targets"),
    }
    for key, given in levels.items():
        if given and given["medium"] > given["high"]:
            yield f"{key}: medium lies above high; exchange them"
