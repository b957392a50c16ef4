# A study's scenes as one ground: who teaches, which maps are joined, what is ranked on them.

# Studies with a section `mosaic` that scenes belong to.
MOSAICS = [study for study in STUDIES if "mosaic" in SETTINGS["studies"][study]]
# Maps that have the names of their classes beside them.
NAMED_KINDS = ("classes", "flags")


# What a scene teaches others by, below the folder of its sensor.
LESSON = r"cube/cube\.tif|minerals/[^/]+/(class|angle|contrast)\.tif|minerals/[^/]+/record\.json"
LESSON += r"|prospects/forest/[^/]+\.npz"


def taught_file(wildcards, file):
    """A file below the folder of a sensor: that of the scene itself, or what its teacher left."""
    teacher = SCENES[wildcards.scene]["teacher"]
    place = folder_of(teacher or wildcards.scene, "", wildcards.sensor)
    return f"{place}/lesson/{file}" if teacher else f"{place}/{file}"


def teaching_cube(wildcards):
    """The cube of the scene that teaches, or an empty list."""
    taught = SCENES[wildcards.scene]["teacher"]
    return taught_file(wildcards, "cube/cube.tif") if taught else []


def first_map(name):
    """A function of the wildcards: a file of the first map of a group that teaches its second."""
    return lambda wildcards: taught_file(wildcards, f"minerals/{wildcards.group}/{name}")


def name_of(wildcards):
    """What the wildcards are about in a record: a scene, or the whole ground of a study."""
    return getattr(wildcards, "scene", None) or wildcards.study


def one_of(wildcards):
    """Wildcards of a scene that stands for all of a study, one that another teaches."""
    taught = (scene["scene"] for scene in scenes_of(wildcards.study) if scene["teacher"])
    return SimpleNamespace(scene=next(taught))


def ground_rows(study):
    """(row of the table of results, its file below a scene's folder, method, sensor) of maps."""
    scene = SCENES[one_of(SimpleNamespace(study=study)).scene]
    folder = folder_of(scene["scene"])
    for method, sensor in PLAN.parts_of(scene):
        if method in PLAN.JOINED:
            place = os.path.relpath(folder_of(scene["scene"], method, sensor), folder)
            for row in rows_of(scene, method, sensor):
                if row["file"].endswith(".tif"):
                    yield row, f"{place}/{row['file']}", method, sensor


def ranked_maps(wildcards):
    """What targets of the whole rest on, as the files of one scene: three lists."""
    part = one_of(wildcards)
    if "targets" not in settings_of(wildcards):
        return [], [], []
    doubt = ranked_uncertainty(part)
    return opinion_files(part), dominant_maps(part)[0], [doubt] if doubt else []


def joined_maps(study):
    """Kinds of the maps that are joined, by their files below a scene's folder."""
    wildcards = SimpleNamespace(study=study)
    folder = folder_of(one_of(wildcards).scene)
    ranked = {os.path.relpath(path, folder) for part in ranked_maps(wildcards) for path in part}
    return {
        file: row["kind"]
        for row, file, *_ in ground_rows(study)
        if row["group"] == "maps" or file in ranked
    }


def joined_pattern(named):
    """A pattern of the maps that are joined, with the names of classes or without."""
    found = {
        re.escape(file.removesuffix(".tif"))
        for study in MOSAICS
        for file, kind in joined_maps(study).items()
        if (kind in NAMED_KINDS) == named
    }
    return "|".join(sorted(found)) or "(?!)"


def maps_of_scenes(end):
    """A function of the wildcards: the same file of each scene of a study, with this ending."""
    return lambda wildcards: [
        f"{folder_of(scene['scene'])}/{wildcards.map}{end}" for scene in scenes_of(wildcards.study)
    ]


def on_ground(find):
    """A function of the wildcards: joined maps in place of those of one scene that `find` lists."""

    def moved(wildcards):
        folder = folder_of(one_of(wildcards).scene)
        return [f"<mosaic>/{os.path.relpath(path, folder)}" for path in find(wildcards)]

    return moved


def of_ground(find):
    """A function of a study's wildcards: what `find` tells of a scene that stands for all."""
    return lambda wildcards: find(one_of(wildcards))


def joined_records(wildcards):
    """Records of the maps that are joined."""
    maps = joined_maps(wildcards.study)
    return [f"<mosaic>/{file.removesuffix('.tif')}.json" for file in maps]


def teacher_name(wildcards):
    """The scene that teaches all others of a study."""
    return SCENES[one_of(wildcards).scene]["teacher"]


def ground_cubes(wildcards):
    """Records of the cubes that the maps of a study's scenes were made from."""
    return [
        f"{folder_of(scene['scene'], 'cube', sensor)}/cube.json"
        for scene in scenes_of(wildcards.study)
        for method, sensor in PLAN.parts_of(scene)
        if method == "cube"
    ]


def ground_layers(study):
    """Entries of the joined maps and of the targets, as a list of layers has them."""
    columns = ("group", "kind", "title", "unit", "note")
    for row, file, method, sensor in ground_rows(study):
        if row["group"] == "maps":
            yield {**pick(row, *columns), "method": method, "sensor": sensor, "file": file}
    if "targets" in SETTINGS["studies"][study]:
        for row in RESULTS_TABLE:
            if row["method"] == "targets" and row["group"]:
                told = {"method": "targets", "sensor": "", "file": f"targets/{row['file']}"}
                yield {**pick(row, *columns), **told}


def ground_files(wildcards):
    """The rasters and vectors that a list of layers names."""
    return [f"<mosaic>/{layer['file']}" for layer in ground_layers(wildcards.study)]


def ground_known(wildcards):
    """What the user knows of the whole ground."""
    return survey_files(one_of(wildcards))


def ground_text(wildcards, input):
    """The list of the layers of a study's whole ground, as JSON."""
    known = iter(input.get("known", []))
    return json.dumps(
        {
            "scene": wildcards.study,
            "study": wildcards.study,
            "synthetic": any(scene["ground"] for scene in scenes_of(wildcards.study)),
            "layers": [
                *ground_layers(wildcards.study),
                *survey_layers(one_of(wildcards), known),
            ],
        }
    )


def target_tables(wildcards):
    """The list of targets of a study's whole ground, where it has one."""
    return ["<mosaic>/targets/targets.csv"] if "targets" in settings_of(wildcards) else []


def teacher_records(wildcards):
    """(method, sensor, path) of the accuracy records of the scene that teaches."""
    return records_of(SCENES[teacher_name(wildcards)])
