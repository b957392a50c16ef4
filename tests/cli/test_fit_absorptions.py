"""fit_absorptions: fits a miniature library, keeps what it need not refit, names what is wrong."""

import subprocess
import sys

import numpy as np
import pytest

from gossan.library.absorptions import evaluate, read_models, read_residuals

HEADER = "code,name,label,kind,colour,record\n"
ALUNITE = "1,alunite,Alunite,mineral,#E53935,GDS82\n"
CALCITE = "2,calcite,Calcite,mineral,#4FC3F7,\n"
MIXTURE = "39,nanohematite+goethite,Both,mineral,#A65628,\n"
SOIL = "103,soil,Soil,cover,#A1887F,\n"


@pytest.fixture
def fit(root, tmp_path):
    """Run the tool on a made-up library of three spectra; returns the finished process."""
    wavelength = np.arange(0.36, 2.5, 0.01)
    spectra = [
        0.8 - depth * np.exp(-0.5 * ((wavelength - centre) / 0.04) ** 2)
        for depth, centre in ((0.3, 2.17), (0.2, 1.48), (0.4, 2.33))
    ]
    rows = "\n".join(
        ",".join(f"{v:.5f}" for v in row) for row in zip(wavelength, *spectra, strict=True)
    )
    (tmp_path / "library.csv").write_text(
        f"wavelength_um,Alunite GDS82,Alunite GDS83,Calcite WS272\n{rows}\n"
    )

    def run(minerals, *more):
        (tmp_path / "minerals.csv").write_text(HEADER + minerals)
        command = [sys.executable, root / "scripts/fit_absorptions.py"]
        command += ["--library", tmp_path / "library.csv", "--absorptions", 3]
        command += ["--minerals", tmp_path / "minerals.csv", "--table", tmp_path / "table.csv"]
        command += ["--residuals", tmp_path / "residuals.csv", *more]
        return subprocess.run([str(part) for part in command], capture_output=True, text=True)

    return run


def test_fits_minerals_and_constructs_covers(fit, tmp_path):
    finished = fit(ALUNITE + CALCITE + SOIL)
    assert finished.returncode == 0, finished.stderr
    assert "2 of 2 minerals below 0.01 rad" in finished.stdout
    models = read_models(tmp_path / "table.csv")
    assert [(m.name, m.origin) for m in models] == [
        ("alunite", "fitted"),
        ("calcite", "fitted"),
        ("soil", "constructed"),
    ]
    residuals = read_residuals(tmp_path / "residuals.csv")
    assert [r.name for r in residuals] == ["alunite", "calcite"]
    assert all(r.angle_rad < 0.01 for r in residuals)
    assert str(tmp_path) not in (tmp_path / "residuals.csv").read_text()


def test_a_mixture_is_constructed_from_the_models_of_its_members(fit, tmp_path):
    members = ALUNITE.replace("alunite", "nanohematite") + CALCITE.replace("calcite,", "goethite,")
    finished = fit(members.replace("#4FC3F7,", "#4FC3F7,WS272") + MIXTURE)
    assert finished.returncode == 0, finished.stderr
    one, other, mixed = read_models(tmp_path / "table.csv")
    assert (mixed.name, mixed.origin) == ("nanohematite+goethite", "constructed")
    assert [r.name for r in read_residuals(tmp_path / "residuals.csv")] == [one.name, other.name]
    inside = np.arange(0.4, 2.45, 0.01)
    side_by_side = (evaluate(one, inside) + evaluate(other, inside)) / 2
    np.testing.assert_allclose(evaluate(mixed, inside), side_by_side, atol=0.01)


def test_names_refits_only_those(fit, tmp_path):
    assert fit(ALUNITE + CALCITE + SOIL).returncode == 0
    before = (tmp_path / "table.csv").read_text()
    finished = fit(ALUNITE.replace("82", "83") + CALCITE + SOIL, "--names", "alunite")
    assert finished.returncode == 0, finished.stderr
    assert "1 of 1" in finished.stdout
    after = (tmp_path / "table.csv").read_text()
    changed = {line.split(",")[0] for line in set(before.splitlines()) ^ set(after.splitlines())}
    assert changed == {"alunite"}
    assert len(read_residuals(tmp_path / "residuals.csv")) == 2


@pytest.mark.parametrize(
    ("minerals", "more", "message"),
    [
        (ALUNITE.replace("GDS82", ""), (), "'alunite' fits 2 spectra"),
        (CALCITE.replace("calcite", "calcit"), (), "close names: calcite"),
        (CALCITE + SOIL.replace("soil", "lava"), (), "'lava' (cover) has no model"),
        (CALCITE, ("--names", "pyrite"), "--names pyrite"),
        (CALCITE + MIXTURE, (), "'nanohematite+goethite' needs 'nanohematite'; put that into the"),
    ],
)
def test_wrong_input_is_one_line_and_leaves_nothing(fit, tmp_path, minerals, more, message):
    finished = fit(minerals, *more)
    assert finished.returncode == 1
    last = finished.stderr.strip().splitlines()[-1]
    assert last.startswith("error: ")
    assert message in last
    assert "Traceback" not in finished.stderr
    assert not (tmp_path / "table.csv").exists()
    assert not (tmp_path / "residuals.csv").exists()


def test_real_record_is_refitted_to_the_same_numbers(root, shared_data, tmp_path):
    library = shared_data("usgs_splib07/native_ascii_splib07a")
    static = root / "resources/static"
    for name in ("analytic_library.csv", "analytic_residuals.csv"):
        (tmp_path / name).write_bytes((static / name).read_bytes())
    command = [sys.executable, root / "scripts/fit_absorptions.py", "--library", library]
    command += ["--minerals", static / "minerals.csv", "--names", "quartz", "kaolinite"]
    command += ["--table", tmp_path / "analytic_library.csv"]
    command += ["--residuals", tmp_path / "analytic_residuals.csv"]
    finished = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert finished.returncode == 0, finished.stderr
    shipped = {r.name: r for r in read_residuals(static / "analytic_residuals.csv")}
    for residual in read_residuals(tmp_path / "analytic_residuals.csv"):
        # Another processor's arithmetic may end in a neighbouring minimum of equal quality.
        assert residual.angle_rad < 1.3 * shipped[residual.name].angle_rad
