"""What the benchmark on real spectra makes of Tetracorder's names and of answers."""

import csv
import importlib.util

import pytest


@pytest.fixture(scope="module")
def ground(root):
    place = root / "benchmarks/ground_spectra.py"
    spec = importlib.util.spec_from_file_location("ground_spectra", place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def patterns(root):
    with (root / "benchmarks/tetracorder_names.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    ("name", "group", "wanted", "members"),
    [
        ("nanohematite.BR34b2b", "1um", "nanohematite", {"nanohematite"}),
        ("hematite-nano+goethite-fg-amix", "1um", "nanohematite", {"nanohematite", "goethite"}),
        ("fe3+_hematite.1+goethite.4+qtz", "1um", "hematite", {"hematite", "goethite"}),
        ("Fe2++goeth+musc", "1um", "goethite", {"goethite", "muscovite"}),
        ("calcite+0.2Ca-mont", "2um", "calcite", {"calcite", "montmorillonite"}),
        ("kaol.75+alun.25", "2um", "kaolinite", {"kaolinite", "alunite"}),
        ("Kalun+kaol.intmx", "2um", "alunite", {"alunite", "kaolinite"}),
        ("kalun150c", "2um", "alunite", {"alunite"}),
        ("kaolgrp_nacrite", "2um", "nacrite", {"nacrite"}),
        ("muscovite-low-Al", "2um", "muscovite", {"muscovite"}),
    ],
)
def test_a_name_is_its_first_member(name, group, wanted, members, ground, patterns):
    assert ground.look_up(name, group, patterns) == (wanted, frozenset(members))


def test_a_mixture_that_is_a_class_is_that_class(ground, patterns, monkeypatch):
    classes = {"1um": ("goethite", "hematite"), "2um": ("calcite", "calcite+montmorillonite")}
    monkeypatch.setattr(ground, "MINERALS", classes)
    assert ground.look_up("calcite+0.5Ca-mont", "2um", patterns)[0] == "calcite+montmorillonite"
    assert ground.look_up("nanohematite.BR34b2", "1um", patterns)[0] == "hematite"


def test_unknown_names_are_told_and_agree_with_nothing(ground, tmp_path):
    path = tmp_path / "names.csv"
    path.write_text("pixel,group_1um,group_2um\n0,,unobtainium\n3,goethite.thincoat,dolomite\n")
    names, unknown = ground.read_names(path)
    assert unknown == ["2um unobtainium"]
    assert names[0] == {"1um": None, "2um": None} and names[3]["2um"][0] == "dolomite"

    def row(pixel, region, nearest, named, margin=0.1):
        mineral = nearest if named else ""
        own = {"spectrum": f"pixel{pixel + 1:04d}", "region": region, "nearest": nearest}
        return own | {"mineral": mineral, "margin": str(margin)}

    rows = [
        row(0, "1um", "goethite", False),
        row(0, "2um", "calcite", True),
        row(3, "1um", "goethite", True),
        row(3, "2um", "calcite", False, 0.9),
        row(7, "2um", "calcite", True),
    ]
    found = ground.score(rows, names)
    assert (found["n"], found["n_named"], found["n_answers"]) == (2, 2, 2)
    assert found["named_agreement"] == 0.5
    assert (found["n_nearest"], found["nearest_agreement"]) == (1, 0.0)
    assert found["regions"]["1um"]["named_agreement"] == 1.0
    assert found["regions"]["2um"]["surest_agreement"] == 0.0


def test_all_names_of_the_real_pixels_are_known(ground, shared_data):
    names, unknown = ground.read_names(shared_data("cuprite_aviris_pixels/tetracorder_even.csv"))
    assert len(names) == 526 and unknown == []


def test_channels_are_those_of_the_library_made_for_the_instrument(ground, shared_data, tmp_path):
    from gossan.library.readers import read_envi_wavelengths

    wanted = read_envi_wavelengths(shared_data("usgs_splib07/envi_sli/s07_AV95_envi.hdr"))
    assert read_envi_wavelengths(ground.write_header(tmp_path / "a.hdr")) == pytest.approx(
        wanted, abs=1e-4
    )
