# Groups of minerals, by where they absorb, and which scenes are mapped by them.

GROUPED_CLASSES = {}
# What the two maps of a group are called in records.
MAP_METHODS = {"class": "First map at {group}", "taught": "Second, self-taught map at {group}"}


def groups_of(settings):
    """Groups that the references of `minerals` fall into; none for angles to the origin."""
    section = settings.get("minerals", {"match": "origin"})
    if section["match"] == "origin":
        return []
    return CONFIG.mineral_groups(section, known_minerals(settings))


def known_minerals(settings):
    """All classes that a study knows."""
    own = settings["classes"]
    if own not in GROUPED_CLASSES:
        known = LEGEND.read_classes(static("minerals.csv"))
        rows = LEGEND.read_own_classes(own) if own else []
        GROUPED_CLASSES[own], _ = LEGEND.merge_classes(known, rows)
    return GROUPED_CLASSES[own]


def group_named(settings, mineral):
    """The group that a mineral absorbs in; "" of one without."""
    return next(item.group for item in known_minerals(settings) if item.name == mineral)


def taught_groups(settings):
    """Groups that a second pass maps."""
    teaches = settings.get("minerals", {"teach": {"model": "none"}})["teach"]["model"] != "none"
    return groups_of(settings) if teaches else []


def scenes_matched(by_group):
    """A pattern of the names of the scenes whose minerals are mapped by group, or not."""
    studies = SETTINGS["studies"]
    names = [name for name, scene in SCENES.items() if "minerals" in studies[scene["study"]]]
    chosen = [name for name in names if bool(groups_of(studies[study_named(name)])) == by_group]
    return pattern_of(chosen)


def study_named(scene):
    """Name of the study that a scene belongs to."""
    return SCENES[scene]["study"]


def group_maps(wildcards):
    """Folders of the maps of a scene's groups."""
    return [f"<minerals>/{group}" for group in groups_of(settings_of(wildcards))]


def group_files(*names):
    """A function of the wildcards: these files of each of a scene's groups."""
    return lambda wildcards: [
        f"{folder}/{name}" for folder in group_maps(wildcards) for name in names
    ]


def taught_records(wildcards):
    """Records of the second maps of a scene's groups."""
    return [f"<minerals>/{group}/taught.json" for group in taught_groups(settings_of(wildcards))]


def ranges_of(wildcards):
    """The ranges whose bands minerals are compared at, as flags."""
    return " ".join(flags(range_um=span) for span in section("minerals")(wildcards)["range_um"])
