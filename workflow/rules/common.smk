# Functions only: checked settings, and the code and data files that rules name as inputs.

import ast
import hashlib
import importlib.util
import json
import shlex
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError


def source(path):
    """A file of this repository, by its path from the root, wherever the workflow runs from."""
    return workflow.source_path(f"../../{path}")


# Folders of scripts/gossan.
ROOMS = (
    "accuracy",
    "cube",
    "embedding",
    "library",
    "minerals",
    "networks",
    "patches",
    "products",
    "prospects",
    "report",
    "transforms",
    "twin",
    "zones",
)

# The import closure of a tool: Snakemake does not see an edit in an imported module, so rules
# name the modules as inputs and carry a digest of their content as a parameter.
FILES = {}


def closure(tool):
    """Repository paths of a tool and of all that it imports from this repository: path to text."""
    found = {}
    waiting = [f"scripts/{tool}.py"]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found[path], modules = read_code(path)
            waiting += modules
    return found


def read_code(path):
    """The text of a file of this repository, and the paths of what it imports from there."""
    if path not in FILES:
        text = Path(source(path)).read_bytes()
        FILES[path] = text, list(imported(ast.parse(text)))
    return FILES[path]


def imported(tree):
    """Repository paths of the modules that a syntax tree imports with `from ... import`.

    What is imported for type hints alone does not run, so it does not count.
    """
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
            continue
        waiting += ast.iter_child_nodes(node)
        if isinstance(node, ast.ImportFrom):
            parts = node.module.split(".")
            if parts[0] in ("gossan", "toolkit"):
                yield from (module_file(parts[:depth]) for depth in range(1, len(parts) + 1))
            if is_room(parts):
                yield from (module_file([*parts, name.name]) for name in node.names)


def is_room(parts):
    """Whether a dotted name is a folder of modules, whose __init__.py names nothing."""
    return parts == ["gossan"] or (len(parts) == 2 and parts[0] == "gossan" and parts[1] in ROOMS)


def module_file(parts):
    """The file of a dotted module: a package's __init__.py where the name is a package."""
    if is_room(parts):
        parts = [*parts, "__init__"]
    return f"scripts/{'/'.join(parts)}.py"


def code(tool):
    """Inputs by which a job runs a tool: script and modules, whose dates do not matter."""
    script, *modules = closure(tool)
    return {
        "script": ancient(source(script)),
        "modules": [ancient(source(path)) for path in sorted(modules)],
    }


def digest(tool):
    """A digest of a tool's code, so that an edit reruns what depends on it and nothing else."""
    summary = hashlib.sha256()
    for path, text in sorted(closure(tool).items()):
        summary.update(f"{path} {len(text)}\n".encode() + text)
    return summary.hexdigest()[:16]


def load_settings_module():
    """The module gossan.config, from this repository even where another gossan is installed."""
    for name in ("__init__", "errors", "config"):
        path = source(f"scripts/gossan/{name}.py")
        dotted = "gossan" if name == "__init__" else f"gossan.{name}"
        places = [str(Path(path).parent)] if name == "__init__" else None
        spec = importlib.util.spec_from_file_location(
            dotted, path, submodule_search_locations=places
        )
        loaded = importlib.util.module_from_spec(spec)
        sys.modules[dotted] = loaded
        spec.loader.exec_module(loaded)
    return loaded


def check_inputs(given):
    """Settings with defaults filled in, and the scenes by name; all faults are told together."""
    checks = load_settings_module()
    schema = json.loads(Path(source("workflow/schemas/config.schema.json")).read_text())
    row_schema = json.loads(Path(source("workflow/schemas/scenes.schema.json")).read_text())
    faults = checks.schema_faults(given, schema)
    rows = []
    settings = checks.fill_defaults(given, schema)
    if not faults:
        minerals = Path(source("resources/static/minerals.csv")).read_text().splitlines()[1:]
        faults += checks.config_faults(settings, [line.split(",")[1] for line in minerals])
    try:
        rows, row_faults = checks.read_scenes(settings["scenes"], row_schema)
        faults += row_faults
    except checks.InputError as error:
        faults.append(str(error))
    if faults:
        listing = "\n".join(f"  {fault}" for fault in faults)
        raise WorkflowError(f"Correct the configuration ({len(faults)} to mend):\n{listing}")
    return settings, checks.group_scenes(rows)


def study_of_scene(scene):
    """Settings of the study that a scene belongs to."""
    return SETTINGS["studies"][SCENES[scene]["study"]]


def study_of(wildcards):
    """Settings of the study of the scene among the wildcards."""
    return study_of_scene(wildcards.scene)


def scenes_of(study):
    """Names of a study's scenes, in the table's order."""
    return [name for name, row in SCENES.items() if row["study"] == study]


# What a simulated scene consists of, by sensor: the product and what is known of its ground.
TWIN_PRODUCT = {"landsat": "product.tar", "aster": "product.hdf", "sentinel2": "dates"}
TWIN_REFERENCE = {
    "landsat": "truth.tif",
    "aster": "zones.gpkg",
    "sentinel2": "truth.tif",
    "several": "truth.tif",
}
SURVEYS = ["mines", "ore_points", "geology", "claims", "occurrences"]
TWIN_RASTERS = ["dem", "magnetics"]


def scenes_by(column, *values):
    """A pattern of the names of the scenes with one of these values in a column of their table."""
    return "|".join(name for name, row in SCENES.items() if row[column] in values) or "(?!)"


def product_of(wildcards):
    """Path of a scene's product."""
    row = SCENES[wildcards.scene]
    if row["product"] == "twin":
        return f"results/scenes/{row['scene']}/twin/{TWIN_PRODUCT[row['sensor']]}"
    return row["product"]


# Sensors that a scene of cuprite may have, in the order of its stack, and what each leaves of a
# simulated scene.
SENSORS = {
    "emit": "emit.nc",
    "enmap": "enmap",
    "prisma": "prisma.he5",
    "sentinel2": "sentinel2",
    "worldview3": "worldview3",
}


SENTINEL2_BANDS = [
    "B01",
    "B02",
    "B03",
    "B04",
    "B05",
    "B06",
    "B07",
    "B08",
    "B8A",
    "B09",
    "B11",
    "B12",
]


def sensors_of(scene):
    """The sensors of a scene that has several, in the order of its stack."""
    if SCENES[scene]["sensor"] != "several":
        return []
    return [sensor for sensor in SENSORS if sensor in SCENES[scene]["products"]]


def sensor_product(wildcards):
    """Path of the product of one of a scene's sensors."""
    product = SCENES[wildcards.scene]["products"][wildcards.sensor]
    if product == "twin":
        return f"results/scenes/{wildcards.scene}/twin/{SENSORS[wildcards.sensor]}"
    return product


def sensor_files(scene, name):
    """Paths of a file that each of a scene's sensors has."""
    return [f"results/scenes/{scene}/sensors/{sensor}/{name}" for sensor in sensors_of(scene)]


def reference_of(wildcards):
    """Path of a scene's ground truth, or an empty list where there is none."""
    row = SCENES[wildcards.scene]
    if row["reference"] == "twin":
        return f"results/scenes/{row['scene']}/twin/{TWIN_REFERENCE[row['sensor']]}"
    return row["reference"] or []


def survey_of(name):
    """A function of the wildcards: a vector file of the study, or an empty list without one."""

    def path(wildcards):
        if SCENES[wildcards.scene]["product"] == "twin":
            return f"results/scenes/{wildcards.scene}/twin/{name}.gpkg"
        return study_of(wildcards)[name] or []

    return path


def rasters_of(wildcards):
    """Further rasters that a forest may use as features."""
    if SCENES[wildcards.scene]["product"] == "twin":
        return [f"results/scenes/{wildcards.scene}/twin/{name}.tif" for name in TWIN_RASTERS]
    return study_of(wildcards)["rasters"]


def has_points(scene):
    """Whether a study comes with labelled points, so that no strata are sampled."""
    return bool(study_of_scene(scene)["points"]["train"])


def points_of(wildcards):
    """The labelled points that forests learn from."""
    given = study_of(wildcards)["points"]["train"]
    return given or f"results/scenes/{wildcards.scene}/samples/samples.gpkg"


def test_points_of(wildcards):
    """The labelled points that forests are tested on, where another file holds them."""
    return study_of(wildcards)["points"]["test"] or []


def cover_classes(wildcards):
    """The class table of the labelled points: their own, or kinds of cover."""
    return study_of(wildcards)["points"]["classes"] or source("resources/static/covers.csv")


def target_classes(wildcards):
    """The class table of a forest's target: cover (or the points' own classes), or iron grades."""
    iron = wildcards.target == "iron"
    return source("resources/static/iron.csv") if iron else cover_classes(wildcards)


def plans_of(wildcards):
    """The forests to test."""
    own = study_of(wildcards)["forest"]["plans"]
    return own or source("resources/static/forest_plans.json")


def labels_of(wildcards):
    """What a forest learns from: labelled points, or the SAM map of iron grades."""
    iron = wildcards.target == "iron"
    return f"results/scenes/{wildcards.scene}/labels/iron.tif" if iron else points_of(wildcards)


def score_model(wildcards):
    """The models that score a scene without a reference, or an empty list."""
    model = study_of(wildcards)["score"]["model"]
    return model if model and not reference_of(wildcards) else []


def is_scored(scene):
    """Whether a scene can have an alteration score: by its own reference or another's models."""
    return bool(SCENES[scene]["reference"] or study_of_scene(scene)["score"]["model"])


def patches_of(wildcards):
    """The patches that a network learns from."""
    store, images, *_ = NETWORKS[wildcards.network]
    return f"results/scenes/{wildcards.scene}/cnn/patches/{store}/{images}.npz"


def patch_table_of(wildcards):
    """The table of the patches that a network learns from."""
    store, *_ = NETWORKS[wildcards.network]
    return f"results/scenes/{wildcards.scene}/cnn/patches/{store}/patches.csv"


def networks_of(scene):
    """Names of the networks that are trained on a scene's mineral map."""
    return list(NETWORKS) if study_of_scene(scene)["cnn"]["run"] else []


def network_figures(study):
    """Figures of the networks of a study's scenes."""
    return [
        f"results/scenes/{scene}/cnn/figures/{figure}.png"
        for scene in scenes_of(study)
        for figure in CNN_FIGURES
        if networks_of(scene)
    ]


def network_flags(study):
    """The networks of a study's scenes as flags of its report."""
    flags = []
    for scene in scenes_of(study):
        folder = f"results/scenes/{scene}/cnn"
        if networks_of(scene):
            flags.append(f"--cnn {scene} {folder}/figures {folder}/map/proportions.csv")
        flags += [
            f"--network {scene} {name} {folder}/networks/{name}" for name in networks_of(scene)
        ]
    return " ".join(flags)


def scene_records(scene):
    """The accuracy records of a scene's maps: files, or folders of them."""
    folder = f"results/scenes/{scene}/accuracy"
    study = SCENES[scene]["study"]
    if study == "gilgit":
        yield f"{folder}/sam.json"
        for name in networks_of(scene):
            yield f"results/scenes/{scene}/cnn/networks/{name}/accuracy.json"
    elif study == "zafarghand":
        yield f"{folder}/confidence"
        if is_scored(scene):
            yield f"{folder}/score"
    elif study == "cuprite":
        yield f"{folder}/metric"
    else:
        yield f"{folder}/forest"
        if not has_points(scene):
            yield f"{folder}/sam.json"
        if SCENES[scene]["product"] == "twin":
            yield f"{folder}/iron.json"


def accuracy_records(study):
    """The accuracy records of a study's scenes: files, or folders of them."""
    return [path for scene in scenes_of(study) for path in scene_records(scene)]


def cube_of(wildcards):
    """The cube that a scene's maps are made of: for several sensors, their stack."""
    name = "stack/stack.tif" if sensors_of(wildcards.scene) else "cube/cube.tif"
    return f"results/scenes/{wildcards.scene}/{name}"


def classes_of(wildcards):
    """The class table of the study that a scene belongs to."""
    return f"results/studies/{SCENES[wildcards.scene]['study']}/classes.csv"


def quac_library(wildcards):
    """The spectra that quac scales a scene to, or an empty list where it is not asked for."""
    quac = "quac" in study_of(wildcards)["atmosphere"]
    return source("resources/static/analytic_library.csv") if quac else []


def area_flags(settings):
    """The part of a product that a study uses, as a flag."""
    if settings["polygon"]:
        return flag("polygon", shlex.quote(settings["polygon"]))
    return flag("window", " ".join(map(str, settings["window"])))


def subset_flags(settings):
    """The bands, the part and the pixels of a product that go into the cube, as flags."""
    bands = flag("bands", " ".join(settings.get("bands", [])))
    mask = f"--mask {' '.join(settings['mask'])}"
    ndvi = settings["ndvi_max"]
    most = "" if ndvi is None else f"--ndvi-max {ndvi}"
    return f"{area_flags(settings)} {bands} {mask} {most}"


def sensor_subset(sensor):
    """As `subset_flags`, for one of the sensors of cuprite, whose pixels are not another's."""
    # The bands of 60 m, which other studies leave out, are among those of the paper.
    bands = SENTINEL2_BANDS if sensor == "sentinel2" else []
    return subset_flags({**SETTINGS["studies"]["cuprite"], "window": [], "bands": bands})


def minerals_of(study):
    """Minerals that a study looks for: its references, or those that mark its zones."""
    settings = SETTINGS["studies"][study]
    if "references" in settings:
        return settings["references"]
    named = [name for zone in settings["zones"].values() for name in zone["minerals"]]
    return list(dict.fromkeys(named))


def zones_of(study):
    """Zones of a study with those of their minerals that it maps; a zone without any is left out."""
    settings = SETTINGS["studies"][study]
    mapped = {
        zone: [name for name in members if name in settings["references"]]
        for zone, members in settings["zones"].items()
    }
    return {zone: members for zone, members in mapped.items() if members}


def zone_maps(scene):
    """Paths of a scene's zone maps."""
    return [f"results/scenes/{scene}/zones/{zone}.tif" for zone in zones_of(SCENES[scene]["study"])]


def mineral_files(scene):
    """What the mineral maps of a scene leave for the user to open."""
    folder = f"results/scenes/{scene}"
    yield from (f"{folder}/sam/{name}.tif" for name in ("class", "angle", "margin"))
    yield from zone_maps(scene)
    yield from (
        f"{folder}/tables/{name}" for name in ("areas.csv", "signatures.csv", "pixels.gpkg")
    )
    yield from (
        f"{folder}/cube/cube.tif",
        f"{folder}/library/references.csv",
        f"{folder}/library/records.csv",
    )
    if networks_of(scene):
        yield from (
            f"{folder}/cnn/map/{name}"
            for name in ("class.tif", "probability.tif", "proportions.csv", "pixels.csv")
        )
        yield f"{folder}/cnn/patches/pair/patches.csv"
        yield from (f"{folder}/cnn/networks/{name}/model.onnx" for name in NETWORKS)


def alteration_files(scene):
    """What the maps of alteration zones of a scene leave for the user to open."""
    folder = f"results/scenes/{scene}"
    zones = study_of_scene(scene)["zones"]
    yield from (f"{folder}/confidence/{zone}.tif" for zone in zones)
    yield f"{folder}/confidence/confidence.csv"
    yield from score_files(scene)
    yield from (f"{folder}/mad/{name}" for name in ("anomalies.tif", "anomalies.csv"))
    yield from (
        f"{folder}/wavelets/{name}" for name in ("subbands.tif", "profile.csv", "comparison.csv")
    )
    yield f"{folder}/cube/cube.tif"


def prospect_files(scene):
    """What the maps of prospectivity of a scene leave for the user to open."""
    folder = f"results/scenes/{scene}"
    yield from (f"{folder}/cover/{name}.tif" for name in ("class", "probability", "uncertainty"))
    yield from (f"{folder}/forest/{name}.csv" for name in ("validation", "importance", "shap"))
    yield from (f"{folder}/forest/cover.npz", f"{folder}/cube/cube.tif")
    if has_points(scene):
        return
    yield from (f"{folder}/potential/{name}.tif" for name in ("potential", "score"))
    yield from (
        f"{folder}/targets/{name}"
        for name in ("targets.gpkg", "targets.kml", "overlay.csv", "curves.csv", "targets.json")
    )
    yield from (f"{folder}/iron/{name}.tif" for name in ("class", "probability", "uncertainty"))
    yield from (
        f"{folder}/labels/{name}"
        for name in ("iron.tif", "similarity.tif", "scan.csv", "robustness.csv", "labels.json")
    )
    yield from (f"{folder}/samples/samples.gpkg", f"{folder}/samples/strata.csv")
    yield from (
        f"{folder}/mnf/{name}"
        for name in ("components.tif", "purity.tif", "eigenvalues.csv", "endmembers.csv")
    )
    yield from (f"{folder}/forest/iron.npz", f"{folder}/cube/looks.tif")


# Flags of draw_prospects and what they name, for a scene whose strata are sampled.
PROSPECT_PARTS = {
    "looks": "cube/looks.tif",
    "samples": "samples/samples.gpkg",
    "strata": "samples/strata.csv",
    "eigenvalues": "mnf/eigenvalues.csv",
    "endmembers": "mnf/endmembers.csv",
    "scan": "labels/scan.csv",
    "robustness": "labels/robustness.csv",
    "similarity": "labels/similarity.tif",
    "labels": "labels/iron.tif",
    "potential": "potential/potential.tif",
    "targets": "targets/targets.gpkg",
    "targets-record": "targets/targets.json",
    "overlay": "targets/overlay.csv",
    "curves": "targets/curves.csv",
}


def drawn_classes(wildcards):
    """The class table of the maps that a report of prospectivity shows."""
    if has_points(wildcards.scene):
        return cover_classes(wildcards)
    return source("resources/static/iron.csv")


def prospect_parts(wildcards):
    """Flags of draw_prospects beyond those that every scene has, with the files they name."""
    folder = f"results/scenes/{wildcards.scene}"
    target = "cover" if has_points(wildcards.scene) else "iron"
    parts = {
        flag_name: f"{folder}/{target}/{name}.tif"
        for flag_name, name in (
            ("class-map", "class"),
            ("probability", "probability"),
            ("uncertainty", "uncertainty"),
        )
    }
    if target == "iron":
        parts |= {name: f"{folder}/{path}" for name, path in PROSPECT_PARTS.items()}
        surveys = ("mines", "geology", "claims", "occurrences")
        parts |= {
            name: survey_of(name)(wildcards) for name in surveys if survey_of(name)(wildcards)
        }
    return parts


def prospect_tables(study):
    """Tables of a study's scenes as flags of its report."""
    sampled = {
        "strata": "samples/strata.csv",
        "eigenvalues": "mnf/eigenvalues.csv",
        "labels": "labels/labels.json",
        "robustness": "labels/robustness.csv",
        "forest": "forest/iron.json",
        "targets": "targets/targets.json",
        "overlay": "targets/overlay.csv",
    }
    return " ".join(
        f"--table {name} {scene} results/scenes/{scene}/{path}"
        for scene in scenes_of(study)
        for name, path in (
            {"forest": "forest/cover.json"} if has_points(scene) else sampled
        ).items()
    )


def truth_raster(wildcards):
    """The reference of a scene of cuprite where it is a raster, so that it can be drawn."""
    reference = reference_of(wildcards)
    return reference if str(reference).lower().endswith((".tif", ".tiff")) else []


def network_paths(scene, name):
    """Paths of a file of each network of a scene of cuprite, by the network."""
    folder = f"results/scenes/{scene}/metric"
    paths = {embedding: f"{folder}/networks/{embedding}/{name}" for embedding in EMBEDDINGS}
    return {**paths, "filler": f"{folder}/filler/{name}"}


def sensor_tables(scene):
    """Tables and records of a scene of cuprite that its report shows, by their names there."""
    folder = f"results/scenes/{scene}/metric"
    tables = {
        "areas": f"{folder}/map/areas.csv",
        "sensor_areas": f"{folder}/map/sensor_areas.csv",
        "references": f"results/scenes/{scene}/library/references.csv",
        "spectra": f"results/scenes/{scene}/library/records.csv",
        **network_paths(scene, "record.json"),
    }
    if SCENES[scene]["reference"]:
        names = ("detection", "subsets", "similarity", "coverage")
        tables |= {name: f"{folder}/assessment/{name}.csv" for name in names}
    return tables


def trial_files(study):
    """Scores and record of the trial on real spectra, where a study has one."""
    if not SETTINGS["studies"][study]["spectra"]["training"]:
        return []
    return [f"results/studies/{study}/spectra/{name}" for name in ("scores.csv", "record.json")]


def matrix_of(wildcards):
    """Where the spectra of a collection stand in its MATLAB file; empty for another format."""
    return SETTINGS["studies"]["cuprite"]["pixels"][wildcards.collection].get("matrix", {})


def collection_files(wildcards):
    """Files of a collection of measured spectra."""
    if matrix_of(wildcards):
        return f"results/studies/cuprite/pixels/{wildcards.collection}/spectra.csv"
    return SETTINGS["studies"]["cuprite"]["pixels"][wildcards.collection]["files"]


def collection_summaries(study):
    """Summaries of the named collections of spectra, by collection."""
    names = SETTINGS["studies"][study]["pixels"]
    return {name: f"results/studies/{study}/pixels/{name}/summary.csv" for name in names}


def sensor_figures(scene):
    """Figures of a scene of cuprite."""
    tested = DETECTOR_FIGURES if SCENES[scene]["reference"] else []
    return [f"results/scenes/{scene}/figures/{name}.png" for name in [*SENSOR_FIGURES, *tested]]


def sensor_study_files(scene):
    """What the maps from several sensors of a scene leave for the user to open."""
    folder = f"results/scenes/{scene}"
    yield from (f"{folder}/metric/map/{name}.tif" for name in ("class", "answer", "distance"))
    yield from (f"{folder}/metric/map/{name}.csv" for name in ("areas", "sensor_areas"))
    yield f"{folder}/metric/assessment/thresholds.json"
    yield from network_paths(scene, "model.onnx").values()
    yield from (f"{folder}/stack/{name}" for name in ("stack.tif", "sensors.tif", "bands.csv"))


STUDY_FILES = {
    "gilgit": mineral_files,
    "zafarghand": alteration_files,
    "bahia": prospect_files,
    "cuprite": sensor_study_files,
}


def study_files(study):
    """What a study leaves for the user to open, by path."""
    return [path for scene in scenes_of(study) for path in STUDY_FILES[study](scene)]


def scene_flags(study, *files):
    """The scenes of a study as flags of a report: each with the paths of these files of its own."""
    return " ".join(
        f"--scene {scene} {' '.join(f'results/scenes/{scene}/{name}' for name in files)}"
        for scene in scenes_of(study)
    )


def score_files(scene):
    """What the alteration score of a scene is drawn from; nothing where it has none."""
    folder = f"results/scenes/{scene}/score"
    zones = study_of_scene(scene)["zones"]
    names = ["score.json", "curves.csv", *(f"{zone}.tif" for zone in zones)]
    return [f"{folder}/{name}" for name in names] if is_scored(scene) else []


def score_draw_flags(scene):
    """The alteration score of a scene as flags of draw_zones."""
    if not is_scored(scene):
        return ""
    record, curves, *scores = score_files(scene)
    return f"--score-record {record} --curves {curves} --scores {' '.join(scores)}"


def score_flags(study):
    """The scored scenes of a study as flags of its report."""
    return " ".join(
        f"--score {scene} results/scenes/{scene}/score/score.json"
        for scene in filter(is_scored, scenes_of(study))
    )


def settings_text(study):
    """The settings that made a study, with its scenes, as JSON."""
    scenes = [SCENES[name] for name in scenes_of(study)]
    own = {study: SETTINGS["studies"][study]}
    return json.dumps({**SETTINGS, "scenes": scenes, "studies": own})


def library_sources(wildcards):
    """Paths of the spectral libraries, in order of preference."""
    shipped = source("resources/static/analytic_library.csv")
    return [shipped if name == "analytic" else name for name in SETTINGS["library"]["sources"]]


def angle_flags(settings):
    """The largest angles of a study's classes as flags; none where the study learns them."""
    if "max_angle_rad" not in settings:
        return ""
    own = [f"{name}={angle}" for name, angle in settings["max_angle_rad_of"].items()]
    overall = flag("max-angle-rad", settings["max_angle_rad"])
    return f"{overall} {flag('max-angle-rad-of', ' '.join(own))}"


def flag(name, value):
    """A command-line flag, or nothing where the value is empty."""
    return f"--{name} {value}" if value else ""


def block_memory(base_mb, bytes_per_pixel):
    """Memory (MB) of a job that holds `bytes_per_pixel` for each pixel of a block and thread."""

    def memory(wildcards, threads):
        return round(base_mb + threads * SETTINGS["block_px"] ** 2 * bytes_per_pixel / 1e6)

    return memory
