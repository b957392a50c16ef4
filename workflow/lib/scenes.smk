# Scenes, their sensors, methods and files, as functions of the wildcards.

import functools
import os

from types import SimpleNamespace


def study_of(wildcards):
    """Name of the study that the wildcards are about."""
    return getattr(wildcards, "study", None) or SCENES[wildcards.scene]["study"]


def settings_of(wildcards):
    """Settings of the study that the wildcards are about."""
    return SETTINGS["studies"][study_of(wildcards)]


# Of jobs that could start, those go first that long ones wait for, then the long ones: short ones
# fill the cores that are left, also at the end. Snakemake's own order leaves a long one for then.
FIRST, EARLY = 2, 1


def training_cores(*keys):
    """A function of the wildcards: cores of a training, half as many as a section's `threads`.

    TensorFlow's threads wait for each other as long as they work: two keep one core busy.
    """
    return lambda wildcards: -(-section(*keys, "threads")(wildcards) // 2)


def threads_up_to(most):
    """A function of the wildcards: threads of a job, `most` or its scene's share of the cores.

    Not all of a job is done in threads, so jobs of several scenes that run side by side, each in
    fewer, are done sooner than one after another. On a cluster each has a node's cores to itself,
    and where nothing is run, as for Snakemake's own report, there are none to share.
    """

    def count(wildcards):
        cores = workflow.resource_settings.cores
        if workflow.non_local_exec or workflow.remote_exec or cores is None:
            return most
        return max(1, min(most, cores // len(SCENES)))

    return count


def section(method, *keys):
    """A function of the wildcards: a method's settings, or a section of them."""

    def find(wildcards):
        found = settings_of(wildcards)
        if method not in found:
            study = study_of(wildcards)
            raise WorkflowError(f"studies.{study} has no section {method}; add it to run {method}")
        for key in (method, *keys):
            found = found[key]
        return found

    return find


class Scenes(dict):
    """The scenes of a run by name."""

    def __missing__(self, name):
        raise WorkflowError(f"no scene is called {name!r}; the table has {', '.join(self)}")


def elsewhere(path):
    """The path of another scene's model, so told that no rule of this run takes it for its own."""
    return os.path.abspath(path) if path else ""


def scenes_of(study):
    """The scenes of a study, in the table's order."""
    return [scene for scene in SCENES.values() if scene["study"] == study]


def pattern_of(names):
    """A pattern of these names of scenes; of all of them a short one, for it is tried often."""
    chosen = list(names)
    return SCENE_NAME if len(chosen) == len(SCENES) else "|".join(chosen) or "(?!)"


def scenes_on(*grounds):
    """A pattern of the names of the scenes simulated on one of these grounds."""
    return pattern_of(name for name, scene in SCENES.items() if scene["ground"] in grounds)


def folder_of(scene, method="", sensor=""):
    """Where a method's files of a scene lie."""
    return os.path.join("<results>/scenes", *filter(None, [scene, sensor, method]))


def of_all_scenes(name):
    """A function of the wildcards: a file of each scene. As a list it would cost each start."""
    return lambda wildcards: [f"{folder_of(scene)}/{name}" for scene in SCENES]


def in_twin(wildcards, name):
    """Path of a file of a simulated scene."""
    return f"{folder_of(wildcards.scene)}/twin/{name}"


def product_of(wildcards):
    """Path of the product of one of a scene's sensors."""
    product = SCENES[wildcards.scene]["sensors"][wildcards.sensor]
    if PLAN.ground_of(product):
        return in_twin(wildcards, PLAN.TWIN_PRODUCTS[wildcards.sensor])
    return given(product)


def given(path):
    """A path of the user's as an input: the file of a layer; a folder by what belongs to it.

    The date of a folder tells no more than that something was laid into it or taken out, which may
    be none of the user's. It lies where the user says, whatever prefix our results have as a module.
    """
    file = local(path.partition(PATHS.LAYER)[0])
    if PATHS.fetched_name(file):
        return fetched_input(PATHS.fetched_name(file))
    return ancient(file) if os.path.isdir(file) else file


def as_named(path, text):
    """The path of an input, with the layer that the user's text names in it."""
    return f"{path}{''.join(text.partition(PATHS.LAYER)[1:])}" if path else path


def truth_for(method):
    """A function of the wildcards: what is known of a scene's ground, or an empty list."""

    def find(wildcards):
        scene = SCENES[wildcards.scene]
        path = PLAN.truth_of(scene, method)
        simulated = PLAN.named_truth(scene, method) == PLAN.TWIN
        return in_twin(wildcards, path) if path and simulated else given(path) if path else []

    return find


def beside(*finders):
    """A function of the wildcards: what is read with the files that the user names, which the
    finders find. Files that rules make come with theirs."""

    def find(wildcards):
        named = []
        for finder in finders:
            found = finder(wildcards)
            named += [found] if isinstance(found, str) else found
        given = [path for path in named if not path.startswith("<results>")]
        files = dict.fromkeys(file for path in given for file in PLAN.belongings(path))
        # Of a name with what Snakemake replaces in a path nothing can be told.
        return [local(file) for file in files if not SCHEMA.replaced(file)]

    return find


def classes_for(method):
    """A function of the wildcards: the table of the classes that a method looks for."""
    return lambda wildcards: f"<results>/studies/{study_of(wildcards)}/{method}/classes.csv"


def known_classes(wildcards):
    """The table of all classes that a study knows."""
    return f"<results>/studies/{study_of(wildcards)}/classes.csv"


def libraries_for(method):
    """A function of the wildcards: paths of a method's spectral libraries, by preference."""

    def find(wildcards):
        named = CONFIG.libraries_of(settings_of(wildcards), method)
        return [
            static("analytic_library.csv") if name == CONFIG.ANALYTIC else given(name)
            for name in named
        ]

    return find


def stack_cubes(scene, name):
    """Paths of a file that the cube of each sensor of a stack has, by sensor."""
    return {
        sensor: f"{folder_of(scene, 'cube', sensor)}/{name}" for sensor in SCENES[scene]["stack"]
    }


def survey_of(name):
    """A function of the wildcards: a vector file of `prospects`, or an empty list without one."""

    def find(wildcards):
        named = settings_of(wildcards).get("prospects", {}).get(name)
        if named or SCENES[wildcards.scene]["ground"] != "iron":
            return given(named) if named else []
        return in_twin(wildcards, f"{name}.gpkg")

    return find


def told_surveys(wildcards, input, *names):
    """Those vector files of `prospects` that there are, by name, with the layers to read."""
    section = settings_of(wildcards).get("prospects", {})
    return {name: as_named(input.get(name), section.get(name) or "") for name in names}


def told_truth(method):
    """A function of the wildcards and the input: the truth with the layer to read, if there is one."""

    def find(wildcards, input):
        text = PLAN.truth_of(SCENES[wildcards.scene], method)
        return as_named(input.get("truth"), text)

    return find


def conditions(scene, method, sensor):
    """What holds for a method of a scene, in the words of resources/static/results.csv."""
    return PLAN.conditions(scene, SETTINGS["studies"][scene["study"]], method, sensor)


def holds(condition, method):
    """A function of the wildcards: whether a condition holds for a method."""

    def find(wildcards):
        sensor = getattr(wildcards, "sensor", "")
        return condition in conditions(SCENES[wildcards.scene], method, sensor)

    return find


def rows_of(scene, method, sensor):
    """Rows of the table of results that hold for a method of a scene, one a file."""
    held = frozenset(conditions(scene, method, sensor))
    embeddings = tuple(embeddings_of(scene)) if method == "embedding" else ()
    return rows_held(scene["study"], method, held, embeddings)


@functools.cache
def rows_held(study, method, held, embeddings):
    """Rows of the table of results for a method of a study's scenes for which this holds."""
    settings = SETTINGS["studies"][study]
    names = {
        "minerals": {
            "zone": list(zones_of(settings)),
            "group": groups_of(settings),
            "taught": taught_groups(settings),
        },
        "patches": {"network": networks_among(settings)},
        "zones": {"zone": list(settings.get("zones", {}).get("alteration", []))},
        "embedding": {
            "embedding": embeddings,
            "region": settings.get("embedding", {"regions": {"names": []}})["regions"]["names"],
        },
    }
    return list(RESULTS.list_results(RESULTS_TABLE, method, held, names.get(method, {})))


def files_of(scene, method, sensor, *kinds):
    """What a method leaves of a scene, by the table of results: all of it, or some kinds only."""
    rows = rows_of(scene, method, sensor)
    folder = folder_of(scene["scene"], method, sensor)
    return [f"{folder}/{row['file']}" for row in rows if not kinds or row["kind"] in kinds]


def maps_of(method):
    """A function of the wildcards: the maps of a method, of all scenes that have it."""

    def find(wildcards):
        maps = [
            f"{folder_of(scene['scene'], method, sensor)}/{row['file']}"
            for scene in SCENES.values()
            for other, sensor in PLAN.parts_of(scene)
            if other == method
            for row in rows_of(scene, method, sensor)
            if row["group"]
        ]
        if not maps:
            raise WorkflowError(f"no study has a section {method}; add it to run {method}")
        return maps

    return find


def parts_of(study):
    """(scene, method, sensor) of all that a study's scenes have, cubes first."""
    return [
        (scene, method, sensor)
        for scene in scenes_of(study)
        for method, sensor in PLAN.parts_of(scene)
    ]


def results_of(study):
    """Files that a study's scenes leave for the user to open."""
    kinds = dict.fromkeys(row["kind"] for row in RESULTS_TABLE if row["kind"] != "figure")
    return [path for part in parts_of(study) for path in files_of(*part, *kinds)]


def figures_of(study):
    """Folders of the figures of a study's scenes."""
    return [
        f"{folder_of(scene['scene'], method, sensor)}/figures"
        for scene, method, sensor in parts_of(study)
        if files_of(scene, method, sensor, "figure")
    ]


def accuracy_of(study):
    """(method, sensor, path) of the accuracy records of a study: files, or folders of them."""
    return [record for scene in scenes_of(study) for record in records_of(scene)]


def records_of(scene):
    """(method, sensor, path) of the accuracy records of a scene."""
    return [
        (method, sensor or PLAN.STACK, path)
        for method, sensor in PLAN.parts_of(scene)
        for path in files_of(scene, method, sensor, "accuracy")
    ]


def zones_of(settings):
    """Zones of `minerals` with those of their minerals that it maps; one without any is left out."""
    section = settings.get("minerals", {"zones": {}})
    mapped = {
        zone: [name for name in members if name in section["references"]]
        for zone, members in section["zones"].items()
    }
    return {zone: members for zone, members in mapped.items() if members}
