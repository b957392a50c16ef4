"""The real Landsat clip with real spectra, through the same rules."""

import json

from projects import copy_project, snakemake


def test_the_real_clip_ends_with_map_and_report(shared_data, tmp_path):
    data = shared_data("landsat").parent
    shared_data("usgs_splib07/native_ascii_splib07a")
    shared_data("jpl_beckman")
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared/data").symlink_to(data)
    project = copy_project(tmp_path / "project")
    run = snakemake(project, "--cores", "2", "--configfile", "config/examples/landsat_real.yaml")
    assert run.returncode == 0, run.stdout
    assert (project / "results/scenes/germany-2013/landsat/minerals/class.tif").exists()
    report = (project / "results/studies/germany/report.html").read_text()
    assert "no accuracy can be stated" in report
    assert "SYNTHETIC" not in report
    accuracy = json.loads((project / "results/studies/germany/accuracy.json").read_text())
    assert accuracy["records"][0]["assessed"] is False
