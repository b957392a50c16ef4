# Products that are fetched by name.

# Beginning of the names of EMIT's own mineral maps, which become truths.
MINERALS_OF_EMIT = "EMIT_L2B_MIN_"


def fetched_product(name):
    """Where the results have a product that is fetched."""
    return f"<results>/products/{name}/{LOCK.leaf_of(FETCHED[name])}"


def entry_digest(name):
    """A digest of the lock's entry of a product."""
    return hashlib.sha256(json.dumps(FETCHED[name], sort_keys=True).encode()).hexdigest()[:16]


def fetched_records(study):
    """Records of what was fetched for a study."""
    settings = SETTINGS["studies"][study]
    texts = [leaf for leaf in walk(settings) if isinstance(leaf, str)]
    for scene in scenes_of(study):
        texts += [*scene["sensors"].values(), *scene["truths"].values()]
    return [f"{fetched_product(name)}.fetched.json" for name in LOCK.names_in(texts)]


def walk(value):
    """The single values of nested settings."""
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list):
        yield value
        return
    for item in value:
        yield from walk(item)


def fetched_leaves():
    """A pattern of the names that fetched products have among the results."""
    return "|".join(re.escape(LOCK.leaf_of(locked)) for locked in FETCHED.values()) or "(?!)"


def fetched_input(name):
    """What tools read of a product that is fetched: itself, or the class raster made of it."""
    path = fetched_product(name)
    is_map = os.path.basename(path).startswith(MINERALS_OF_EMIT)
    return f"{os.path.splitext(path)[0]}.tif" if is_map else path


def fetched_names(folder):
    """A pattern of the names of the products that are folders, or that are files."""
    names = [name for name, locked in FETCHED.items() if LOCK.is_folder(locked) == folder]
    return "|".join(names) or "(?!)"
