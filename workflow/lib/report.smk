# What figures and reports show.

# The folder of the benchmark files, from that of all results.
RESULTS_FOLDER, BENCHMARKS = map(workflow.pathvars.apply, ("<results>", "<benchmarks>"))
if not os.path.isabs(BENCHMARKS):
    BENCHMARKS = os.path.relpath(BENCHMARKS, RESULTS_FOLDER)
# A study of more scenes than these has no figures in its report; each scene has a page.
MOST_SHOWN = 20
# Vector files of `prospects` that its figures show.
DRAWN_SURVEYS = ("mines", "geology", "claims", "occurrences", "known_mines")


def drawn_survey(name):
    """A function of the wildcards: a vector file of `prospects` that a scene's figures show.

    None on a scene that another one teaches, which may lie where the file has nothing.
    """
    return lambda wildcards: (
        [] if SCENES[wildcards.scene]["teacher"] else survey_of(name)(wildcards)
    )


def drawn_files(method):
    """A function of the wildcards: what a method leaves, which its figures are drawn from."""

    def find(wildcards):
        sensor = getattr(wildcards, "sensor", "")
        kinds = {row["kind"] for row in RESULTS_TABLE} - {"figure"}
        return files_of(SCENES[wildcards.scene], method, sensor, *kinds)

    return find


def cube_files(wildcards):
    """What the cube of a sensor, or of the whole scene, consists of."""
    scene = SCENES[wildcards.scene]
    cubes = [sensor for method, sensor in PLAN.parts_of(scene) if method == "cube"]
    sensor = getattr(wildcards, "sensor", PLAN.STACK)
    return files_of(scene, "cube", sensor) if sensor in cubes else []


def cube_folders(scene):
    """Sensors of a scene by the folders of their cubes, without that of all of them."""
    return {
        folder_of(scene, "cube", sensor): sensor
        for method, sensor in PLAN.parts_of(SCENES[scene])
        if method == "cube" and sensor != PLAN.STACK
    }


def locations_of(study):
    """Pictures of where on Earth the scenes of a study lie."""
    scenes = [scene["scene"] for scene in scenes_of(study)]
    return [f"{folder_of(scene)}/location.png" for scene in scenes if cube_folders(scene)]


def folder_drawn(wildcards, output):
    """The folder below which a method's own folder lies, with its figures in it."""
    return Path(output[0]).parents[1]


def paper_of(wildcards, input):
    """The paper whose numbers are drawn beside ours, and where they stand."""
    return {"paper": settings_of(wildcards)["paper"], "published": input.published}


def networks_of(wildcards):
    """Networks that are trained on the patches of a scene, `published` being that as published."""
    if not holds("trained", "patches")(wildcards):
        return []
    trained = networks_among(settings_of(wildcards))
    return trained + (["published"] if holds("published", "patches")(wildcards) else [])


def drawn_pair(wildcards):
    """The two classes that are drawn of a scene: those of its own networks."""
    return section("patches", "labels")(wildcards) if networks_of(wildcards) else []


def network_files(wildcards):
    """What the networks of a scene's patches leave of their training, and the patches."""
    folder = folder_of(wildcards.scene, "patches", wildcards.sensor)
    runs = networks_of(wildcards)
    files = [
        f"{folder}/cut/{cut}/{name}"
        for cut in (("pair", "all") if runs else ())
        for name in ("colour.npz", "patches.csv")
    ]
    for run in runs:
        place, names = f"{folder}/networks/{run}", ["accuracy.json"]
        if run == "published":
            place, names = f"{folder}/{run}", ["accuracy/split.json", "accuracy/apart.json"]
        files += [f"{place}/{name}" for name in ("record.json", "history.csv", "answers.csv")]
        files += [f"{place}/{name}" for name in names]
    return files


def trained_embeddings(wildcards):
    """Networks that are trained for the embedding of a scene."""
    if not holds("trained", "embedding")(wildcards):
        return []
    trained = embeddings_of(SCENES[wildcards.scene])
    return [*trained, *(["filler"] if len(trained) > 1 else [])]


def network_histories(wildcards):
    """Records and histories of an embedding's networks."""
    folder = folder_of(wildcards.scene, "embedding")
    places = {"filler": f"{folder}/filler"}
    return [
        f"{places.get(name, f'{folder}/networks/{name}')}/{file}"
        for name in trained_embeddings(wildcards)
        for file in ("record.json", "history.csv")
    ]


def drawn_targets(wildcards):
    """The targets that are drawn over the potential, where they are ranked on it."""
    settings = settings_of(wildcards)
    if "targets" not in SCENES[wildcards.scene]["methods"] or not CONFIG.has_potential(settings):
        return []
    return [
        f"{folder_of(wildcards.scene, 'targets')}/{name}"
        for name in ("targets.gpkg", "targets.json")
    ]


def prospect_flags(wildcards, input):
    """What the figures of prospects show beside the scene's own files."""
    settings = settings_of(wildcards)
    targets, targeted = input.get("targets"), settings.get("targets", {})
    return {
        "map_classes": input.iron if CONFIG.has_potential(settings) else None,
        "sampled": holds("sampled", "prospects")(wildcards),
        "untested": not holds("trained", "prospects")(wildcards),
        "beside": holds("published", "prospects")(wildcards),
        "targets": Path(targets[0]).parent if targets else None,
        **{name: targeted.get(name) for name in ("substances", "substance_attribute")},
        **told_surveys(wildcards, input, *DRAWN_SURVEYS),
    }


def is_overview(study):
    """Whether a study has more scenes than one page can show: then it tells of each in a line."""
    return len(scenes_of(study)) > MOST_SHOWN


def shown_in_report(wildcards):
    """What the report of a study shows of its scenes: all, or of many what the index shows."""
    study = wildcards.study
    if is_overview(study):
        names = ("summary.json", "thumbnail.png")
        return [f"{folder_of(s['scene'])}/{name}" for s in scenes_of(study) for name in names]
    drawn = [*figures_of(study), *locations_of(study)]
    return [*results_of(study), *drawn, *records_of_networks(wildcards)]


def told_of_fetching(wildcards):
    """Records of the products that were fetched for a study, where its report tells of products."""
    return [] if is_overview(wildcards.study) else fetched_records(wildcards.study)


def flag_lines(results, flags):
    """Flags with their values as lines, which a tool reads from a file."""
    words = [word.replace("<results>", str(results), 1) for flag in flags for word in flag]
    return "".join(f"{word}\n" for word in words)


def settings_text(study):
    """The settings that made a study, with the plan of its scenes, as JSON."""
    settings = SETTINGS["studies"][study]
    scenes = [
        {
            **scene,
            "synthetic": bool(scene["ground"]),
            "held": {
                f"{sensor}/{method}": sorted(conditions(scene, method, sensor))
                for method, sensor in PLAN.parts_of(scene)
            },
        }
        for scene in scenes_of(study)
    ]
    shared = pick(SETTINGS, "accuracy", "twin")
    told = {"study": study, "settings": settings, **shared, "overview": is_overview(study)}
    return json.dumps({**told, "scenes": scenes}) + "\n"


def trial_files(wildcards):
    """Scores and record of the trial on real spectra, where a study has one."""
    settings = settings_of(wildcards).get("embedding")
    if not settings or not settings["spectra"]["training"]:
        return []
    place = f"<results>/studies/{wildcards.study}/embedding/spectra"
    return [f"{place}/{name}" for name in ("scores.csv", "record.json")]


def collection_summaries(wildcards):
    """Summaries of a study's named collections of spectra."""
    names = settings_of(wildcards).get("embedding", {"pixels": {}})["pixels"]
    place = f"<results>/studies/{wildcards.study}/embedding/pixels"
    return [f"{place}/{name}/summary.csv" for name in names]


def study_classes(wildcards):
    """Tables of the classes that a study's methods look for."""
    settings = settings_of(wildcards)
    return [classes_for(name)(wildcards) for name in CONFIG.COMPARING if name in settings]


def records_of_networks(wildcards):
    """Records of the networks that a study's scenes train."""
    for scene, method, sensor in parts_of(wildcards.study):
        part = SimpleNamespace(scene=scene["scene"], sensor=sensor)
        if method == "patches":
            yield from network_files(part)
        if method == "embedding":
            yield from network_histories(part)
            if {"trained", "published"} <= conditions(scene, method, sensor):
                yield f"{folder_of(scene['scene'], method)}/published/networks/masked/record.json"
