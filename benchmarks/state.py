"""How long a state takes: tools measured on two sizes of tile, then a simulation of the schedule.

    python benchmarks/state.py --results results [--run RESULTS --cores N]

`--results` is what config/examples/bahia_mosaic.yaml has left: its cube, side by side to larger
ones, and its forest are what the tools are measured on, and the composite on dates of grounds half
as wide. CPU seconds and bytes of each tool are a line through both sizes, memory is the larger
one's; a tile of Sentinel-2 is read off the line. What the example's own jobs took tells of the
jobs that do not grow with a tile: the teacher's training, pictures, tables, records and pages.
The schedule then is the workflow's own order: the teacher, all tiles at once, the joining of each
map, the targets of the whole. A job begins when what it reads is there and a node has its cores
and memory; it ends when its CPU seconds and its share of the file system are through.
`--run` are results of the example on N cores, such as those of a cluster, whose time is told
beside that of the simulation.
"""

import argparse
import ast
import heapq
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import rasterio

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from gossan.raster import read_info  # noqa: E402

TILE_PX = 10_980
TILES = 200
# Tiles lie 100 km apart; a quarter more lie on the border of the state.
BAHIA_TILES = math.ceil(565_000 / 100**2 * 1.25)
CORES = (8, 64, 512)
GB_PER_CORE = 4
# Of a shared file system, all nodes together.
MB_PER_S = 1000
DATES, DATES_MEASURED = 12, 2
# Threads of the rules, which share the CPU seconds evenly; all others have 2.
THREADS = dict.fromkeys(
    (
        *("composite_dates", "map_forest", "map_potential"),
        *("mosaic_classes", "mosaic_numbers", "map_ground_agreement", "rank_ground_targets"),
    ),
    4,
)
SIDES_PX = (768, 2304)
"""Sides of the two cubes that are measured, to whole cubes of the example."""
# The teacher alone is trained on and tested, by so many jobs each.
TEACHING = {"train_forest": 2, "validate_forest": 1}


@dataclass(frozen=True)
class Step:
    """A job of the schedule: its rule, cores, CPU seconds, gigabytes and megabytes moved."""

    rule: str
    cores: int
    cpu_s: float
    memory_gb: float
    moved_mb: float


@dataclass(frozen=True)
class Cost:
    """What a tool needs on so many million pixels: lines a + b x; memory does not grow."""

    cores: int
    cpu_s: tuple[float, float]
    moved_mb: tuple[float, float]
    memory_gb: float

    def step(self, rule: str, megapixels: float) -> Step:
        """A job on so many million pixels."""
        values = [max(0.0, a + b * megapixels) for a, b in (self.cpu_s, self.moved_mb)]
        return Step(rule, self.cores, values[0], self.memory_gb, values[1])


# What a tile's jobs wait for.
CHAIN = {
    "composite_dates": (),
    **dict.fromkeys(TEACHING, ("composite_dates",)),
    "map_mineral_group": ("composite_dates",),
    "teach_minerals": ("map_mineral_group",),
    "merge_mineral_groups": ("map_mineral_group",),
    "tabulate_classes": ("merge_mineral_groups",),
    "map_forest": ("composite_dates", "train_forest"),
    "map_potential": ("map_forest",),
    "pages": ("tabulate_classes", "map_potential"),
}
# How many jobs of a rule a tile has, or the whole ground: two groups of minerals, two forests, the
# maps of classes and of numbers that are joined.
COUNT = {"map_mineral_group": 2, "teach_minerals": 2, "map_forest": 2, **TEACHING}
JOINED = {
    "mosaic_classes": (8, ("merge_mineral_groups", "teach_minerals", "map_forest")),
    "mosaic_numbers": (4, ("teach_minerals", "map_potential")),
}


# ---- measuring ---------------------------------------------------------------------------------


def measure(tool: str, *words: object) -> dict[str, float]:
    """CPU seconds, peak memory (GB) and bytes moved (MB) of a tool; `words` are its flags."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    code = (
        "import pathlib, runpy, sys; sys.path.insert(0, sys.argv[1]);"
        "sys.argv = sys.argv[2:];"
        "runpy.run_path(sys.argv[0], run_name='__main__');"
        "print(pathlib.Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])"
    )
    run = subprocess.run(
        [
            *(sys.executable, "-c", code, ROOT / "scripts", ROOT / f"scripts/{tool}.py"),
            *map(str, words),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        sys.exit(f"error: {tool}: {run.stderr.strip().splitlines()[-1]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = sum(getattr(after, key) - getattr(before, key) for key in ("ru_utime", "ru_stime"))
    files = {str(word) for word in words if Path(str(word)).exists()}
    moved = sum(size_of(Path(file)) for file in files)
    return {"cpu_s": used, "memory_gb": int(run.stdout.split()[-1]) / 1e6, "moved_mb": moved}


def size_of(path: Path) -> float:
    """Megabytes of a file, or of all files of a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file()) / 1e6


def enlarge(source: Path, target: Path, side_px: int) -> float:
    """A raster beside and below itself until it is so wide; returns its million pixels."""
    with rasterio.open(source) as dataset:
        times = round(side_px / dataset.width)
        profile, tags = dataset.profile, dataset.tags()
        values = np.tile(dataset.read(), (1, times, times))
        parts = dataset.descriptions, dataset.scales, dataset.offsets
        bands = [dataset.tags(band, ns="IMAGERY") for band in dataset.indexes]
    profile.update(height=values.shape[1], width=values.shape[2], driver="GTiff", tiled=True)
    profile.update(blockxsize=512, blockysize=512)
    with rasterio.open(target, "w", **profile) as dataset:
        dataset.write(values)
        dataset.update_tags(**tags)
        dataset.descriptions, dataset.scales, dataset.offsets = parts
        for band, told in enumerate(bands, start=1):
            dataset.update_tags(band, ns="IMAGERY", **told)
    return values.shape[1] * values.shape[2] / 1e6


def measure_tile(results: Path, folder: Path, side_px: int) -> dict[str, tuple[float, dict]]:
    """(million pixels, what it needs) of each tool of a tile on a cube of that size."""
    scene = results / "scenes/mines/sentinel2"
    cube, classes = folder / "cube.tif", results / "studies/mines/minerals/classes.csv"
    size = enlarge(scene / "cube/cube.tif", cube, side_px)
    library = scene / "minerals/library/references.csv"
    blocks = ("--threads", 2)
    maps = {name: folder / f"{name}.tif" for name in ("class", "angle", "margin", "contrast")}
    forest = {name: folder / f"{name}.tif" for name in ("iron", "probability", "uncertainty")}
    group = [(f"--{'class-map' if name == 'class' else name}", path) for name, path in maps.items()]
    found = {
        "map_mineral_group": measure(
            "map_mineral_group",
            *("--cube", cube, "--cube-record", scene / "cube/cube.json", "--group", "1um"),
            *("--references", library, "--classes", classes, "--match", "scene"),
            *(word for pair in group for word in pair),
            *("--record", folder / "record.json", *blocks),
        ),
        "teach_minerals": measure(
            "teach_minerals",
            *("--cube", cube, "--classes", classes, "--class-map", maps["class"]),
            *("--angle", maps["angle"], "--contrast", maps["contrast"]),
            *("--record", folder / "record.json", "--surest", 0.3, "--model", "likelihood"),
            *("--seed", 42, "--taught-map", folder / "taught.tif"),
            *("--probability", folder / "taught_probability.tif"),
            *("--taught-record", folder / "taught.json", *blocks),
        ),
        "merge_mineral_groups": measure(
            "merge_mineral_groups",
            *("--groups", folder, folder, "--classes", classes),
            *("--class-map", folder / "all.tif", "--angle", folder / "all_angle.tif"),
            *("--margin", folder / "all_margin.tif", "--item", folder / "item.json", *blocks),
        ),
        "tabulate_classes": measure(
            "tabulate_classes",
            *("--class-map", maps["class"], "--angle", maps["angle"], "--cube", cube),
            *("--classes", classes, "--areas", folder / "areas.csv"),
            *("--signatures", folder / "signatures.csv", "--pixels", folder / "pixels.gpkg"),
            *("--outlines", folder / "outlines.gpkg", "--points-per-class", 20000, *blocks),
        ),
        "map_forest": measure(
            "map_forest",
            *("--cube", cube, "--forest", scene / "prospects/forest/iron.npz", "--scene", "a"),
            *("--classes", ROOT / "resources/static/iron.csv", "--class-map", forest["iron"]),
            *("--probability", forest["probability"], "--uncertainty", forest["uncertainty"]),
            *blocks,
        ),
        "map_potential": measure(
            "map_potential",
            *("--probability", forest["probability"], "--medium", 0.34, "--high", 0.67),
            *("--potential", folder / "potential.tif", "--score", folder / "score.tif", *blocks),
        ),
        "map_ground_agreement": measure(
            "map_agreement",
            *("--map", "potential", "prospects", folder / "potential.tif", folder / "score.tif"),
            *("--map", "angles", "minerals", *(maps[k] for k in ("class", "angle", "contrast"))),
            *(classes, "hematite", "--medium", 0.34, "--high", 0.67, "--scene", "a"),
            *("--spatial-block-px", 32, "--bootstrap", 100, "--seed", 42),
            *("--potential", folder / "whole.tif", "--score", folder / "whole_score.tif"),
            *("--support", folder / "support.tif", "--record", folder / "agreement.json"),
            *("--comparison", folder / "combined.csv", *blocks),
        ),
        "rank_ground_targets": measure(
            "rank_targets",
            *("--potential", folder / "whole.tif", "--score", folder / "whole_score.tif"),
            *("--support", folder / "support.tif", "--class-map", maps["class"], classes),
            *(
                "--substance-attribute",
                "substance",
                "--date-attribute",
                "date",
                "--level",
                "medium",
            ),
            *("--min-area-ha", 1, "--spatial-block-px", 128, "--bootstrap", 100, "--seed", 42),
            *("--scene", "a", "--targets", folder / "targets.gpkg", "--kml", folder / "t.kml"),
            *("--gpx", folder / "t.gpx", "--table", folder / "t.csv"),
            *("--overlay", folder / "overlay.csv", "--curves", folder / "curves.csv"),
            *("--period-table", folder / "p.csv", "--district-table", folder / "d.csv"),
            *("--mine-table", folder / "m.csv", "--record", folder / "targets.json", *blocks),
        ),
    }
    for rule, path in (
        ("mosaic_classes", folder / "potential.tif"),
        ("mosaic_numbers", folder / "score.tif"),
    ):
        found[rule] = measure(
            "mosaic_scenes",
            *("--scenes", "a", "--maps", path, "--output", folder / f"{rule}.tif"),
            *("--record", folder / f"{rule}.json", *blocks),
        )
    return {rule: (size, needs) for rule, needs in found.items()}


def measure_dates(folder: Path, side_px: int) -> tuple[float, dict]:
    """The composite of a simulated ground's dates, brought to DATES of them."""
    product, cube = folder / "dates", folder / "dates.tif"
    measure(
        "simulate_scene",
        *("--ground", "iron", "--size-px", side_px, "--seed", 42, "--difficulty", 1),
        *("--sensor", "sentinel2", "--dates", DATES_MEASURED, "--product", product),
        *("--library", ROOT / "resources/static/analytic_library.csv", "--threads", 2),
    )
    needs = measure(
        "composite_dates",
        *("--sensor", "sentinel2", "--product", product, "--cube", cube),
        *("--record", folder / "dates.json", "--looks", folder / "looks.tif"),
        *("--normalisation", "clip", "--mask", "cloud", "cloud_shadow", "cirrus", "snow"),
        *("--resolution-m", 10, "--threads", 2),
    )
    more = {key: needs[key] * DATES / DATES_MEASURED for key in ("cpu_s", "moved_mb")}
    return side_px**2 / 1e6, {**needs, **more}


def costs_of(results: Path) -> dict[str, Cost]:
    """What each rule needs, from two sizes."""
    sizes: dict[str, list] = {}
    with tempfile.TemporaryDirectory() as name:
        for side_px in SIDES_PX:
            folder = Path(name) / str(side_px)
            folder.mkdir()
            found = {"composite_dates": measure_dates(folder, side_px // 2)}
            for rule, needs in (found | measure_tile(results, folder, side_px)).items():
                sizes.setdefault(rule, []).append(needs)
    costs = {}
    for rule, ((small, few), (large, many)) in sizes.items():
        lines = []
        for key in ("cpu_s", "moved_mb"):
            slope = max(0.0, (many[key] - few[key]) / (large - small))
            lines.append((many[key] - slope * large, slope))
        costs[rule] = Cost(THREADS.get(rule, 2), *lines, many["memory_gb"])
    return costs | small_costs(read_run(results), set(costs))


def read_run(results: Path) -> pd.DataFrame:
    """Jobs of a run by Snakemake's own benchmark files: rule, scene, s, end, cpu_time, max_rss."""
    rows = []
    for path in sorted((results / "benchmarks").rglob("*")):
        if path.is_file():
            row = pd.read_csv(path, sep="\t").iloc[-1]
            scene = ast.literal_eval(row["wildcards"]).get("scene", "")
            rows.append({**row, "scene": scene, "end": path.stat().st_mtime})
    jobs = pd.DataFrame(rows)
    # The example makes its own products, a state has them.
    return jobs[~jobs["rule_name"].str.startswith("simulate")]


def small_costs(jobs: pd.DataFrame, known: set[str]) -> dict[str, Cost]:
    """The teacher's own jobs, and those of a tile that are not measured by their size, as one."""
    others = jobs[~jobs["rule_name"].isin(known)]
    tiles = others[others["scene"].str.startswith("tile")]
    parts = {
        rule: (others[others["rule_name"] == rule], number) for rule, number in TEACHING.items()
    }
    parts["pages"] = tiles, tiles["scene"].nunique()
    return {
        rule: Cost(
            1 if rule == "pages" else THREADS.get(rule, 2),
            (part["cpu_time"].sum() / number, 0.0),
            (20.0, 0.0),
            part["max_rss"].max() / 1000,
        )
        for rule, (part, number) in parts.items()
    }


# ---- the schedule ------------------------------------------------------------------------------


def plan(
    costs: dict[str, Cost], tiles: int, size: float = TILE_PX**2 / 1e6
) -> dict[tuple, tuple[Step, list[tuple]]]:
    """Jobs by (rule, tile, number): the step, and what it waits for; `size` in million pixels."""
    jobs: dict[tuple, tuple[Step, list[tuple]]] = {}

    def of(rule: str, tile: int) -> list[tuple]:
        return [(rule, tile, number) for number in range(COUNT.get(rule, 1))]

    for tile in range(tiles):
        for rule, after in CHAIN.items():
            if rule in TEACHING and tile:
                continue
            waits = [job for name in after for job in of(name, 0 if name in TEACHING else tile)]
            if tile and rule in ("map_mineral_group", "map_forest"):
                waits += of("composite_dates", 0)
            if tile and rule == "teach_minerals":
                waits += of("map_mineral_group", 0)
            for job in of(rule, tile):
                jobs[job] = costs[rule].step(rule, size), waits
    whole = size * tiles
    for rule, (number, after) in JOINED.items():
        waits = [job for name in after for tile in range(tiles) for job in of(name, tile)]
        for place in range(number):
            jobs[rule, -1, place] = costs[rule].step(rule, whole), waits
    joined = [(rule, -1, place) for rule, (number, _) in JOINED.items() for place in range(number)]
    agreement = ("map_ground_agreement", -1, 0)
    jobs[agreement] = costs[agreement[0]].step(agreement[0], whole), joined
    ranking = ("rank_ground_targets", -1, 0)
    jobs[ranking] = costs[ranking[0]].step(ranking[0], whole), [agreement]
    return jobs


def simulate(jobs: dict, cores: int, memory_gb: float, mb_per_s: float) -> dict[str, float]:
    """Hours until all is done, and until the last tile is; share of the cores that work."""
    waiting = {job: len(waits) for job, (_, waits) in jobs.items()}
    followers: dict[tuple, list[tuple]] = {}
    for job, (_, waits) in jobs.items():
        for other in waits:
            followers.setdefault(other, []).append(job)
    order = {job: place for place, job in enumerate(jobs)}
    ready = [(order[job], job) for job, left in waiting.items() if not left]
    heapq.heapify(ready)
    free, room, now, worked, tiles_done = cores, memory_gb, 0.0, 0.0, 0.0
    running: dict[tuple, list[float]] = {}
    while ready or running:
        held = []
        while ready and free:
            place, job = heapq.heappop(ready)
            step = jobs[job][0]
            if step.memory_gb > room or min(step.cores, cores) > free:
                held.append((place, job))
                # Of equals none fits either.
                break
            free -= min(step.cores, cores)
            room -= step.memory_gb
            worked += step.cpu_s
            running[job] = [step.cpu_s / min(step.cores, cores), step.moved_mb]
        for entry in held:
            heapq.heappush(ready, entry)
        moving = sum(left[1] > 0 for left in running.values())
        share = mb_per_s / moving if moving else math.inf
        due = min(max(cpu, moved / share if moved else 0.0) for cpu, moved in running.values())
        # Until the next one ends, or has moved all its bytes and leaves others its share.
        step_s = max(min([due, *(m / share for _, m in running.values() if m > 0)]), 1e-9)
        now += step_s
        for job, left in list(running.items()):
            left[0] = max(0.0, left[0] - step_s)
            left[1] = max(0.0, left[1] - step_s * share) if left[1] else 0.0
            if left[0] <= 1e-6 and left[1] <= 1e-6:
                del running[job]
                free += min(jobs[job][0].cores, cores)
                room += jobs[job][0].memory_gb
                tiles_done = now if job[1] >= 0 else tiles_done
                for other in followers.get(job, ()):
                    waiting[other] -= 1
                    if not waiting[other]:
                        heapq.heappush(ready, (order[other], other))
    return {"hours": now / 3600, "tiles": tiles_done / 3600, "busy": worked / (now * cores)}


def main() -> None:
    """Measure, simulate, print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--results", type=Path, required=True, help="results of the example")
    parser.add_argument("--run", type=Path, help="results of the example on a cluster")
    parser.add_argument("--cores", type=int, default=2, help="cores that it had (default: 2)")
    arguments = parser.parse_args()
    os.environ.setdefault("NUMBA_CACHE_DIR", tempfile.gettempdir())
    costs = costs_of(arguments.results)
    size = TILE_PX**2 / 1e6
    print(f"a tile of {TILE_PX} x {TILE_PX} pixels, {DATES} dates; per job")
    for rule, cost in costs.items():
        step = cost.step(rule, size)
        print(
            f"{rule:22} {cost.cpu_s[1]:8.2f} s/Mpx {step.cpu_s:9.0f} s CPU {step.memory_gb:6.2f} GB"
            f" {step.moved_mb:9.0f} MB"
        )
    for tiles in (TILES, BAHIA_TILES):
        jobs = plan(costs, tiles)
        total = sum(step.cpu_s for step, _ in jobs.values()) / 3600
        print(f"{tiles} tiles: {len(jobs)} jobs, {total:.0f} CPU hours")
        for cores in CORES:
            told = simulate(jobs, cores, cores * GB_PER_CORE, MB_PER_S)
            print(
                f"  {cores:4} cores: {told['hours']:7.1f} h, the last tile after"
                f" {told['tiles']:.1f} h; cores at work {told['busy']:.0%}"
            )
    if arguments.run is not None:
        compare(costs, arguments.run, arguments.cores)


def compare(costs: dict[str, Cost], results: Path, cores: int) -> None:
    """Print the CPU and wall time of a run of the example beside those of the simulation."""
    jobs = read_run(results)
    names = sorted(set(jobs["scene"]) - {""})
    cubes = [results / f"scenes/{name}/sentinel2/cube/cube.tif" for name in names]
    grids = [read_info(cube).grid for cube in cubes]
    size = sum(grid.width * grid.height for grid in grids) / len(grids) / 1e6
    dates = len(json.loads(cubes[0].with_suffix(".json").read_text())["dates"])
    composite = costs["composite_dates"]
    fewer = tuple(value * dates / DATES for value in composite.cpu_s)
    planned = plan(costs | {"composite_dates": replace(composite, cpu_s=fewer)}, len(names), size)
    told = simulate(planned, cores, math.inf, MB_PER_S)
    minutes = (jobs["end"].max() - (jobs["end"] - jobs["s"]).min()) / 60
    print(
        f"{len(names)} scenes of {size:.3f} Mpx, {dates} dates, {cores} cores: simulated, and run"
    )
    kinds = jobs["rule_name"].where(jobs["rule_name"].isin(set(costs)), "pages")
    for rule in costs:
        foreseen = sum(step.cpu_s for (name, *_), (step, _) in planned.items() if name == rule)
        took = jobs[kinds == rule]
        print(
            f"{rule:22} {foreseen:7.0f} s CPU {took['cpu_time'].sum():7.0f} s CPU,"
            f" {took['s'].sum():5.0f} s of {len(took)} jobs"
        )
    foreseen = sum(step.cpu_s for step, _ in planned.values())
    print(
        f"{'all':22} {foreseen:7.0f} s CPU {jobs['cpu_time'].sum():7.0f} s CPU, {minutes:.1f} min"
    )
    print(f"{'simulated':22} {told['hours'] * 60:7.1f} min")


if __name__ == "__main__":
    main()
