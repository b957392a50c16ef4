# The layers of a scene that maps of it show.

# Vector files of `prospects` that maps show, with their titles.
SHOWN_SURVEYS = {
    "mines": "Mines that taught",
    "known_mines": "Known mines",
    "claims": "Claims",
    "occurrences": "Occurrences",
    "districts": "Districts",
    "geology": "Geology",
}


def layer_rows(scene):
    """(row of the table of results, its file below the scene's folder, method, sensor) of layers."""
    for method, sensor in PLAN.parts_of(scene):
        for row in rows_of(scene, method, sensor):
            if row["group"]:
                yield row, os.path.join(sensor, method, row["file"]), method, sensor


def layer_files(wildcards):
    """The rasters and vectors of a scene that maps show."""
    scene = SCENES[wildcards.scene]
    return [f"{folder_of(scene['scene'])}/{file}" for _, file, *_ in layer_rows(scene)]


def catalogued_files(wildcards):
    """The rasters and vectors of all scenes."""
    return [file for scene in SCENES for file in layer_files(SimpleNamespace(scene=scene))]


def shown_truths(wildcards):
    """What is known of a scene's ground for its methods, by path: the first method that has it."""
    scene = SCENES[wildcards.scene]
    truths = {}
    for method in scene["methods"]:
        found = truth_for(method)(wildcards) if method in PLAN.ASSESSED else []
        if found:
            truths.setdefault(found, method)
    return truths


def known_files(wildcards):
    """What the user knows of a scene: its truths, and what `survey_files` has."""
    return [*shown_truths(wildcards), *survey_files(wildcards)]


def survey_files(wildcards):
    """The vector files of `prospects`, the known sites of `targets`, and the licence."""
    surveys = [survey_of(name)(wildcards) for name in SHOWN_SURVEYS]
    return [*filter(None, [*surveys, shown_sites(wildcards), polygon_of(wildcards)])]


def shown_sites(wildcards):
    """The file of known mines and occurrences that `targets` names, or an empty list."""
    return known_sites(wildcards) if "targets" in settings_of(wildcards) else []


def known_layers(wildcards, known):
    """Entries of what the user knows, of the `known` paths of the input, in their order."""
    scene, paths = SCENES[wildcards.scene], iter(known)

    for method in shown_truths(wildcards).values():
        yield known_entry(f"Truth of {method}", method, next(paths), PLAN.truth_of(scene, method))
    yield from survey_layers(wildcards, paths)


def survey_layers(wildcards, paths):
    """Entries of `survey_files`, of the next of the paths."""
    section = settings_of(wildcards).get("prospects", {})
    for name, title in SHOWN_SURVEYS.items():
        if survey_of(name)(wildcards):
            yield known_entry(title, "", next(paths), section.get(name) or "")
    if shown_sites(wildcards):
        named = settings_of(wildcards)["targets"]["known"]
        yield known_entry("Known sites", "", next(paths), named)
    if polygon_of(wildcards):
        yield known_entry("Licence", "", next(paths), settings_of(wildcards)["cube"]["polygon"])


def known_entry(title, method, path, text):
    """An entry of what the user knows, from a file with the layer that a text names."""
    file = as_named(path, text)
    return {"group": "truth", "kind": "known", "method": method, "file": file, "title": title}


def layers_text(wildcards, input):
    """The list of a scene's layers, as JSON."""
    scene = SCENES[wildcards.scene]
    columns = ("group", "kind", "title", "unit", "note")
    layers = [
        {**pick(row, *columns), "method": method, "sensor": sensor, "file": file}
        for row, file, method, sensor in layer_rows(scene)
    ]
    return json.dumps(
        {
            **pick(scene, "scene", "study"),
            "synthetic": bool(scene["ground"]),
            "joined": "mosaic" in settings_of(wildcards),
            "layers": [*layers, *known_layers(wildcards, list(input.get("known", [])))],
        }
    )


def page_files(wildcards):
    """Records and tables of a scene, which its page tells of."""
    scene = SCENES[wildcards.scene]
    return [
        path
        for method, sensor in PLAN.parts_of(scene)
        for path in files_of(scene, method, sensor, "record", "table")
    ]


def record_flags(wildcards, input):
    """Flags that name the accuracy records of a scene, with the method and sensor of each."""
    return records_told(records_of(SCENES[wildcards.scene]), input)


def records_told(records, input):
    """Flags that name accuracy records (method, sensor, path), by the paths of the input."""
    return " ".join(
        flags(records=[method, sensor, path])
        for (method, sensor, _), path in zip(records, input.records)
    )


def study_page(wildcards, output, name):
    """A page of the study of a scene, of which `output` has a file in the scene's folder."""
    return Path(output[0]).parents[2] / "studies" / study_of(wildcards) / name


def shown_covers(wildcards):
    """The class table that the truth of `prospects` is told in."""
    told = "prospects" in settings_of(wildcards)
    return cover_classes(wildcards) if told else static("covers.csv")
