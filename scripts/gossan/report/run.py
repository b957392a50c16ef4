"""What ran, how long, and how much memory it took: a page of Snakemake's own benchmark files."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from gossan.report.layout import render

MOST_JOBS = 10
"""The longest jobs that are told one by one."""
MB_PER_MIB = 2**20 / 1e6
_ASKED = re.compile(r"'mem_mb': (\d+)")


@dataclass(frozen=True)
class Job:
    """One job that ran: its rule and what it was for, seconds, and memory (MB).

    None where Snakemake has not measured: a job of less than a moment, a run without
    `benchmark-extended`.
    """

    rule: str
    name: str
    seconds: float
    cpu_seconds: float | None
    used_mb: float | None
    asked_mb: float | None


def read_jobs(folder: Path) -> Iterator[Job]:
    """The jobs of the benchmark files below a folder, in the order of their names.

    A file is RULE/NAME.tsv, where NAME may have folders, or RULE.tsv of a rule with one job; one
    that is not whole, as a job leaves it that was killed, is left out.
    """
    for path in sorted(folder.rglob("*.tsv")):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        rule, *name = path.relative_to(folder).with_suffix("").parts
        for line in lines[1:]:
            # Not by the csv module: a cell may be longer than it takes.
            cells = dict(zip(lines[0].split("\t"), line.split("\t"), strict=False))
            seconds = _number(cells.get("s"))
            if seconds is not None:
                asked = _ASKED.search(cells.get("resources", ""))
                used = _number(cells.get("max_rss"))
                yield Job(
                    rule=rule,
                    name="/".join(name),
                    seconds=seconds,
                    cpu_seconds=_number(cells.get("cpu_time")),
                    used_mb=None if used is None else used * MB_PER_MIB,
                    asked_mb=float(asked[1]) if asked else None,
                )


def _number(text: str | None) -> float | None:
    """The number of a cell; None for a dash, "NA" or what is not there."""
    try:
        return float(text or "")
    except ValueError:
        return None


def sum_up(jobs: Iterable[Job]) -> list[dict]:
    """A row a rule, those first that took longest in all.

    `low` says whether a job used more memory than its rule had asked for; `used` and `asked` are of
    the job that came nearest to what it had asked for, or else of the one that used most.
    """
    by_rule: dict[str, list[Job]] = {}
    for job in jobs:
        by_rule.setdefault(job.rule, []).append(job)
    rows = []
    for rule, own in by_rule.items():
        worst = max(own, key=_fullness)
        rows.append(
            {
                "rule": rule,
                "jobs": len(own),
                "seconds": sum(job.seconds for job in own),
                "longest": max(job.seconds for job in own),
                "cpu": sum(job.cpu_seconds or 0 for job in own),
                "used": worst.used_mb,
                "asked": worst.asked_mb,
                "low": _fullness(worst)[0] > 1,
            }
        )
    return sorted(rows, key=lambda row: (-row["seconds"], row["rule"]))


def _fullness(job: Job) -> tuple[float, float]:
    """How much of the memory that it asked for a job used, and how much it used."""
    used = job.used_mb or 0
    return used / job.asked_mb if job.asked_mb else 0, used


def render_run(templates: Mapping[str, str], style: str, jobs: Sequence[Job], index: str) -> str:
    """The page; `templates` has `run`, `index` is the link to the index of all results."""
    rows = sum_up(jobs)
    return render(
        {f"{name}.html.j2": text for name, text in templates.items()},
        "run.html.j2",
        style=Markup(style),
        index=index,
        rows=rows,
        low=[row for row in rows if row["low"]],
        measured=any(row["asked"] and row["used"] for row in rows),
        longest=sorted(jobs, key=lambda job: (-job.seconds, job.rule, job.name))[:MOST_JOBS],
        jobs=len(jobs),
        seconds=sum(row["seconds"] for row in rows),
        cpu=sum(row["cpu"] for row in rows),
        duration=duration,
    )


def duration(seconds: float) -> str:
    """A time in the units that one would say it in."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"
