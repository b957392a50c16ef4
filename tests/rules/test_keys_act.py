"""Every key of the schema, set to what is not its default, is seen in what is planned."""

import csv
import json
import re

import pytest
from dry_runs import run_all
from odd_texts import OddTexts, read_schema
from planned_commands import arguments_of, run_commands
from projects import copy_project

from gossan.schema import resolve

# Keys that exclude one another stand in different studies: (section, key) left out of each.
STUDIES = {
    "surveyed": {("prospects", "points"), ("cube", "window"), ("embedding", "sensors")},
    "pointed": {
        *(("cube", "polygon"), ("stack", "sensors"), ("cube", "bands")),
        ("prospects", "published"),
    },
    "borrowed": {
        *(("prospects", "points"), ("cube", "window"), ("embedding", "sensors")),
        ("prospects", "published"),
    },
}
# What schemas do not tell: values that go together, or with the scene.
CHOSEN = {
    ("paper",): "gilgit",
    ("cube", "bands", "*"): ["odd 1", "odd 2"],
    ("cube", "wavelengths_um"): [0.511, 0.611, 0.711, 0.811, 0.911, 1.011, 2.111, 2.211],
    ("cube", "window"): [11, 12, 6013, 6014],
    ("cube", "atmosphere"): ["cost"],
    ("cube", "resolution_m"): 20,
    ("stack", "sensors"): ["rasters"],
    ("stack", "excluded_um"): [[0.311, 0.322]],
    ("stack", "extent"): "intersection",
    ("minerals", "match"): "sid",
    ("minerals", "teach", "model"): "forest",
    ("minerals", "sensors"): ["rasters"],
    ("minerals", "range_um"): [[0.502, 2.302]],
    ("mnf", "sensors"): ["rasters"],
    ("mnf", "components"): 5,
    ("patches", "sensors"): ["rasters"],
    ("zones", "sensors"): ["rasters"],
    ("zones", "centres_um"): [2.11, 2.21],
    ("zones", "atmosphere"): ["cost"],
    ("zones", "score", "buffer_px"): 7,
    ("prospects", "sensors"): ["rasters"],
    ("prospects", "strata", "distances_m"): [101.5, 202.5],
    ("prospects", "strata", "counts"): [21, 22],
    ("targets", "periods"): ["1881-1882"],
    ("mosaic", "teacher"): "drawn",
    ("targets", "zones"): ["any"],
    ("embedding", "sensors"): ["rasters"],
    ("embedding", "regions", "names"): ["2um"],
    ("embedding", "pixels", "*", "sensor"): "enmap",
}
# Of a method, where its results show that it runs on the sensor that the key names.
PLACES = {
    key: f"/rasters/{key[0]}/" for key in CHOSEN if key[1:] == ("sensors",) and key[0] != "stack"
} | {
    ("stack", "sensors"): "/rasters/cube/",
    ("embedding", "sensors"): "/rasters/cube/",
    ("minerals", "rule_images"): "/minerals/rules.tif",
    ("mosaic", "teacher"): "--teacher=drawn",
    ("patches", "published", "all_classes"): "/networks/paper-all-blocked/",
}
# What a key switches off: there without it, in the study `drawn`, and gone with it.
GONE = {("cube", "images"): "/{study}/rasters/images/"}
# Keys whose flag is called otherwise than the key.
FLAGS = {
    "size": "embedding",
    "table": "assignments",
    "patches": "source_patches",
    "masking": "max_masked",
    "names": "region",
    "endmembers": "endmember_count",
    "name": "wavelet",
    "compare": "wavelets",
    "excluded_um": "exclude_um",
    "max_angle_rad_of": "max_angle_rad",
}


class Values:
    """Values that are no defaults, each number another one."""

    def __init__(self, schema, odd):
        self.schema, self.odd, self.count = schema, odd, 0
        self.told = {}

    def of(self, part, place):
        """A value for a schema; of a section, one for each of its keys."""
        part = resolve(part, self.schema)
        if "properties" in part:
            return {key: self.of(inner, (*place, key)) for key, inner in part["properties"].items()}
        if place in self.told:
            value = self.told[place]
        elif place in CHOSEN:
            value = CHOSEN[place]
        elif isinstance(part.get("additionalProperties"), dict):
            name = "rasters" if place[-1] == "bands" else "any"
            name = self.odd.minerals[0] if place[-1] == "max_angle_rad_of" else name
            return {name: self.of(part["additionalProperties"], (*place, "*"))}
        else:
            value = self._single(part, place)
        self.told[place] = value
        return value

    def _single(self, part, place):
        kinds = part.get("type", ())
        if "enum" in part:
            return next(item for item in part["enum"] if item != part.get("default"))
        if "boolean" in kinds:
            return not part["default"]
        if "string" in kinds:
            return self.odd.of(("studies", "*", *place), part)[0]
        if "array" in kinds:
            items = resolve(part["items"], self.schema)
            if items.get("type") == "string" and not {"enum", "pattern"} & set(items):
                texts = self.odd.of(("studies", "*", *place), items)
                return texts[:1] if place[-1] == "files" else texts
            wanted = max(part.get("minItems", 1), 1)
            if "enum" in items:
                old = part.get("default") or []
                return [item for item in items["enum"] if item not in old][:wanted] or old[:1]
            return sorted(self._single(items, place) for _ in range(wanted))
        return self._number(part, whole="integer" in kinds)

    def _number(self, part, whole):
        self.count += 1
        low = part.get("minimum", part.get("exclusiveMinimum", 0))
        high = part.get("maximum", part.get("exclusiveMaximum"))
        if not whole:
            return round(low + (1 if high is None else high - low) * (0.3 + self.count / 1000), 6)
        step = part.get("multipleOf", 1)
        value = max(low, 1000 if high is None or high > 2000 else low) + self.count
        value = low + (self.count % (high - low) or 1) if high and value > high else value
        value -= value % step
        return value + step if value == part.get("default") else value


def make_config(folder):
    schema = read_schema()
    values = Values(schema, OddTexts(folder, "odd", "odd"))
    study = resolve(schema["$defs"]["study"], schema)
    studies = {}
    for name, without in STUDIES.items():
        made = values.of(study, ())
        for section, key in without:
            made[section].pop(key)
        made.pop("mosaic")
        for section in made.values() if name != "borrowed" else ():
            if isinstance(section, dict):
                section.pop("model", None)
        made["zones"]["score"].pop("model") if name != "borrowed" else None
        if name == "borrowed":
            made["minerals"].pop("library"), made["zones"].pop("library")
            made["embedding"].pop("library")
            for key in ("spectra", "pixels"):
                made["embedding"].pop(key)
        studies[name] = made
    # Points that are drawn from a class raster; several sensors, of which one is filled in.
    studies["drawn"] = {"prospects": {**studies["pointed"]["prospects"], "sensors": []}}
    studies["drawn"]["prospects"]["points"] = {
        **studies["pointed"]["prospects"]["points"],
        **{"train": "drawn.tif", "test": ""},
    }
    # Scenes of one ground, which another one teaches.
    studies["joined"] = {
        "prospects": studies["drawn"]["prospects"],
        "mosaic": {"teacher": values.told["mosaic", "teacher"]},
    }
    filler = studies["surveyed"]["embedding"]["filler"]
    studies["simulated"] = {
        "mnf": {},
        "cube": {"resolution_m": 20},
        "embedding": {"filler": filler},
    }
    top = {"block_px": 97, "accuracy": {}, "twin": {"size_px": {}}}
    for key, part in schema["properties"]["accuracy"]["properties"].items():
        top["accuracy"][key] = values.of(part, ("accuracy", key))
    for key, part in schema["properties"]["twin"]["properties"].items():
        top["twin"][key] = values.of(part, ("twin", key))
    top["accuracy"]["design"] = "stratified"
    values.told[("block_px",)] = 97
    rows = [["scene", "study", "sensor", "product", "truth"]]
    for name in (*STUDIES, "drawn"):
        (folder / f"{name}.tif").touch()
        (folder / f"{name}.gpkg").touch()
        truth = "" if name == "borrowed" else f"{name}.gpkg"
        rows.append([name, name, "rasters", f"{name}.tif", truth])
    rows += [[f"joined-{place}", "joined", "rasters", "drawn.tif", ""] for place in (1, 2)]
    rows += [
        [ground, "simulated", sensor, f"twin:{ground}", "twin"]
        for ground, sensor in (
            *(("porphyry", "landsat"), ("porphyry", "emit"), ("porphyry-zones", "aster")),
            *(("iron", "sentinel2"), ("epithermal", "emit")),
        )
    ]
    with (folder / "own.tsv").open("w", newline="") as stream:
        csv.writer(stream, delimiter="\t").writerows(rows)
    config = {"scenes": "own.tsv", "studies": studies, **top}
    (folder / "own.yaml").write_text(json.dumps(config))
    return values.told


def keys_of(part, schema, place=()):
    """Each key of a schema that takes a value, `*` for a name of the user's choice."""
    part = resolve(part, schema)
    if "properties" in part:
        for key, inner in part["properties"].items():
            yield from keys_of(inner, schema, (*place, key))
    elif isinstance(part.get("additionalProperties"), dict):
        yield from keys_of(part["additionalProperties"], schema, (*place, "*"))
    else:
        yield place


def emptied(part, schema, place=()):
    """The keys of a schema that may be empty lists or mappings, each with its schema."""
    part = resolve(part, schema)
    if "properties" in part:
        for key, inner in part["properties"].items():
            yield from emptied(inner, schema, (*place, key))
    elif part.get("type") == "object" and not part.get("minProperties"):
        yield place, part, {}
    elif "array" in part.get("type", ()) and not part.get("minItems"):
        yield place, part, []


def empty_all(folder):
    """Write a second file in which all that may be empty is, and return those keys."""
    schema = read_schema()
    found = list(emptied(schema["$defs"]["study"], schema))
    studies = json.loads((folder / "own.yaml").read_text())["studies"]
    for study in studies.values():
        for (*sections, key), _, value in found:
            section = study
            for name in sections:
                section = section.get(name, {})
            if key in section:
                section[key] = value
    (folder / "empty.yaml").write_text(json.dumps({"studies": studies}))
    return [(key, part) for key, part, _ in found]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project, what each key is told, and dry runs of a configuration and of that emptied."""
    folder = copy_project(tmp_path_factory.mktemp("keys"))
    told = make_config(folder)
    empty_all(folder)
    words = ("--forceall", "--printshellcmds", "--configfile")
    jobs = [[*words, "own.yaml"], [*words, "own.yaml", "empty.yaml"]]
    return folder, told, run_all(folder, jobs, folder)


def calls_of(folder, name, run):
    code, listing = run
    assert code == 0, listing[-4000:]
    return [arguments_of(call) for call in run_commands(folder, name, listing)]


def test_what_a_second_file_empties_is_in_no_command(project):
    folder, told, runs = project
    calls = calls_of(folder, "emptied", runs[1])
    values = {text for call in calls for texts in call.values() for text in texts}
    for key, part in empty_all(folder):
        assert "empty" in part["description"].lower(), key
        inner = [value for place, value in told.items() if place[: len(key)] == key]
        for wanted in (str(item) for value in inner for item in _flat(value)):
            # Words of the schema and names of minerals are told by other keys, too.
            if re.fullmatch(r"\d+\.\d{3,}|\d{4,}|odd studies.*", wanted):
                assert wanted not in values, key


def test_each_key_is_seen_in_a_command(project):
    folder, told, runs = project
    calls, listing = calls_of(folder, "full", runs[0]), runs[0][1]
    schema = read_schema()
    study = list(keys_of(schema["$defs"]["study"], schema))
    assert set(study) <= set(told), set(study) - set(told)
    unseen = []
    for key, value in told.items():
        wanted = [str(item) for item in _flat(value)]
        name = next(part for part in reversed(key) if part != "*")
        flags = {name, FLAGS.get(name, name)}
        seen = {
            text
            for call in calls
            for flag, texts in call.items()
            for text in texts
            if flag in flags or len(wanted[0]) > 3
        }
        if key in GONE:
            there = GONE[key].format(study="drawn"), GONE[key].format(study="surveyed")
            if [place in listing for place in there] != [True, False]:
                unseen.append(key)
        elif key in PLACES:
            if PLACES[key] not in listing:
                unseen.append(key)
        elif not all(any(_same(item, text) for text in seen) for item in wanted):
            unseen.append((key, value))
    assert not unseen, "\n".join(map(str, unseen))


def _flat(value):
    return [part for item in value for part in _flat(item)] if isinstance(value, list) else [value]


def _same(wanted, text):
    try:
        return float(wanted) == float(text.rpartition("=")[2])
    except ValueError:
        return wanted in text
