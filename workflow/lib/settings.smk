# The checked settings, and how they reach a command line.

import json
import re
import shlex
import unicodedata

from snakemake.common.configfile import load_configfile
from snakemake.exceptions import WorkflowError
from snakemake.utils import update_config


def read_static(name):
    """A JSON file of resources/static."""
    return json.loads(Path(static(name)).read_text(encoding="utf-8"))


def merged_config(given):
    """The configuration with `{}` of a later file in place of what an earlier one says there.

    Snakemake merges an empty mapping like any other, so that nothing of it would be seen.
    """
    asked = workflow.config_settings
    first = [path for path in workflow.configfiles if path not in asked.configfiles]
    layers = [load_configfile(path) for path in [*first, *asked.configfiles]]
    layers.append(dict(asked.config))
    plain, told = {}, {}
    for layer in layers:
        update_config(plain, layer)
        told = CONFIG.merge(told, layer)
    # A workflow that uses this one as a module tells a configuration of its own.
    return told if plain == given else given


def check_inputs(given):
    """Settings with defaults filled in, the scenes by name, and what is to be fetched for them.

    All faults are told together.
    """
    schema = json.loads(Path(source("workflow/schemas/config.schema.json")).read_text())
    row_schema = json.loads(Path(source("workflow/schemas/scenes.schema.json")).read_text())
    faults = [fault for path in workflow.configfiles for fault in CONFIG.repeated_keys(path)]
    settings = SCHEMA.fill_defaults(merged_config(given), schema)
    settings = SCHEMA.change_leaves(settings, schema, tell)
    faults += SCHEMA.schema_faults(settings, schema)
    # A fault in one study does not keep back those of the others.
    studies = SCHEMA.sound_part(settings, schema, "studies")
    known = LEGEND.read_classes(static("minerals.csv"))
    papers = read_static("published.json")
    faults += CONFIG.config_faults({**settings, "studies": studies}, known, papers)
    rows, wrong = read_table(settings, row_schema)
    planned = [] if wrong else [row for row in rows if row["study"] in studies]
    scenes = PLAN.plan_scenes(planned, studies)
    facts = read_static("sensors.json")
    faults += [*wrong, *unknown_studies(rows, settings)]
    faults += PLAN.plan_faults(scenes.values(), studies, facts, settings["twin"])
    # A job on another machine has been planned already: it does not read the heads of files again.
    if not workflow.remote_exec:
        faults += PLAN.truth_faults(scenes.values())
    fetched, wrong = find_fetched(settings, schema, studies, planned)
    faults += wrong
    if faults:
        listing = "\n".join(f"  {fault}" for fault in faults)
        raise WorkflowError(f"Correct the configuration ({len(faults)} to mend):\n{listing}")
    require_fetched(settings, fetched)
    return settings, scenes, fetched


def find_fetched(settings, schema, studies, rows):
    """The lock's entries of the products that scenes and their studies name, and faults."""
    used = {row["study"] for row in rows}
    told = {"studies": {name: study for name, study in studies.items() if name in used}}
    texts = [leaf for _, leaf, _ in SCHEMA.leaves(told, schema) if isinstance(leaf, str)]
    for row in rows:
        texts += [row["product"], *PLAN.truths_of(row["truth"]).values()]
    names = LOCK.names_in(texts)
    if not names:
        return {}, []
    table, path = settings["fetch"]["products"], settings["fetch"]["lock"]
    own = json.loads(Path(source("workflow/schemas/products.schema.json")).read_text())
    try:
        entries, faults = ENTRIES.read_entries(table, own)
        lock = LOCK.read_lock(path)
    except CONFIG.InputError as error:
        return {}, [str(error)]
    faults += CONFIG.repeated_keys(table)
    faults = faults or ENTRIES.lock_faults(names, entries, lock, table, path)
    return {name: lock[name] for name in names if name in lock}, faults


def require_fetched(settings, fetched):
    """Stop where something is missing that this run may not, or cannot, get over the network."""
    cache, lines, number = Path(settings["fetch"]["cache"]), [], 0
    for name, locked in fetched.items():
        if not settings["fetch"]["run"] or locked["search"]["source"] == ENTRIES.MANUAL:
            lines += LOCK.describe_missing(name, locked, cache / name)
            number += len(LOCK.missing_files(locked, cache / name))
    if lines:
        listing = "\n".join(f"  {line}" for line in lines)
        raise WorkflowError(
            f"Missing products ({number} file{'s' * (number > 1)}); get them and put them there by hand, or set "
            f"fetch.run to true for those that need no person:\n{listing}"
        )


def tell(leaf, part):
    """A value of the settings as it is told to tools: of a path, that of the file that is there."""
    if not isinstance(leaf, str):
        return leaf
    if part.get("format") == SCHEMA.PATH:
        return PATHS.named_path(leaf)
    return unicodedata.normalize("NFC", leaf).strip()


def read_table(settings, row_schema):
    """Rows of the table of scenes, and their faults."""
    if not isinstance(settings["scenes"], str):
        return [], []  # a fault of the schema
    try:
        return PLAN.read_scenes(settings["scenes"], row_schema)
    except CONFIG.InputError as error:
        return [], [str(error)]


def unknown_studies(rows, settings):
    """One line per study that the table of scenes names and the config lacks."""
    if not isinstance(settings["studies"], dict):
        return  # a fault of the schema
    names = [str(name) for name in settings["studies"]]
    for name in dict.fromkeys(row["study"] for row in rows):
        if name not in names:
            hint = SCHEMA.nearest(name, names) or f"; the config has {', '.join(names) or 'none'}"
            yield f"{settings['scenes']}: no study is called {name!r}{hint}"


def flags(**values):
    """Command-line flags of these names, each with its value or values, quoted for the shell.

    What is None, false or empty gives no flag, what is true the flag alone. A value that begins
    with a hyphen would be taken for a flag; told as `--flag=value` it is none, and of several such
    values each brings the flag with it.
    """
    parts = []
    for name, value in values.items():
        flag = f"--{name.replace('_', '-')}"
        items = list(value) if isinstance(value, (list, tuple)) else [value]
        told = [item for item in items if item is not None and item is not False and item != ""]
        words = [shlex.quote(str(item)) for item in told if item is not True]
        if len(words) == 1 or any(str(item).startswith("-") for item in told):
            parts += [f"{flag}={word}" for word in words]
        elif told:
            parts += [flag, *words]
    return " ".join(parts)


def pick(settings, *names):
    """Some keys of a section."""
    return {name: settings[name] for name in names}


# What Snakemake itself needs beside the tool, in a job that goes to a cluster.
SNAKEMAKE_MB = 300


def memory(base_mb, bytes_per_pixel=0):
    """Memory (MB) of a job that holds `bytes_per_pixel` for each pixel of a block and thread.

    A job that is tried again gets as much more.
    """

    def needed(wildcards, threads, attempt):
        blocks_mb = threads * SETTINGS["block_px"] ** 2 * bytes_per_pixel / 1e6
        return round(attempt * (base_mb + blocks_mb)) + SNAKEMAKE_MB

    return needed
