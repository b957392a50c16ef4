"""Draw the figures of one cube's noise fractions: eigenvalues and end-members."""

import argparse

from toolkit import add_drawing, puts_together, run

COLUMNS = ("component", "eigenvalue", "cumulative_share")


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_drawing(
        parser,
        "folder of the scene's sensor, with cube and mnf",
        "eigenvalues and endmembers.png",
    )
    return parser


@puts_together("scene_dir")
def main(arguments: argparse.Namespace) -> None:
    """Read what the figures show and write them."""
    from gossan.files import read_json
    from gossan.report.drawing import save_figures
    from gossan.report.mnf_figures import draw_eigenvalues, draw_endmembers
    from gossan.tables import read_references, read_table

    record = read_json(arguments.scene_dir / "cube/cube.json")
    synthetic = bool(record.get("synthetic", False))
    folder = arguments.scene_dir / "mnf"
    rows = read_table(folder / "eigenvalues.csv", COLUMNS)
    spectra = read_references(folder / "endmembers.csv")
    save_figures(
        {
            "eigenvalues": lambda: draw_eigenvalues(rows, synthetic),
            "endmembers": lambda: draw_endmembers(*spectra, synthetic),
        },
        arguments.output_dir,
    )


if __name__ == "__main__":
    run(build_parser(), main)
