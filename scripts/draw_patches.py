"""Draw the figures of the patches of one mineral map and of the networks trained on them."""

import argparse
from collections.abc import Callable
from pathlib import Path

from toolkit import add_drawing, add_paper, puts_together, read_paper, run


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_drawing(
        parser,
        "folder of the scene's sensor, with patches",
        "network-map and proportions.png, with --labels pair.png, and with --networks patches, "
        "training, protocols and reliability.png",
    )
    add = parser.add_argument
    add("--classes", type=Path, required=True, help="the study's table of minerals (CSV)")
    add(
        "--networks",
        nargs="*",
        default=[],
        metavar="NETWORK",
        help="networks that were trained on the scene's patches, in the order to show them",
    )
    add("--labels", nargs="*", default=[], metavar="CLASS", help="two classes to map by colour")
    add_paper(parser)
    return parser


@puts_together("scene_dir")
def main(arguments: argparse.Namespace) -> None:
    """Read what the figures show and write them."""
    from gossan.legend import read_classes
    from gossan.raster import is_synthetic, read_info
    from gossan.report.drawing import read_small, save_figures
    from gossan.report.patches_figures import draw_network_map, draw_pair, draw_proportions
    from gossan.report.patches_section import mapping_network, published_shares, read_proportions

    maps = arguments.scene_dir / "patches/map"
    classes = read_classes(arguments.classes)
    paper = read_paper(arguments)
    trained = training_figures(arguments, classes, paper)
    tags = read_info(maps / "class.tif").tags
    mapped = is_synthetic(tags)
    proportions = read_proportions(maps / "proportions.csv")
    named = {item.name: item for item in classes}
    pair = [named[name] for name in arguments.labels if name in named]
    mineral_map = arguments.scene_dir / "minerals/class.tif"
    save_figures(
        {
            **trained,
            **(
                {"pair": lambda: draw_pair(read_small(mineral_map, classes=True), pair, mapped)}
                if pair
                else {}
            ),
            "network-map": lambda: draw_network_map(
                read_small(maps / "class.tif", classes=True),
                read_small(maps / "probability.tif"),
                classes,
                mapped,
                mapping_network(tags),
            ),
            "proportions": lambda: draw_proportions(
                proportions, classes, mapped, published_shares(paper)
            ),
        },
        arguments.output_dir,
    )


def training_figures(
    arguments: argparse.Namespace, classes: list, paper: dict
) -> dict[str, Callable]:
    """What is drawn of patches and networks, if any network was trained."""
    from gossan.patches.cutting import read_images, read_patches
    from gossan.report.patches_figures import (
        draw_patches,
        draw_protocols,
        draw_reliability,
        draw_training,
    )
    from gossan.report.patches_section import published_accuracies, published_epoch, read_runs

    if not arguments.networks:
        return {}
    folder = arguments.scene_dir / "patches"
    runs, _ = read_runs(arguments.networks, folder)
    if not runs:
        return {}
    cut = folder / (
        "cut/pair" if any(len(run.record["classes"]) == 2 for run in runs) else "cut/all"
    )
    table = read_patches(cut / "patches.csv")
    images, _ = read_images(cut / "colour.npz", table)
    synthetic = any(run.record["synthetic"] for run in runs)
    return {
        "patches": lambda: draw_patches(table, images, classes, table.synthetic),
        "training": lambda: draw_training(
            {
                f"{run.record['protocol']} protocol": run.history
                for run in runs
                if run.record["network"] == "paper" and len(run.record["classes"]) == 2
            },
            synthetic,
            published_epoch(paper),
        ),
        "protocols": lambda: draw_protocols(
            {
                (run.label, f"{run.record['protocol']}{told}"): scores["scores"]
                for run in runs
                for told, scores in (("", run.accuracy), (", tested apart", run.apart))
                if scores
            },
            synthetic,
            published_accuracies(paper),
        ),
        "reliability": lambda: draw_reliability(
            {f"{run.label}, {run.record['protocol']}": run.record["test"] for run in runs},
            synthetic,
        ),
    }


if __name__ == "__main__":
    run(build_parser(), main)
