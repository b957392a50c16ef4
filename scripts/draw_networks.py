"""Draw the figures of one scene's patches and of the networks trained on them, as PNG files."""

import argparse
from pathlib import Path

from toolkit import run

PUBLISHED = Path(__file__).resolve().parents[1] / "resources" / "static" / "published.json"


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--study", required=True, help="study id, for its published figures")
    add("--patches", type=Path, required=True, help="painted patches of cut_patches (.npz)")
    add("--table", type=Path, required=True, help="table of these patches (CSV)")
    add("--classes", type=Path, required=True, help="the study's classes.csv")
    add(
        "--run",
        nargs=2,
        action="append",
        required=True,
        dest="runs",
        metavar=("NAME", "FOLDER"),
        help="a network and the folder of its training (record.json, history.csv, accuracy.json); "
        "repeat the flag for each network, in the order to show them",
    )
    add("--class-map", type=Path, required=True, help="class raster of classify_patches")
    add("--probability", type=Path, required=True, help="probability raster of classify_patches")
    add("--proportions", type=Path, required=True, help="proportions of classify_patches (CSV)")
    add(
        "--published",
        type=Path,
        default=PUBLISHED,
        help="published figures of the studies (JSON)",
    )
    add(
        "--output-dir",
        type=Path,
        required=True,
        help="folder for patches, training, protocols, reliability, network-map and "
        "proportions.png",
    )
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Read what the figures show and write them."""
    from gossan.files import read_json, staged
    from gossan.legend import read_classes
    from gossan.patches.cutting import read_images, read_patches
    from gossan.raster import is_synthetic, read_info
    from gossan.report.minerals_figures import read_small, save_figure
    from gossan.report.patches_figures import (
        draw_network_map,
        draw_patches,
        draw_proportions,
        draw_protocols,
        draw_reliability,
        draw_training,
    )
    from gossan.report.patches_section import (
        mapping_network,
        published_accuracies,
        published_epoch,
        published_shares,
        read_proportions,
        read_run,
    )

    runs = [read_run(name, folder) for name, folder in arguments.runs]
    classes = read_classes(arguments.classes)
    published = read_json(arguments.published).get(arguments.study, {})
    table = read_patches(arguments.table)
    images, _ = read_images(arguments.patches, table)
    tags = read_info(arguments.class_map).tags
    trained = any(run.record["synthetic"] for run in runs)
    mapped = is_synthetic(tags)
    draw = {
        "patches": lambda: draw_patches(table, images, classes, table.synthetic),
        "training": lambda: draw_training(
            {
                f"{run.record['protocol']} protocol": run.history
                for run in runs
                if run.record["network"] == "paper"
            },
            trained,
            published_epoch(published),
        ),
        "protocols": lambda: draw_protocols(
            {(run.label, run.record["protocol"]): run.accuracy["scores"] for run in runs},
            trained,
            published_accuracies(published),
        ),
        "reliability": lambda: draw_reliability(
            {f"{run.label}, {run.record['protocol']}": run.record["test"] for run in runs},
            trained,
        ),
        "network-map": lambda: draw_network_map(
            read_small(arguments.class_map, classes=True),
            read_small(arguments.probability),
            classes,
            mapped,
            mapping_network(tags),
        ),
        "proportions": lambda: draw_proportions(
            read_proportions(arguments.proportions),
            classes,
            mapped,
            published_shares(published),
        ),
    }
    for name, make in draw.items():
        with staged(arguments.output_dir / f"{name}.png") as temporary:
            save_figure(make(), temporary)


if __name__ == "__main__":
    run(build_parser(), main)
