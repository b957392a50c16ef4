# The checked settings, and how they reach a command line.

import json
import re
import shlex

from snakemake.exceptions import WorkflowError


def read_static(name):
    """A JSON file of resources/static."""
    return json.loads(Path(static(name)).read_text(encoding="utf-8"))


def check_inputs(given):
    """Settings with defaults filled in, and the scenes by name; all faults are told together."""
    schema = json.loads(Path(source("workflow/schemas/config.schema.json")).read_text())
    row_schema = json.loads(Path(source("workflow/schemas/scenes.schema.json")).read_text())
    faults = [fault for path in workflow.configfiles for fault in CONFIG.repeated_keys(path)]
    settings = SCHEMA.fill_defaults(given, schema)
    wrong = SCHEMA.schema_faults(settings, schema)
    if not wrong:
        known = LEGEND.read_classes(static("minerals.csv"))
        wrong = CONFIG.config_faults(settings, known, read_static("published.json"))
    rows, told = read_table(settings, row_schema)
    faults += wrong + told
    scenes = {}
    if not faults:
        scenes = PLAN.plan_scenes(rows, settings["studies"])
        facts = read_static("sensors.json")
        faults = PLAN.plan_faults(scenes.values(), settings["studies"], facts, settings["twin"])
    if faults:
        listing = "\n".join(f"  {fault}" for fault in faults)
        raise WorkflowError(f"Correct the configuration ({len(faults)} to mend):\n{listing}")
    return settings, scenes


def read_table(settings, row_schema):
    """Rows of the table of scenes, and their faults."""
    try:
        rows, faults = PLAN.read_scenes(settings["scenes"], row_schema)
    except CONFIG.InputError as error:
        return [], [str(error)]
    studies = settings["studies"]
    for name in dict.fromkeys(row["study"] for row in rows):
        if name not in studies:
            hint = SCHEMA.nearest(name, studies) or f"; the config has {', '.join(studies)}"
            faults.append(f"{settings['scenes']}: no study is called {name!r}{hint}")
    return rows, faults


def flags(**values):
    """Command-line flags of these names, each with its value or values, quoted for the shell.

    What is None, false or empty gives no flag, what is true the flag alone.
    """
    parts = []
    for name, value in values.items():
        items = list(value) if isinstance(value, (list, tuple)) else [value]
        told = [item for item in items if item is not None and item is not False and item != ""]
        if told:
            parts.append(f"--{name.replace('_', '-')}")
            parts += [shlex.quote(str(item)) for item in told if item is not True]
    return " ".join(parts)


def pick(settings, *names):
    """Some keys of a section."""
    return {name: settings[name] for name in names}


def block_memory(base_mb, bytes_per_pixel):
    """Memory (MB) of a job that holds `bytes_per_pixel` for each pixel of a block and thread."""

    def memory(wildcards, threads):
        return round(base_mb + threads * SETTINGS["block_px"] ** 2 * bytes_per_pixel / 1e6)

    return memory
