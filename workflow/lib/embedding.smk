# What networks of embeddings read, and their settings as flags.

# Whether training hides sensors from the network.
EMBEDDINGS = ("masked", "unmasked")
# Regions of the spectrum that may have a network of their own.
REGIONS = ("1um", "2um")


def masking_of(wildcards):
    """Sensors at most that training hides; one always stays."""
    if wildcards.embedding == "unmasked":
        return 0
    others = len(SCENES[wildcards.scene]["stack"]) - 1
    return min(section("embedding", "masking")(wildcards), others)


def network_flags(wildcards):
    """Layers and training of an embedding, as flags; the same for a scene and for real spectra."""
    settings = section("embedding")(wildcards)
    keys = ("margin", "mining", "hidden", "threads")
    return flags(embedding=settings["size"], **pick(settings, *keys))


def training_flags(settings):
    """How long a network is trained, as flags."""
    return flags(**pick(settings, "triplets", "epochs", "networks"))


def training_of(wildcards):
    """How long one of a scene's networks is trained, and on which region, as flags."""
    settings, masking = section("embedding")(wildcards), flags(masking=masking_of(wildcards))
    if wildcards.embedding in REGIONS:
        region = flags(region=wildcards.embedding)
        return f"{masking} {training_flags(settings['regions'])} {region}"
    return f"{masking} {training_flags(settings)}"


def published_of(wildcards):
    """How one of a scene's networks is trained as published, as flags."""
    settings, own = (section("embedding", *keys)(wildcards) for keys in (["published"], []))
    masking = settings["masking"] if wildcards.embedding == "masked" else 0
    told = {**settings, "masking": masking, "networks": 1, "embedding": own["size"]}
    return flags(**told, **pick(own, "margin", "hidden", "threads"))


def embeddings_of(scene):
    """Networks over all bands that a scene's embedding trains: of one sensor none can be hidden."""
    return EMBEDDINGS if len(scene["stack"]) > 1 else EMBEDDINGS[:1]


def tested_flags(wildcards, input):
    """Which pixels networks are tested on, as flags."""
    settings = section("embedding")(wildcards)
    return flags(
        truth=told_truth("embedding")(wildcards, input),
        **pick(settings, "several", "outside"),
        **pick(settings["detection"], "spatial_block_px", "validation_share", "per_class"),
        **pick(SETTINGS["accuracy"], "bootstrap", "seed"),
    )


def naming_networks(wildcards):
    """Networks that name a study's spectra: those of its regions, else the one over all bands."""
    scene = SimpleNamespace(scene=first_scene(wildcards)["scene"])
    names = section("embedding", "regions", "names")(wildcards) or EMBEDDINGS[:1]
    return [embedding_file(f"networks/{name}/model.onnx")(scene) for name in names]


def if_several(path):
    """A function of the wildcards: a file of a scene's embedding, if its sensors are several."""

    def find(wildcards):
        several = len(SCENES[wildcards.scene]["stack"]) > 1
        return f"{folder_of(wildcards.scene, 'embedding')}/{path}" if several else []

    return find


def embedding_file(name):
    """A function of the wildcards: a file of the embedding that maps a scene, perhaps another's.

    Wildcards may stand in its name.
    """

    def find(wildcards):
        own = folder_of(wildcards.scene, "embedding")
        file = name.format(**vars(wildcards))
        return f"{elsewhere(section('embedding', 'model')(wildcards)) or own}/{file}"

    return find


def collection_of(wildcards):
    """Settings of a collection of measured spectra."""
    return section("embedding", "pixels", wildcards.collection)(wildcards)


def collection_files(wildcards):
    """Files of a collection of measured spectra."""
    if "matrix" in collection_of(wildcards):
        place = f"<results>/studies/{wildcards.study}/embedding/pixels/{wildcards.collection}"
        return f"{place}/spectra.csv"
    return [given(path) for path in collection_of(wildcards)["files"]]


def first_scene(wildcards):
    """The first scene of a study, whose network names spectra without a place."""
    return scenes_of(wildcards.study)[0]
