"""What the report says of a cube's noise fractions and end-members."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gossan.files import read_json
from gossan.report.phrases import percent
from gossan.report.sections import Scene, Section, Source, require_rows
from gossan.tables import read_table

FIGURE_TITLES = {"eigenvalues": "Minimum noise fraction", "endmembers": "End-members"}
ANSWERS = ()
COLUMNS = ("component", "eigenvalue", "cumulative_share")


@dataclass(frozen=True, kw_only=True)
class MnfScene(Scene):
    """A scene with its noise fractions: `eigenvalues` are rows of eigenvalues.csv."""

    eigenvalues: Sequence[Mapping[str, str]]


def read_scene(source: Source) -> MnfScene:
    """Read what the section shows; InputError for a file that is missing or of another kind."""
    path = source.folder / "eigenvalues.csv"
    return MnfScene(
        id=source.id,
        sensor=source.sensor,
        cube=read_json(source.sensor_dir / "cube/cube.json"),
        figures=source.figures(FIGURE_TITLES),
        eigenvalues=require_rows(path, read_table(path, COLUMNS)),
    )


def make_section(scene: MnfScene, source: Source) -> Section:
    """The section of a cube's noise fractions."""
    noise = [
        {
            "component": row["component"],
            "eigenvalue": f"{float(row['eigenvalue']):,.3g}",
            "share": percent(row["cumulative_share"]),
        }
        for row in scene.eigenvalues
    ]
    return Section("mnf", scene, FIGURE_TITLES, {"noise": noise}, how=scene.cube)
