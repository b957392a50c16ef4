# What networks of patches read.

# The network that maps the scene it learned from.
MAPPED_BY = "compact-blocked"
# The paper's layers for all classes, which are trained on request.
ALL_CLASSES = "paper-all-blocked"
# What each network is trained on, with training and test on blocks apart: patches of the two labels
# or of all classes, painted or as reflectance; and its layers.
NETWORKS = {
    "paper-blocked": ("pair", "colour", "paper"),
    "compact-blocked": ("pair", "colour", "compact"),
    "reflectance-blocked": ("pair", "reflectance", "compact"),
    "all-blocked": ("all", "colour", "compact"),
    ALL_CLASSES: ("all", "colour", "paper"),
}


def networks_among(settings):
    """Networks that a study trains on the patches of a scene, beside the one as published."""
    published = settings.get("patches", {}).get("published", {"all_classes": False})
    return [name for name in NETWORKS if name != ALL_CLASSES or published["all_classes"]]


def cut_for(wildcards):
    """Folder of the patches that a network learns from."""
    return f"{folder_of(wildcards.scene, 'patches', wildcards.sensor)}/cut/{NETWORKS[wildcards.network][0]}"


def mapping_network(wildcards):
    """The network that maps a scene: another scene's, or one that is trained here."""
    trained = f"{folder_of(wildcards.scene, 'patches', wildcards.sensor)}/networks/{MAPPED_BY}"
    return elsewhere(section("patches", "model")(wildcards)) or f"{trained}/model.onnx"
