"""Faults in the settings and in the table of scenes, answered by a dry run of Snakemake."""

import copy
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from injections import forks
from injections.damage import SAME, UNSEEN, Damage, NotPossibleError, pick
from injections.jobs import SCENES, SETTINGS

EVIL = (
    "$(touch PWNED)",
    "`touch PWNED`",
    "a; touch PWNED",
    "a\ntouch PWNED",
    "' && touch PWNED && '",
    '" && touch PWNED && "',
    "{input}",
    "{wildcards.scene}",
    "{{0}}",
    "--help",
    "-x",
    "../../outside",
    "it's here",
    "a b",
    "*",
    "~",
    "x" * 5000,
    "nul\0",
    "\u202erevo",
)
WRONG = (None, True, -1, 0, 1e308, float("nan"), "text", [], [[]], {}, {"a": 1}, "", [None], 10**30)
LINKED = ("Snakefile", "workflow", "config", "envs", "profiles", "scripts", "resources")
OURS = re.compile(
    r"Correct the configuration|Config file [a-z]|error: |small\.yaml|scenes\.tsv|Error in config"
)


def run(
    base: Path, box: Path, generator: np.random.Generator
) -> tuple[Damage, forks.Ran, str, str]:
    """Change settings, plan the workflow, and see what it says and would run."""
    import yaml

    box.mkdir(parents=True)
    for name in LINKED:
        (box / name).symlink_to(base / name)
    for name in ("plans.json", "pixels.mat", "pixels.hdr", "spectra.csv"):
        (box / name).symlink_to(base / name)
    given = yaml.safe_load(SETTINGS)
    study = pick(generator, given["studies"])
    given["studies"] = {study: given["studies"][study]}
    lines = SCENES.splitlines()
    table = [line.split("\t") for line in lines if line.split("\t")[1] in ("study", study)]
    if generator.random() < 0.55:
        given, damage = change_settings(given, generator)
        text = damage.what if isinstance(given, str) else ""
        content = given if text else yaml.safe_dump(given, allow_unicode=True)
        damage.names += ["small.yaml"]
        (box / "small.yaml").write_bytes(
            content if isinstance(content, bytes) else content.encode(errors="surrogatepass")
        )
        (box / "scenes.tsv").write_text("\n".join("\t".join(row) for row in table) + "\n")
    else:
        (box / "small.yaml").write_text(yaml.safe_dump(given))
        content, damage = change_table(table, generator)
        (box / "scenes.tsv").write_bytes(content)
        damage.names += ["scenes.tsv"]
    ran = forks.run_forked(box, plan, box.with_suffix(".log"))
    outcome, message = judge(ran, damage, box)
    return damage, ran, outcome, message


def plan() -> None:
    """A dry run."""
    from snakemake.cli import main

    sys.argv = ["snakemake"]
    main(["--cores", "1", "--dry-run", "--printshellcmds", "--configfile", "small.yaml"])


def ways(value: Any, way: tuple = ()) -> Iterator[tuple]:
    """Ways to all values of settings."""
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        yield (*way, key)
        if isinstance(item, (dict, list)):
            yield from ways(item, (*way, key))


def change_settings(given: dict, generator: np.random.Generator) -> tuple[Any, Damage]:
    """Settings with one fault, or a text that is none."""
    import yaml

    given = copy.deepcopy(given)
    if generator.random() < 0.15:
        text = yaml.safe_dump(given)
        how, content = pick(
            generator,
            (
                ("a tab", text.replace("  ", "\t", 1)),
                ("no YAML", "{" * 50 + text),
                ("a list", "- 1\n- 2\n"),
                ("a key twice", text + "\naccuracy: {bootstrap: 200}\n"),
                (
                    "an object of Python",
                    text + "\nblock_px: !!python/object/apply:os.system [id]\n",
                ),
                ("UTF-16", text.encode("utf-16")),
                ("Latin-1", text.replace("scenes.tsv", "scènes.tsv").encode("latin-1")),
                ("a NUL", text + "\0"),
            ),
        )
        return content, Damage(
            how,
            UNSEEN,
            ["small.yaml", "config", "accuracy", "yaml", "scènes", "scenes", "block_px"],
        )
    way = pick(generator, ways(given))
    holder = given
    for part in way[:-1]:
        holder = holder[part]
    how = pick(generator, ("evil", "evil", "wrong", "wrong", "dropped", "unknown"))
    if how == "dropped":
        del holder[way[-1]]
        new = None
    elif how == "unknown":
        if not isinstance(holder, dict):
            raise NotPossibleError
        holder["zzz_unknown"] = 1
        new = "zzz_unknown"
        way = (*way[:-1], "zzz_unknown")
    else:
        new = pick(generator, EVIL if how == "evil" else WRONG)
        holder[way[-1]] = new
    told = ".".join(map(str, way))
    names = [str(part) for part in way[::-1] if isinstance(part, str)]
    names += [new] if isinstance(new, str) and new else []
    return given, Damage(f"{told}: {how} {str(new)[:40]!r}", UNSEEN, [told, *names])


def change_table(table: list[list[str]], generator: np.random.Generator) -> tuple[bytes, Damage]:
    """The bytes of a table of scenes with one fault."""
    rows = [list(row) for row in table]
    how = pick(
        generator,
        (
            *("evil", "evil", "evil", "evil", "short", "long", "twice", "column dropped"),
            *("column doubled", "BOM", "CRLF", "UTF-16", "Latin-1", "NUL", "empty", "header only"),
            *("commas", "blanks", "blank line"),
        ),
    )
    y, x = int(generator.integers(1, len(rows))), int(generator.integers(len(rows[0])))
    names = [rows[0][x], rows[y][x]]
    due = UNSEEN
    if how == "evil":
        rows[y][x] = pick(generator, EVIL).replace("\t", " ")
        names.append(rows[y][x])
        told = f"{rows[0][x]}: {rows[y][x][:40]!r}"
    elif how == "short":
        rows[y] = rows[y][:2]
    elif how == "long":
        rows[y].append("surplus")
    elif how == "twice":
        rows.append(list(rows[y]))
    elif how == "column dropped":
        rows = [[value for place, value in enumerate(row) if place != x] for row in rows]
    elif how == "column doubled":
        rows = [[*row, row[x]] for row in rows]
    elif how == "header only":
        rows = rows[:1]
    elif how == "blanks":
        rows = [[f" {value} " for value in row] for row in rows]
    if how != "evil":
        told = f"table of scenes: {how}"
    by = "," if how == "commas" else "\t"
    end = "\r\n" if how == "CRLF" else "\n"
    text = end.join(by.join(row) for row in rows) + end
    if how == "blank line":
        text += end
    content = text.encode(errors="surrogatepass")
    if how == "BOM":
        content, due = b"\xef\xbb\xbf" + content, SAME
    elif how == "UTF-16":
        content = text.encode("utf-16")
    elif how == "Latin-1":
        content = text.replace("twin:", "tw\xefn:").encode("latin-1")
        names += ["tw"]
    elif how == "NUL":
        content = content.replace(b"twin", b"tw\0in", 1)
    elif how == "empty":
        content = b""
    return content, Damage(told, due, names)


def judge(ran: forks.Ran, damage: Damage, box: Path) -> tuple[str, str]:
    """Refused by name, or planned with every text one word of a command."""
    if (box / "PWNED").exists():
        return "silent", "code ran while planning"
    if ran.code is None:
        return "hang", f"no end after {ran.seconds:.0f} s"
    if "Traceback (most recent call last)" in ran.said:
        return "traceback", ran.said.strip().splitlines()[-1][:300]
    if ran.code:
        low = ran.said.lower()
        told = [line for line in ran.said.splitlines() if line.strip()][3:9]
        if not OURS.search(ran.said):
            return "unclear", " | ".join(told)[:500]
        if any(name.lower()[:60] in low for name in damage.names if name):
            return "refused", ""
        return "unclear", " | ".join(told)[:500]
    return check_commands(ran.said, damage, box)


def check_commands(said: str, damage: Damage, box: Path) -> tuple[str, str]:
    """Run the planned commands with a stub for Python, and see what a shell makes of them."""
    commands = re.findall(
        r"^Shell command: (.*?)(?=\n\n|\nReason|\Z)", said, re.MULTILINE | re.DOTALL
    )
    stubs = box / "stubs"
    stubs.mkdir()
    (stubs / "python").write_text("#!/bin/sh\nexit 0\n")
    (stubs / "python").chmod(0o755)
    (box / "results").mkdir(exist_ok=True)
    environment = os.environ | {"PATH": f"{stubs}:{os.environ['PATH']}"}
    marked = [text for text in commands if "PWNED" in text or "here" in text]
    for text in dict.fromkeys(marked[:6]):
        bare = re.sub(r"2> \S+$", "2> /dev/null", text.strip())
        done = subprocess.run(
            ["bash", "-c", bare],
            cwd=box,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if (box / "PWNED").exists():
            return "silent", f"code runs from {damage.what}: {text[:200]}"
        if "syntax error" in done.stderr or "unexpected EOF" in done.stderr:
            return "traceback", f"the shell: {done.stderr[:200]}"
    return "tolerated", ""


def told(value: object) -> str:
    """A value as JSON, for messages."""
    return json.dumps(value, default=str)
