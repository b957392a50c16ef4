"""What planning a table of many scenes takes, beside as many empty rules.

    python benchmarks/plan.py [--scenes N ...]

The empty rules are as many, with as many jobs and files. Printed are the seconds of CPU and the
memory of a dry run, and the seconds for one scene and for a tenth of the scenes of that table.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = """scenes: scenes.tsv
studies:
  survey: {minerals: {references: [alunite, kaolinite, muscovite, calcite]}}
"""
# Written beside the plan: of each rule its name, jobs, inputs and outputs.
COUNTING = """
import json, sys
from collections import Counter
from snakemake import cli, dag
make = dag.DAG.postprocess
async def count(self, *words, **more):
    await make(self, *words, **more)
    jobs = list(self.jobs)
    names = [rule.name for rule in self.workflow.rules]
    told = {name: [0, 0, 0] for name in names}
    for job in jobs:
        for place, number in enumerate((1, len(job.input), len(job.output))):
            told[job.rule.name][place] += number
    idle = {rule.name: len(rule.output) for rule in self.workflow.rules}
    json.dump({"rules": told, "patterns": idle}, open("counts.json", "w"))
dag.DAG.postprocess = count
cli.main(sys.argv[1:])
"""


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--scenes", type=int, nargs="+", default=[1, 100, 1000], help="sizes of the table"
    )
    return parser


def main() -> None:
    """Plan each table and its empty rules, and print a row of each."""
    print(
        f"{'scenes':>7} {'jobs':>7} {'ours':>15} {'empty':>15} {'ratio':>6}   one, a tenth of them"
    )
    for number in build_parser().parse_args().scenes:
        with tempfile.TemporaryDirectory() as folder:
            print(compare(Path(folder), number), flush=True)


def compare(folder: Path, number: int) -> str:
    """A row of the table."""
    write_table(folder, number)
    snakefile = ["--snakefile", str(ROOT / "Snakefile"), "--configfile", "scenes.yaml"]
    run([sys.executable, "-c", COUNTING, *planning(snakefile)], folder)
    counts = json.loads((folder / "counts.json").read_text())
    (folder / "Snakefile").write_text(empty_rules(counts, number))
    ours = plan(snakefile, folder)
    empty = plan([], folder)
    single = plan(["results/scenes/s0/index.html", *snakefile], folder)
    part = ["scenes", "--batch", "scenes=1/10", *snakefile]
    tenth = plan(part, folder) if number >= 10 else ours
    jobs = sum(jobs for jobs, *_ in counts["rules"].values())
    seconds = [f"{cpu:6.1f} s {mib:5.0f} MiB" for cpu, mib in (ours, empty)]
    ratio = f"{ours[0] / empty[0]:6.2f}"
    told = f"{single[0]:.1f} s, {tenth[0]:.1f} s"
    return f"{number:7} {jobs:7} {seconds[0]:>15} {seconds[1]:>15} {ratio}   {told}"


def write_table(folder: Path, number: int) -> None:
    """A table of scenes with a file for the product of each."""
    (folder / "products").mkdir()
    rows = ["scene\tstudy\tsensor\tproduct\ttruth"]
    for scene in range(number):
        (folder / f"products/{scene}.tar").touch()
        rows.append(f"s{scene}\tsurvey\tlandsat\tproducts/{scene}.tar\t")
    (folder / "scenes.tsv").write_text("\n".join(rows) + "\n")
    (folder / "scenes.yaml").write_text(SETTINGS)


def empty_rules(counts: dict, number: int) -> str:
    """A Snakefile of rules that do nothing, with as many jobs and files.

    A rule with a job for each scene, or several, reads the files of those before it; one of a
    single job reads as many as ours of all scenes, or one.
    """
    several = {name: row for name, row in counts["rules"].items() if row[0] >= max(number, 2)}
    if number == 1:
        several = {name: row for name, row in counts["rules"].items() if row[0] and row[2]}
    made: list[str] = []
    texts = []
    for name, (jobs, inputs, outputs) in several.items():
        for copy in range(max(1, jobs // number)):
            files = [
                f"results/scenes/{{scene}}/{name}-{copy}.{place}"
                for place in range(round(outputs / jobs))
            ]
            texts.append(rule(f"{name}_{copy}", made[-round(inputs / jobs) :], files))
            made += files
    for name, (jobs, inputs, outputs) in counts["rules"].items():
        if name in several or name == "all":
            continue
        share = round(inputs / number) if jobs and number > 1 else 0
        files = [f"results/{name}.{place}" for place in range(max(outputs, 1))]
        idle = [
            f"results/scenes/{{scene}}/{name}/{place}" for place in range(counts["patterns"][name])
        ]
        read = [file.format(scene=f"s{scene}") for scene in range(number) for file in made[-share:]]
        texts.append(rule(name, read if share else [], files if jobs else idle or files))
    wanted = [
        f"results/{name}.0"
        for name, row in counts["rules"].items()
        if row[0] and name not in several and name != "all"
    ]
    wanted += [made[-1].format(scene=f"s{scene}") for scene in range(number)]
    return rule("all", wanted, []) + "".join(texts)


def rule(name: str, inputs: Sequence[str], outputs: Sequence[str]) -> str:
    """The text of a rule."""
    shell = "    shell: ''\n" if outputs else ""
    output = f"    output: {list(outputs)!r}\n" if outputs else ""
    return f"rule {name}:\n    input: {list(inputs)!r}\n{output}{shell}\n"


def planning(words: Sequence[str]) -> list[str]:
    """The arguments of a dry run, targets first."""
    return [*words, "--dry-run", "--quiet", "all", "--cores", "1"]


def plan(words: Sequence[str], folder: Path) -> tuple[float, float]:
    """Seconds of CPU and MiB that a dry run takes."""
    return run([sys.executable, "-m", "snakemake", *planning(words)], folder)


def run(command: Sequence[str], folder: Path) -> tuple[float, float]:
    """Seconds of CPU and MiB that a command takes, which must succeed."""
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
        _, status, used = os.wait4(process.pid, 0)
    if status:
        sys.exit((folder / "log").read_text()[-3000:])
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


if __name__ == "__main__":
    main()
