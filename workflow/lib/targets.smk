# The maps that targets rest on, and what is known of the ground.

# Vector files of `prospects` that are counted on a map of potential.
SITES = ("claims", "occurrences", "mines", "known_mines", "districts")


def opinions(wildcards):
    """(kind, title, paths) of the maps of each method of a scene that call ground favourable.

    A method that looks for none of the favourable minerals has no opinion.
    """
    scene, settings = SCENES[wildcards.scene], settings_of(wildcards)
    for method, sensor in PLAN.parts_of(scene):
        folder = folder_of(scene["scene"], method, sensor)
        title = " ".join(filter(None, [method, sensor]))
        if method in ("minerals", "embedding"):
            if not CONFIG.favourable_minerals(settings, method):
                continue
            file = "class.tif" if method == "minerals" else "map/class.tif"
            yield "classes", title, [f"{folder}/{file}"]
        elif method == "zones":
            zones = settings["zones"]["alteration"]
            yield "confidence", title, [f"{folder}/confidence/{zone}.tif" for zone in zones]


def opinion_flags(wildcards, input):
    """The maps that go into the agreement, a flag each, with the minerals that are favourable."""
    settings = settings_of(wildcards)
    maps, tables = list(input.maps), list(input.classes)
    tables = dict(zip((name for name in ("minerals", "embedding") if name in settings), tables))
    told = []
    for kind, title, paths in opinions(wildcards):
        words = [kind, title, *(maps.pop(0) for _ in paths)]
        if kind == "classes":
            method = title.split()[0]
            words += [tables[method], *CONFIG.favourable_minerals(settings, method)]
        told.append(flags(map=words))
    return " ".join(told)


def ranked_map(name):
    """A function of the wildcards: a map that targets are ranked on, of potential or agreement."""

    def find(wildcards):
        if not CONFIG.has_potential(settings_of(wildcards)):
            return f"{folder_of(wildcards.scene, 'targets')}/{name}.tif"
        [sensor] = SCENES[wildcards.scene]["methods"]["prospects"][:1]
        return f"{folder_of(wildcards.scene, 'prospects', sensor)}/potential/{name}.tif"

    return find


def ranked_uncertainty(wildcards):
    """The uncertainty of the forest behind the potential, where there is one."""
    if not CONFIG.has_potential(settings_of(wildcards)):
        return []
    [sensor] = SCENES[wildcards.scene]["methods"]["prospects"][:1]
    return f"{folder_of(wildcards.scene, 'prospects', sensor)}/iron/uncertainty.tif"
