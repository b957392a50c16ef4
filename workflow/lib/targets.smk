# The maps that targets rest on, and what is known of the ground.

# Vector files of `prospects` that are counted on a map of potential.
SITES = ("claims", "occurrences", "mines", "known_mines", "districts")


def opinions(wildcards):
    """(kind, title, rasters, files and names after them) of each map that calls ground favourable.

    Maps of one method have one title. A method that looks for nothing favourable has no opinion.
    """
    scene, settings = SCENES[wildcards.scene], settings_of(wildcards)
    speaks = {
        "minerals": minerals_say,
        "zones": zones_say,
        "prospects": potential_says,
        "embedding": embedding_says,
    }
    for method, sensor in PLAN.parts_of(scene):
        folder = folder_of(scene["scene"], method, sensor)
        title = " ".join(filter(None, [method, sensor]))
        for kind, rasters, words in speaks.get(method, lambda *_: ())(scene, settings, folder):
            yield kind, title, [f"{folder}/{raster}" for raster in rasters], words


def minerals_say(scene, settings, folder):
    """Kind, rasters and further words of the maps of `minerals`, by group where it maps by group."""
    section, names = settings["minerals"], CONFIG.favourable_minerals(settings, "minerals")
    table = f"<results>/studies/{scene['study']}/minerals/classes.csv"
    if section["match"] == "origin":
        if names:
            yield "margins", ["class.tif", "margin.tif"], [table, *names]
        return
    for group in groups_of(settings):
        told = [name for name in names if group_named(settings, name) == group]
        if not told:
            continue
        if group in taught_groups(settings):
            yield "margins", [f"{group}/taught.tif", f"{group}/probability.tif"], [table, *told]
        elif section["match"] in ("scene", "ace"):
            files = ("class", "angle", "contrast")
            yield "angles", [f"{group}/{name}.tif" for name in files], [table, *told]
        else:
            yield "margins", [f"{group}/class.tif", f"{group}/margin.tif"], [table, *told]


def zones_say(scene, settings, folder):
    """The score of each favourable zone where it is learned, else the confidence."""
    zones = settings["targets"]["zones"] or list(settings["zones"]["alteration"])
    sensor = os.path.basename(os.path.dirname(folder))
    if "scored" in conditions(scene, "zones", sensor):
        maps = [f"score/maps/{zone}.tif" for zone in zones]
        yield "scores", maps, [f"{folder}/score/score.json"]
    else:
        yield "confidence", [f"confidence/{zone}.tif" for zone in zones], []


def potential_says(scene, settings, folder):
    """The potential, where the forest maps grades."""
    if CONFIG.has_potential(settings):
        yield "potential", ["potential/potential.tif", "potential/score.tif"], []


def embedding_says(scene, settings, folder):
    """The networks of the regions, else the one over all bands."""
    names = CONFIG.favourable_minerals(settings, "embedding")
    table = f"<results>/studies/{scene['study']}/embedding/classes.csv"
    regions = {
        region: [name for name in names if group_named(settings, name) == region]
        for region in settings["embedding"]["regions"]["names"]
    }
    for region, told in regions.items():
        if told:
            files = [f"regions/{region}/class.tif", f"regions/{region}/margin.tif"]
            yield "margins", files, [table, *told]
    if names and not any(regions.values()):
        yield "distances", ["map/class.tif", "map/distance.tif"], [table, *names]


def opinion_files(wildcards):
    """Rasters of all maps, as inputs: of scores the folder, which is what their rule makes."""
    files = [
        os.path.dirname(path) if kind == "scores" else path
        for kind, _, rasters, _ in opinions(wildcards)
        for path in rasters
    ]
    if not files:
        raise WorkflowError(
            f"studies.{study_of(wildcards)}.targets.minerals: none of them is on a map of "
            f"{wildcards.scene}; minerals without a group are on no map by group"
        )
    return list(dict.fromkeys(files))


def opinion_tables(wildcards):
    """Class tables and records of scores that go with the maps."""
    words = [word for *_, words in opinions(wildcards) for word in words[:1]]
    return list(dict.fromkeys(words))


def opinion_flags(wildcards, input):
    """The maps that go into the agreement, a flag each, with what is favourable in them."""
    wanted = [*opinion_files(wildcards), *opinion_tables(wildcards)]
    places = dict(zip(wanted, [*input.maps, *input.tables]))
    told = []
    for kind, title, rasters, words in opinions(wildcards):
        if kind == "scores":
            paths = [
                os.path.join(places[os.path.dirname(path)], os.path.basename(path))
                for path in rasters
            ]
            words = [kind, title, places[words[0]], *paths]
        else:
            paths = [places[path] for path in rasters]
            words = [kind, title, *paths, *(places.get(word, word) for word in words)]
        told.append(flags(map=words))
    return " ".join(told)


def teacher_of(wildcards):
    """The method by whose truth favourability is learned; "" where nothing is known."""
    return PLAN.teaches_targets(SCENES[wildcards.scene], settings_of(wildcards))


def truth_of_targets(wildcards):
    """What is known of a scene's ground to learn favourability from, or an empty list."""
    teacher = teacher_of(wildcards)
    return truth_for(teacher)(wildcards) if teacher else []


def teaching_flags(wildcards, input):
    """The truth that favourability is learned from, and what is favourable in it, as flags."""
    teacher, settings = teacher_of(wildcards), settings_of(wildcards)
    if not teacher:
        return ""
    truth = told_truth(teacher)(wildcards, input)
    if teacher == "zones":
        names = settings["targets"]["zones"] or list(settings["zones"]["alteration"])
        return flags(
            truth=truth,
            truth_of="zones",
            classes=input.classes,
            favourable=names,
            outside=settings["zones"]["outside"],
        )
    mapping = [method for method in ("minerals", "embedding") if method in settings]
    named = [name for method in mapping for name in CONFIG.favourable_minerals(settings, method)]
    return flags(
        truth=truth,
        classes=input.classes,
        favourable=list(dict.fromkeys(named)),
        outside=settings[teacher].get("outside", "untested"),
    )


def known_sites(wildcards):
    """The file of known mines and occurrences that `targets` names, or an empty list."""
    named = section("targets")(wildcards)["known"]
    return given(named) if named else []


def dominant_maps(wildcards):
    """What may dominate on a target: the rasters of the scene's main map, and its class table.

    Zones have a raster each, and no table.
    """
    parts, settings = list(PLAN.parts_of(SCENES[wildcards.scene])), settings_of(wildcards)
    grades = "iron" if CONFIG.has_potential(settings) else "cover"
    maps = {
        "minerals": ("class.tif", classes_for("minerals")),
        "embedding": ("map/class.tif", classes_for("embedding")),
        "prospects": (
            f"{grades}/class.tif",
            cover_classes if grades == "cover" else lambda _: static("iron.csv"),
        ),
    }
    for method, (file, table) in maps.items():
        for other, sensor in parts:
            if other == method:
                folder = folder_of(wildcards.scene, method, sensor)
                return [f"{folder}/{file}"], table(wildcards)
    for method, sensor in parts:
        if method == "zones":
            folder = folder_of(wildcards.scene, method, sensor)
            zones = settings["zones"]["alteration"]
            return [f"{folder}/confidence/{zone}.tif" for zone in zones], []
    return [], []


def dominant_flags(wildcards, input):
    """The flags of what may dominate on a target."""
    if input.get("ground_table"):
        return flags(class_map=[*input.ground, input.ground_table])
    zones = settings_of(wildcards).get("zones", {"alteration": {}})["alteration"]
    return " ".join(flags(zone=pair) for pair in zip(zones, input.ground))


def ranked_uncertainty(wildcards):
    """The uncertainty of the forest behind the potential, where there is one."""
    if not CONFIG.has_potential(settings_of(wildcards)):
        return []
    [sensor] = SCENES[wildcards.scene]["methods"]["prospects"][:1]
    return f"{folder_of(wildcards.scene, 'prospects', sensor)}/iron/uncertainty.tif"
