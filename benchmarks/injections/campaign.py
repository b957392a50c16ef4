"""The injections: each is drawn from its number and a seed alone, made, run and judged."""

import os
import shlex
import shutil
import socket
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from injections import damage as damages
from injections import forks, hostile, settings
from injections.damage import Damage, NotPossibleError
from injections.jobs import Job, digest, inputs_of, lay_out, list_files
from injections.judging import OLD, judge

CYCLE = (
    *("reader", "tool", "reader", "tool", "hostile", "reader", "tool", "disk", "reader", "tool"),
    *("reader", "tool", "reader", "tool", "reader", "hostile", "reader", "tool", "reader", "disk"),
    *("reader", "tool", "settings", "tool", "reader"),
)
TRIES = 40
SLOW = ("train_embedding", "train_filler", "train_network", "simulate_scene", "teach_grades")


@dataclass
class Result:
    """What became of an injection."""

    number: int
    sort: str
    tool: str
    file: str
    what: str
    outcome: str
    message: str
    seconds: float
    command: str = ""
    notes: list[str] = field(default_factory=list)


@dataclass
class Place:
    """Where injections are made: the base, the folder of boxes, and whether boxes are kept."""

    base: Path
    boxes: Path
    jobs: list[Job]
    seed: int
    keep: bool = False
    may_mount: bool = False


def inject(place: Place, number: int) -> Result:
    """Make, run and judge an injection."""
    sort = CYCLE[number % len(CYCLE)]
    generator = np.random.default_rng([place.seed, number])
    box = place.boxes / f"{place.seed}-{number}"
    clear(box)
    makers: dict[str, Callable] = {
        "reader": inject_file,
        "tool": inject_file,
        "hostile": inject_hostile,
        "disk": inject_disk,
        "settings": inject_settings,
    }
    for _ in range(TRIES):
        try:
            result = makers[sort](place, number, sort, generator, box)
            break
        except NotPossibleError:
            clear(box)
    else:
        raise RuntimeError(f"injection {number}: nothing can be damaged")
    if not place.keep:
        clear(box)
    return result


def clear(box: Path) -> None:
    """Remove a box and the disk that may be mounted there."""
    if os.path.ismount(box):
        subprocess.run(["umount", "-l", str(box)], check=False)
    if box.exists():
        for folder, _, _ in os.walk(box):
            Path(folder).chmod(0o755)
        shutil.rmtree(box)
    box.with_suffix(".log").unlink(missing_ok=True)


def draw_job(place: Place, sort: str, generator: np.random.Generator) -> Job:
    """A job: tools alike, but for those that learn, which take long.

    What a job took here is not asked, for the same seed is due to make the same injections.
    """
    jobs = [job for job in place.jobs if (job.sort == "reader") == (sort == "reader")]
    if sort == "reader":
        return damages.pick(generator, jobs)
    counts: dict[str, int] = {}
    for job in jobs:
        counts[job.tool] = counts.get(job.tool, 0) + 1
    weights = np.array([(0.1 if job.tool in SLOW else 1) / counts[job.tool] for job in jobs])
    return jobs[int(generator.choice(len(jobs), p=weights / weights.sum()))]


def draw_file(job: Job, base: Path, generator: np.random.Generator) -> tuple[str, str]:
    """An input of a job: the word that names it and the file."""
    inputs = inputs_of(job, base)
    word = damages.pick(generator, inputs)
    return word, damages.pick(generator, inputs[word])


def names_of(word: str, name: str) -> list[str]:
    """What a refusal may call a file by."""
    parts = [part for part in Path(name).parts if part not in ("results", "products", "scenes")]
    return [
        *(word, name, Path(name).stem, Path(word).name, Path(word).stem),
        *(Path(path).name.split(".")[0] for path in (name, word)),
        *(part for part in parts if len(part) > 7),
    ]


def snapshot(box: Path) -> dict[str, str]:
    """Digests of all files of a box."""
    return {name: digest(box / name) for name in list_files(box)}


def run_in(place: Place, job: Job, box: Path, prepare: Callable[[], None] | None = None):
    """Run a job in its box."""

    def call() -> None:
        if prepare is not None:
            prepare()
        forks.run_tool(job.tool, job.words)

    return forks.run_forked(box, call, box.with_suffix(".log"))


def finish(
    place: Place,
    number: int,
    sort: str,
    job: Job,
    box: Path,
    name: str,
    damage: Damage,
    ran: forks.Ran,
    before: dict[str, str],
) -> Result:
    """Judge a run."""
    outcome, message = judge(ran, damage, job.writes, box, before, place.base)
    again = f"python {{root}}/scripts/{job.tool}.py {shlex.join(job.words)}"
    return Result(number, sort, job.tool, name, damage.what, outcome, message, ran.seconds, again)


def inject_file(place, number, sort, generator, box) -> Result:
    """Damage an input of a reader or a tool."""
    job = draw_job(place, sort, generator)
    word, name = draw_file(job, place.base, generator)
    lay_out(job, place.base, box)
    path = box / name
    special = damages.makers_of(path)
    pool = special if special and generator.random() < 0.6 else damages.ANY
    if (place.base / word).is_dir() and generator.random() < 0.12:
        pool = (damages.beside,)
    made = damages.pick(generator, pool)(path, generator)
    made.names += names_of(word, name)
    if generator.random() < 0.2:
        for written in job.writes:
            if not (box / written).exists():
                (box / written).parent.mkdir(parents=True, exist_ok=True)
                (box / written).write_bytes(OLD)
        made.what += "; older results there"
    before = snapshot(box)
    ran = run_in(place, job, box)
    return finish(place, number, sort, job, box, name, made, ran, before)


def inject_hostile(place, number, sort, generator, box) -> Result:
    """Put a hostile file in the place of an input."""
    job = draw_job(place, str(damages.pick(generator, ("reader", "tool"))), generator)
    word, name = draw_file(job, place.base, generator)
    lay_out(job, place.base, box)
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(8)
        server.setblocking(False)
        secrets = place.boxes / f"secret-{place.seed}-{number}"
        shutil.rmtree(secrets, ignore_errors=True)
        secrets.mkdir()
        try:
            made = hostile.make(
                box / name, generator, secrets, server.getsockname()[1], place.base / word
            )
            made.names += names_of(word, name)
            before = snapshot(box)
            ran = run_in(place, job, box)
            result = finish(place, number, sort, job, box, name, made, ran, before)
            if any(path.exists() for path in slipped(box)):
                result.outcome, result.message = "silent", "a file was written outside"
            try:
                server.accept()[0].close()
                result.outcome, result.message = "silent", f"a server was called: {made.what}"
            except BlockingIOError:
                pass
        finally:
            if not place.keep:
                shutil.rmtree(secrets)
    return result


def slipped(box: Path) -> list[Path]:
    """Where a member that points out of an archive may have gone."""
    tops = (hostile.SLIPPED.parent, Path.cwd(), *list(box.parents)[:3])
    return [hostile.SLIPPED, *(top / "outside" / "slipped" for top in tops)]


def inject_disk(place, number, sort, generator, box) -> Result:
    """Let the disk be full, too small for a file, read-only, or files too many."""
    job = draw_job(place, str(damages.pick(generator, ("tool", "tool", "reader"))), generator)
    kinds = ["quota", "few files", "folder in the way", "file in the way"]
    if place.may_mount or os.geteuid():
        kinds.append("read-only")
    how = damages.pick(generator, ["full"] * 3 * place.may_mount + kinds)
    sizes = {
        name: (place.base / name).stat().st_size
        for name in job.writes
        if (place.base / name).exists()
    }
    if not sizes:
        raise NotPossibleError
    prepare: Callable[[], None] | None = None
    made = Damage(how, "disk", [*map(str, Path(next(iter(job.writes))).parts)])
    made.names += ["space", "read-only", "permission", "too many open", "disk", "too large"]
    made.names += [Path(name).name for name in job.writes]
    made.names += [Path(name).stem for name in job.writes] + [w for w in job.words if "/" in w]
    if how == "full" or (how == "read-only" and place.may_mount):
        return inject_full(place, number, sort, generator, box, job, made, sizes)
    lay_out(job, place.base, box)
    if how == "quota":
        most = int(generator.integers(0, max(sizes.values()) + 1))
        made.what = f"no file longer than {most} bytes"
        prepare = lambda: forks.limit_bytes(most)  # noqa: E731
    elif how == "few files":
        more = int(generator.integers(0, 12))
        made.what = f"{more} more files may be open"
        prepare = lambda: forks.limit_files(more)  # noqa: E731
    elif how == "read-only":
        for folder, _, _ in os.walk(box):
            Path(folder).chmod(0o555)
    else:
        name = damages.pick(generator, sizes)
        if how == "folder in the way":
            (box / name).mkdir(parents=True)
        else:
            parent = (box / name).parent
            if parent.exists():
                raise NotPossibleError
            parent.parent.mkdir(parents=True, exist_ok=True)
            parent.write_bytes(OLD)
        made.what = f"{how} of {name}"
    before = snapshot(box)
    ran = run_in(place, job, box, prepare)
    return finish(place, number, sort, job, box, "", made, ran, before)


def inject_full(place, number, sort, generator, box, job, made, sizes) -> Result:
    """Run a job on a disk that its outputs may fill, or that is read-only."""
    box.mkdir(parents=True)
    needed = sum(
        (place.base / name).stat().st_size + 8192
        for files in inputs_of(job, place.base).values()
        for name in files
    )
    room = int(generator.random() * 1.1 * sum(-(-size // 4096) * 4096 for size in sizes.values()))
    total = needed + 65536
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={total + (8 << 20)}", "none", str(box)], check=True
    )
    try:
        lay_out(job, place.base, box, copy=True)
        if made.what == "read-only":
            command = ["mount", "-o", "remount,ro", str(box)]
            subprocess.run(command, check=True)
        else:
            with (box / "filler").open("wb") as file:
                free = os.statvfs(box).f_bavail * os.statvfs(box).f_frsize
                file.write(bytes(max(free - room, 0)))
            made.what = f"disk with {room} bytes free, outputs have {sum(sizes.values())}"
        before = snapshot(box)
        ran = run_in(place, job, box)
        return finish(place, number, sort, job, box, "", made, ran, before)
    finally:
        if place.keep:
            shutil.copytree(box, box.with_name(f"{box.name}-disk"), dirs_exist_ok=True)
        subprocess.run(["umount", "-l", str(box)], check=False)


def inject_settings(place, number, sort, generator, box) -> Result:
    """Change a key of the settings or a cell of the table of scenes."""
    made, ran, outcome, message = settings.run(place.base, box, generator)
    return Result(
        number, sort, "snakemake", made.names[0], made.what, outcome, message, ran.seconds
    )


def may_mount(folder: Path) -> bool:
    """Whether a small disk can be mounted here."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        return False
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(folder)]
    if subprocess.run(command, check=False, capture_output=True).returncode:
        return False
    subprocess.run(["umount", str(folder)], check=True)
    return True
