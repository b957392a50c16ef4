"""Whatever a user writes reaches the tools as it is: no shell, no flag, no wildcard takes it."""

import csv
import json

import pytest
from dry_runs import run_all
from odd_texts import OWN_WORDS, OddTexts, build, free_texts, read_schema, write_lock
from planned_commands import arguments_of, run_commands
from projects import copy_project

from gossan.schema import fill_defaults, resolve, schema_faults

HOSTILE = "$(touch PWNED)`touch PWNED`; touch PWNED; '\" "
ODD = "-d'or {x} é ü.b=1"
# Snakemake would take a name in braces for a wildcard of a path.
ODD_PATH = "-d'or { é ü.b=1"
# Two of one study's keys that exclude one another: each is set in one of three studies.
STUDIES = {
    "surveyed": {"prospects": ("points", "model"), "*": ("model",)},
    "pointed": {"prospects": ("model", "published"), "*": ("model",)},
    "borrowed": {"prospects": ("points", "published"), "*": ("spectra", "pixels", "library")},
}
TEXTS = {"hostile": (HOSTILE, HOSTILE), "odd": (ODD, ODD_PATH)}


def make_config(folder, kind):
    """A configuration of three studies and their scenes, and the texts by key."""
    text, path = TEXTS[kind]
    schema = read_schema()
    odd = OddTexts(folder, text, path)
    study = resolve(schema["$defs"]["study"], schema)
    studies = {}
    for name, without in STUDIES.items():
        made = build(study, schema, odd, ("studies", "*"))
        for method in [
            key for key in study["properties"] if "properties" in study["properties"][key]
        ]:
            section = made.setdefault(method, {})
            for key in (*without.get(method, ()), *without["*"]):
                section.pop(key, None)
                if isinstance(section.get("score"), dict):
                    section["score"].pop(key, None)
        made.pop("mosaic")
        if name == "borrowed":
            made["targets"]["minerals"] = odd.minerals
        made["zones"]["alteration"]["any"] |= {"medium": [0.1, 0.2], "high": [0.2, 0.3]}
        made["cube"]["wavelengths_um"] = [0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 2.1, 2.2]
        made["zones"]["centres_um"] = [2.1, 2.2]
        studies[name] = made
    rows = [["scene", "study", "sensor", "product", "truth"]]
    for number, name in enumerate(studies):
        cells = [f"{path} {column} {number}.tif" for column in ("product", "truth")]
        for cell in cells:
            (folder / cell).touch()
        odd.told |= {("table", "product"): cells[:1]}
        # A scene with a truth trains a score of its own.
        odd.told |= {("table", "truth"): cells[1:]} if name != "borrowed" else {}
        cells[1] = "" if name == "borrowed" else cells[1]
        rows.append([f"scene-{number}", name, "rasters", *cells])
    rows.append(["fetched", "surveyed", "rasters", "fetch:any", ""])
    table = f"{path} scenes.tsv"
    with (folder / table).open("w", newline="") as stream:
        writer = csv.writer(stream, delimiter="\t", quoting=csv.QUOTE_NONE, quotechar=None)
        writer.writerows(rows)
    config = {"scenes": table, "studies": studies, "fetch": write_lock(odd, schema)}
    (folder / f"{kind}.yaml").write_text(json.dumps(config))
    return odd


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return copy_project(tmp_path_factory.mktemp("project"))


def test_every_text_of_config_and_table_reaches_a_tool_as_it_is(project, tmp_path):
    made = {kind: make_config(project, kind) for kind in TEXTS}
    words = ("--forceall", "--printshellcmds", "--configfile")
    runs = run_all(project, [[*words, f"{kind}.yaml"] for kind in TEXTS], tmp_path)
    known = {key for key, _ in free_texts(read_schema(), read_schema())}
    for (kind, odd), (code, listing) in zip(made.items(), runs, strict=True):
        assert code == 0, listing[-3000:]
        calls = run_commands(project, kind, listing)
        assert not list(project.rglob("PWNED"))
        told = [arguments_of(call) for call in calls]
        values = [text for flags in told for texts in flags.values() for text in texts]
        assert {key for key in known if not set(OWN_WORDS) & set(key)} <= set(odd.told)
        for key, texts in odd.told.items():
            assert any(texts[0] in value for value in values), (kind, key)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (
            {"studies": {"mine": {"mnf": {}, "cube": {"polygon": "a{b}.gpkg"}}}},
            "studies.mine.cube.polygon: a{b}.gpkg: Snakemake puts something else in place of {b}",
        ),
        (
            {"studies": {"mine": {"mnf": {}, "cube": {"polygon": "<logs>.gpkg"}}}},
            "<logs>.gpkg: Snakemake puts something else in place of <logs>",
        ),
        ({"pathvars": {"results": "{sensor}"}}, "pathvars.results: {sensor}: Snakemake puts"),
        ({"pathvars": {"results": "-out"}}, "pathvars.results: '-out' begins with a hyphen"),
        (
            {"studies": {"mine": {"cube": {"bands": {"rasters": ["a\x00"]}}}}},
            "studies.mine.cube.bands.rasters: 'a\\x00' holds a character that no line of text has",
        ),
        (
            {"studies": {"mine": {"cube": {"scale": float("nan")}}}},
            "studies.mine.cube.scale: nan is no finite number",
        ),
    ],
)
def test_what_no_command_line_can_carry_is_refused_by_key(config, expected):
    faults = schema_faults(fill_defaults(config, read_schema()), read_schema())
    assert any(expected in fault for fault in faults), faults
