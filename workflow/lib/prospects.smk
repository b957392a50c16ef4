# What forests read.


def rasters_of(wildcards):
    """Further rasters that a forest may use as features."""
    named = section("prospects", "rasters")(wildcards)
    if named or SCENES[wildcards.scene]["ground"] != "iron":
        return named
    return [in_twin(wildcards, name) for name in PLAN.TWIN_RASTERS]


# Endings of rasters of a truth, from which points are drawn.
TRUTH_RASTERS = (".tif", ".tiff")


def points_of(wildcards):
    """The labelled points that forests learn from: given, drawn from a truth, or sampled."""
    folder = f"{folder_of(wildcards.scene, 'prospects', wildcards.sensor)}/samples"
    named = section("prospects", "points", "train")(wildcards)
    if named.lower().endswith(TRUTH_RASTERS):
        return f"{folder}/points.csv"
    return given(named) if named else f"{folder}/samples.gpkg"


def train_truth(wildcards):
    """The raster that labelled points are drawn from."""
    return given(section("prospects", "points", "train")(wildcards))


def test_points_of(wildcards):
    """The labelled points that forests are tested on, or an empty list."""
    named = section("prospects", "points", "test")(wildcards)
    return given(named) if named else []


def told_points(wildcards, input, name, key):
    """Labelled points with the layer to read, as the key of `prospects.points` tells it."""
    return as_named(input.get(name), section("prospects", "points", key)(wildcards))


def cover_classes(wildcards):
    """The class table of the labelled points: their own, or kinds of cover."""
    return section("prospects", "points", "classes")(wildcards) or static("covers.csv")


def target_classes(wildcards):
    """The class table of a forest's target: cover (or the points' own classes), or iron grades."""
    return static("iron.csv") if wildcards.target == "iron" else cover_classes(wildcards)


def labels_of(wildcards):
    """What a forest learns from: labelled points, or the map of iron grades by spectral angle."""
    if wildcards.target == "cover":
        return points_of(wildcards)
    return f"{folder_of(wildcards.scene, 'prospects', wildcards.sensor)}/labels/iron.tif"


def forest_of(wildcards):
    """The forest that maps a scene: one that is named, the teacher's of a mosaic, or its own."""
    taught = taught_file(wildcards, f"prospects/forest/{wildcards.target}.npz")
    return elsewhere(section("prospects", "model")(wildcards)) or taught


def site_settings(wildcards):
    """Which claims and occurrences count, as `targets` says it, or else by its defaults."""
    schema = json.loads(Path(source("workflow/schemas/config.schema.json")).read_text())
    part = schema["$defs"]["study"]["properties"]["targets"]
    section = settings_of(wildcards).get("targets") or SCHEMA.fill_defaults({}, part, schema)
    return pick(section, "substances", "substance_attribute", "spatial_block_px")


def ore_references(wildcards):
    """Reference spectra of a library, where `prospects` names one, or an empty list."""
    if not section("prospects", "library")(wildcards):
        return []
    folder = folder_of(wildcards.scene, "prospects", wildcards.sensor)
    return f"{folder}/library/references.csv"
