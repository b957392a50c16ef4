"""Results of small scenes in the places where the workflow puts them."""

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PUBLISHED = ROOT / "resources" / "static" / "published.json"
TABLE = """method,file,kind,when,group,title,unit,note
minerals,class.tif,map,,,Mineral map,,"class map (0 = unclassified, 255 = no data)"
minerals,zones/{zone}.tif,map,,,Zone,,map of a zone
minerals,accuracy/minerals.json,record,,,Accuracy,,accuracy record of the map
minerals,figures/classes.png,figure,,,Class map,,
patches,networks/{network}/model.onnx,model,trained,,Network,,network for ONNX Runtime
zones,mad/anomalies.tif,map,,,Anomalies,,anomalies of each band
zones,score/maps,ramp,scored,,Alteration score,,alteration score of a zone
prospects,potential/potential.tif,map,iron,,Potential,,potential for iron
mnf,components.tif,image,,,Noise fractions,,"minimum noise fraction, component by component"
targets,targets.gpkg,vector,,,Targets,,targets by rank
embedding,map/class.tif,map,,,Minerals,,minerals by the network
"""


def put_in_place(source: Path, scene_dir: Path, files: Mapping[str, str]) -> Path:
    """Copy files and folders of a flat folder to their places in the folder of a scene."""
    for name, place in files.items():
        target = scene_dir / place
        target.parent.mkdir(parents=True, exist_ok=True)
        if (source / name).is_dir():
            shutil.copytree(source / name, target, dirs_exist_ok=True)
        else:
            shutil.copy(source / name, target)
    return scene_dir


def write_settings(
    results: Path,
    methods: Mapping[str, Sequence[str]],
    settings: Mapping,
    *,
    study: str = "mine",
    scene: str = "tiny",
    synthetic: bool = True,
    held: Sequence[str] = ("truth", "twin", "trained", "scored", "sampled", "iron", "cover"),
) -> Path:
    """Write the settings of a study of one scene, and return the study's folder."""
    sensors = dict.fromkeys(name for names in methods.values() for name in names if name)
    record = {
        "study": study,
        "settings": {"paper": "", "library": ["analytic"], **settings},
        "scenes": [
            {
                "scene": scene,
                "study": study,
                "synthetic": synthetic,
                "held": {
                    **{f"{name}/cube": [] for name in sensors},
                    **{f"{name}/{method}": held for method in methods for name in methods[method]},
                },
                "sensors": {name: f"data/{name}" for name in sensors if name != "stack"},
                "stack": [name for name in sensors if name != "stack"],
                "methods": methods,
            }
        ],
    }
    folder = results / "studies" / study
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "settings.json").write_text(json.dumps(record))
    (folder / "results.csv").write_text(TABLE)
    return folder


def change_settings(folder: Path, **changes: object) -> None:
    """Change the settings of a study's only scene."""
    path = folder / "settings.json"
    record = json.loads(path.read_text())
    record["scenes"][0] |= changes
    path.write_text(json.dumps(record))


def index_flags(results: Path, study: str = "mine") -> list:
    """The command line of render_index."""
    folder = results / "studies" / study
    return [
        *("--study", study, folder, "--scenes", results / "scenes"),
        *("--output", results / "index.html"),
    ]


def report_flags(results: Path, output: Path, study: str = "mine", **changes: Path) -> list:
    """The command line of render_report."""
    folder = results / "studies" / study
    files = {
        "settings": folder / "settings.json",
        "accuracy": folder / "accuracy.json",
        "table": folder / "results.csv",
        "published": PUBLISHED,
        **changes,
    }
    return [
        *("--study", study, "--results", results),
        *(part for name, path in files.items() for part in (f"--{name}", path)),
        *("--output", output, "--pages", output.with_suffix("")),
    ]
