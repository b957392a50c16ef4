"""Draw where on Earth a scene lies, from the outlines of its cubes."""

import argparse
from pathlib import Path

from toolkit import run

STATIC = Path(__file__).resolve().parents[1] / "resources" / "static"


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add(
        "--cube",
        nargs=2,
        action="append",
        required=True,
        dest="cubes",
        metavar=("SENSOR", "FILE"),
        help="one of the scene's cubes, with its cube.json beside it; repeat the flag for each",
    )
    add(
        "--land",
        type=Path,
        default=STATIC / "land.geojson",
        help="the Earth's land in degrees (GeoJSON; default: the coarse one that comes along)",
    )
    add("--output", type=Path, required=True, help="picture to write (PNG)")
    return parser


def main(arguments: argparse.Namespace) -> None:
    """Read the outlines and draw them."""
    from gossan.files import read_json, staged
    from gossan.outlines import degrees_of, outline
    from gossan.raster import read_info
    from gossan.report.drawing import save_figure
    from gossan.report.layout import SENSOR_NAMES
    from gossan.report.location_figures import draw_location, read_land

    land = read_land(arguments.land)
    outlines, synthetic = {}, False
    for sensor, path in arguments.cubes:
        grid = read_info(path).grid
        synthetic |= bool(read_json(Path(path).parent / "cube.json").get("synthetic", False))
        if grid.crs is not None:
            outlines[SENSOR_NAMES.get(sensor, sensor)] = degrees_of(outline(grid), grid.crs)
    with staged(arguments.output) as temporary:
        save_figure(draw_location(outlines, land, synthetic), temporary)


if __name__ == "__main__":
    run(build_parser(), main)
