# What rules of alteration zones read, and their settings as flags.

# Of many dates or sensors there is no product to correct anew: their cube is read as rasters.
READ_AS_RASTERS = ("sentinel2", PLAN.STACK)

# How what is tested by blocks of ground is tested.
SPATIAL = flags(**pick(SETTINGS["accuracy"], "spatial_block_px", "bootstrap", "seed"))


def names_of_zones(wildcards):
    """The alteration zones of a study."""
    return list(section("zones", "alteration")(wildcards))


def confidence_maps(wildcards, place="confidence"):
    """Paths of the confidence maps of all zones, in a place of the method's folder."""
    folder = f"{folder_of(wildcards.scene, 'zones', wildcards.sensor)}/{place}"
    return [f"{folder}/{zone}.tif" for zone in names_of_zones(wildcards)]


def published_maps(wildcards):
    """Paths of the confidence maps as published; none where that does not run."""
    runs = "published" in section("zones")(wildcards)
    return confidence_maps(wildcards, "published/confidence") if runs else []


def faults_of(wildcards):
    """The vector file of mapped faults, or an empty list without one."""
    named = section("zones", "faults")(wildcards)
    if named or SCENES[wildcards.scene]["ground"] != "porphyry-zones":
        return given(named) if named else []
    return in_twin(wildcards, "faults.gpkg")


def zone_flags(wildcards):
    """The zones of a study, a flag each."""
    return " ".join(flags(zone=zone) for zone in names_of_zones(wildcards))


def truth_flag(method):
    """A function of the wildcards and the input: the truth as a flag, where there is one."""
    return lambda wildcards, input: flags(truth=told_truth(method)(wildcards, input))


def reader_for_zones(wildcards):
    """The reader of what the bands of the zones are taken from."""
    return PLAN.RASTERS if wildcards.sensor in READ_AS_RASTERS else wildcards.sensor


def product_for_zones(wildcards):
    """What the bands of the zones are taken from: the product, or a cube that has been made."""
    if wildcards.sensor in READ_AS_RASTERS:
        return f"{folder_of(wildcards.scene, 'cube', wildcards.sensor)}/cube.tif"
    return product_of(wildcards)


def part_for_zones(wildcards):
    """Area and masks as the cube has them, as flags; a cube that has been made has them already."""
    if wildcards.sensor in READ_AS_RASTERS:
        return "--mask"
    masks = masks_of(wildcards, section("zones", "mask")(wildcards))
    return f"{area_of(wildcards)} {numbers_of(wildcards)} {masks}"


def mad_flags(*keys):
    """A function of the wildcards: what an anomaly is, as flags, by a section of the settings."""
    return lambda wildcards: flags(**section("zones", *keys)(wildcards))


def wavelet_flags(wildcards, which, *keys):
    """The wavelet, or those that are compared, and how it is applied."""
    wavelet = section("zones", *keys, "wavelet")(wildcards)
    named = {"wavelet": wavelet["name"]} if which == "name" else {"wavelets": wavelet["compare"]}
    return flags(**named, **pick(wavelet, "level", "mode", "transform", "gaps"))


def score_model(wildcards):
    """The models of another scene that score one without a truth, or an empty list."""
    if truth_for("zones")(wildcards):
        return []
    return elsewhere(section("zones", "score", "model")(wildcards)) or []
