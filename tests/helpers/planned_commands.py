"""The commands of a dry run, run with a `python` that only records what it is called with."""

import importlib
import re
import subprocess
from pathlib import Path

from toolkit import FROM_FILE

RECORDER = """#!/bin/bash
printf '%s\\0' "$@" >> "$RECORD"
printf '\\1\\0' >> "$RECORD"
"""


def commands_of(listing: str) -> list[str]:
    """The shell commands that a dry run with --printshellcmds lists."""
    found = re.findall(
        r"^Shell command: (?!None$)(.*?)(?=\n\n|\n\[|\Z|\nrule |\nlocalrule )", listing, re.S | re.M
    )
    assert len(found) > 10, listing[-3000:]
    return found


def run_commands(folder: Path, name: str, listing: str) -> list[list[str]]:
    """The arguments of each call of `python` by the commands of a dry run, run by a shell."""
    commands = commands_of(listing)
    text = "\n".join(commands)
    for place in re.findall(r"> (results/\S+/)[^/\s]+", text):
        (folder / place).mkdir(parents=True, exist_ok=True)
    (folder / "bin").mkdir(exist_ok=True)
    recorder = folder / "bin/python"
    recorder.write_text(RECORDER)
    recorder.chmod(0o755)
    # What is linked under another name is not there.
    (folder / "bin/ln").write_text("#!/bin/bash\n")
    (folder / "bin/ln").chmod(0o755)
    subprocess.run(
        ["bash", "-e"],
        input=text,
        text=True,
        cwd=folder,
        env={"PATH": f"{folder}/bin:/usr/bin:/bin", "RECORD": str(folder / name)},
        check=True,
    )
    calls: list[list[str]] = [[]]
    for word in (folder / name).read_text().split("\0")[:-1]:
        if word == "\1":
            calls.append([])
        else:
            calls[-1].append(word)
    return calls[:-1]


def arguments_of(call: list[str]) -> dict[str, list[str]]:
    """What a tool takes from its command line: texts of the values by the flag's name.

    A file of flags, which only a run writes, is left out.
    """
    tool = importlib.import_module(call[0].rpartition("/")[2].removesuffix(".py"))
    parser = tool.build_parser()
    words = call[1:]
    if parser.fromfile_prefix_chars:
        words = [word for word in words if not word.startswith(FROM_FILE)]
        for action in parser._actions:
            action.required = False
    arguments = parser.parse_args(words)

    def flatten(value: object) -> list[str]:
        if isinstance(value, (list, tuple)):
            return [text for item in value for text in flatten(item)]
        return [str(value)]

    return {name: flatten(value) for name, value in vars(arguments).items()}
