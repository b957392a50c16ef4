import numpy as np
import pytest

from gossan.cube.bands import SENSORS, lay_out
from gossan.cube.instruments import INSTRUMENTS
from gossan.embedding.spectra_trial import (
    Spectra,
    count_unmeasured,
    deal_folds,
    label_minerals,
    macro_f1,
    measure,
    measure_angles,
    measure_held_out,
    read_archive,
    read_sensors,
    score_rows,
    sensor_sets,
    shared_specimens,
    specimen_of,
)
from gossan.errors import InputError
from gossan.library.spectrum import Spectrum
from gossan.raster import BandTable

MINERALS = ("alunite", "calcite")


def write_archive(path, **changes):
    arrays = {
        "wavelength_um": np.linspace(0.35, 2.5, 20),
        "reflectance": np.full((3, 20), 0.4, np.float32),
        "title": np.array(["Alunite A1   BECK", "Calcite B2", "Quartz C3"]),
        "mineral": np.array(["alunite", "calcite", ""]),
    }
    np.savez(path, **{k: v for k, v in (arrays | changes).items() if v is not None})
    return path


def test_an_archive_is_read(tmp_path):
    spectra, labels = read_archive(write_archive(tmp_path / "a.npz"))
    assert [item.name for item in spectra] == ["Alunite A1 BECK", "Calcite B2", "Quartz C3"]
    assert labels == ["alunite", "calcite", ""]
    assert label_minerals(spectra, labels) == ["alunite", "calcite", "quartz"]
    assert spectra[0].reflectance.shape == (20,)


@pytest.mark.parametrize(
    "changes",
    [
        {"title": None},
        {"mineral": np.array(["alunite"])},
        {"wavelength_um": np.linspace(2.5, 0.35, 20)},
        {"reflectance": np.full((3, 19), 0.4)},
        {"title": np.array([{"a": 1}, None, "x"], object)},
        {"reflectance": np.full((3, 20), "x")},
    ],
)
def test_other_archives_are_refused(changes, tmp_path):
    path = write_archive(tmp_path / "a.npz", **changes)
    with pytest.raises(InputError, match=r"a\.npz"):
        read_archive(path)


def test_files_that_are_no_archives(tmp_path):
    with pytest.raises(InputError, match=r"none\.npz: no such file"):
        read_archive(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(InputError, match=r"text\.npz: no archive"):
        read_archive(tmp_path / "text.npz")
    np.save(tmp_path / "one.npy", np.zeros(3))
    with pytest.raises(InputError, match=r"one\.npy"):
        read_archive(tmp_path / "one.npy")


def write_sensors(path, skip=()):
    rows = ["sensor,band,centre_nm,fwhm_nm,source"]
    for name in (item.table_name for item in INSTRUMENTS.values()):
        if name not in skip:
            rows += [f"{name},{band},{centre},20,x" for band, centre in ((2, 1600), (1, 500))]
            rows += [f"{name},3,1400,20,x", f"{name},17_PAN,640,300,x"]
    path.write_text("\n".join([*rows, "AVIRIS,1,443,16,x", "Terra ASTER,13,10659,664,x"]) + "\n")
    return path


def test_bands_are_those_of_the_table(tmp_path):
    bands = read_sensors(write_sensors(tmp_path / "bands.csv"), SENSORS)
    assert bands.sensors == SENSORS
    # Sorted by wavelength; 1.4 µm is water vapour, and the panchromatic band is left out.
    assert bands.centre_um[bands.part("emit")] == (0.5, 1.6)
    assert bands.band[bands.part("worldview3")] == ("1", "2")
    assert bands.fwhm_um[0] == pytest.approx(0.02)
    # So is a thermal one.
    assert bands.band[bands.part("aster")] == ("1", "2")


def test_only_the_sensors_asked_for_are_taken(tmp_path):
    path = write_sensors(tmp_path / "bands.csv", skip=("PRISMA",))
    assert read_sensors(path, ("landsat", "emit")).sensors == ("emit", "landsat")
    with pytest.raises(InputError, match="sensor 'aviris' is unknown; use emit"):
        read_sensors(path, ("aviris",))


def test_tables_that_lack_something_are_refused(tmp_path):
    path = write_sensors(tmp_path / "bands.csv", skip=("PRISMA",))
    with pytest.raises(InputError, match=r"bands\.csv: has no band of PRISMA"):
        read_sensors(path, SENSORS)
    for text, fault in (
        ("a,b\n1,2\n", ": lacks the column sensor, band, centre_nm, fwhm_nm"),
        (
            "sensor,band,centre_nm,fwhm_nm\nEMIT,1,wide,9\n",
            ", line 2: the column centre_nm holds no number",
        ),
    ):
        path.write_text(text)
        with pytest.raises(InputError, match=rf"bands\.csv{fault}"):
            read_sensors(path, SENSORS)
    with pytest.raises(InputError, match=r"none\.csv: no such table"):
        read_sensors(tmp_path / "none.csv", SENSORS)


@pytest.mark.parametrize(
    ("title", "specimen"),
    [
        ("Hematite GDS69.a 150-250u BECKb AREF", "GDS69"),
        ("Hematite GDS69.g <10um BECKb AREF", "GDS69"),
        ("Alunite HS295.3B ASDFRa AREF", "HS295"),
        ("Alunite HS295 ASDFRa AREF", "HS295"),
        ("Goethite MPCMA2-B FineGr adj BECKb AREF", "MPCMA2"),
        ("Calcite_REE-bearing WS319a ASDFRb AREF", "WS319"),
        ("Kaolinite KGa-1 (wxl) BECKb AREF", "KGA-1"),
        ("Kaolinite KGa-2 (pxl) BECKb AREF", "KGA-2"),
        ("Quartz", "QUARTZ"),
    ],
)
def test_specimens(title, specimen):
    assert specimen_of(title) == specimen


def test_folds_keep_specimens_together_and_spread_minerals():
    minerals = ["alunite"] * 6 + ["calcite"] * 3 + ["other"] * 11
    specimens = ["A", "A", "B", "C", "D", "E", "F", "G", "H", *"IIJKLMNOPQA"]
    fold = deal_folds(minerals, specimens, MINERALS, 3, 0)
    assert set(fold.tolist()) == {0, 1, 2}
    for own in set(specimens):
        assert (
            len({number for number, name in zip(fold, specimens, strict=True) if name == own}) == 1
        )
    for name in MINERALS:
        held = {number for number, own in zip(fold, minerals, strict=True) if own == name}
        assert held == {0, 1, 2}
    assert np.array_equal(fold, deal_folds(minerals, specimens, MINERALS, 3, 0))
    for folds in (1, 99):
        with pytest.raises(InputError, match=f"folds: {folds}"):
            deal_folds(minerals, specimens, MINERALS, folds, 0)


@pytest.fixture(scope="module")
def bands():
    tables = {
        "emit": BandTable(("1", "2", "3", "4"), (0.5, 0.7, 1.6, 2.2), (0.01,) * 4),
        "sentinel2": BandTable(("2", "12"), (0.49, 2.21), (0.05,) * 2),
    }
    return lay_out(tables)[0]


def make_spectra(count, seed, prefix, names=12):
    """Minerals are one shape each with a little noise; others are random."""
    generator = np.random.default_rng(seed)
    shapes = np.random.default_rng(0).uniform(0.2, 0.8, (3, 6))
    truth = np.arange(count) % 3
    values = shapes[truth] * generator.uniform(0.5, 1.5, (count, 1))
    values += generator.normal(0, 0.002, values.shape)
    other = truth == 0
    values[other] = generator.uniform(0.2, 0.8, (other.sum(), 6))
    return Spectra(
        values.astype(np.float32),
        np.ones((count, 2), bool),
        truth,
        np.array([f"{prefix}{row % names}" for row in range(count)]),
    )


def test_angles_leave_a_record_itself_out(bands):
    known = make_spectra(30, 1, "S")
    own = measure_angles(known, known, bands, MINERALS)
    assert set(own) == {"emit", "sentinel2", "all"}
    twin = Spectra(known.values.copy(), known.filled, known.truth, known.specimens)
    whole = measure_angles(twin, known, bands, MINERALS)
    is_first = known.truth == 1
    assert (own["all"][is_first, 0] > 1e-4).all()
    assert np.allclose(whole["all"][is_first, 0], 0, atol=1e-3)
    # For another mineral nothing is left out.
    assert np.allclose(own["all"][is_first, 1], whole["all"][is_first, 1], atol=1e-6)
    # By hand, with one sensor.
    part = bands.part("sentinel2")
    shown = known.values[:, part].astype(float)
    shown /= np.linalg.norm(shown, axis=1, keepdims=True)
    angle = np.arccos(np.clip(shown @ shown.T, -1, 1))
    np.fill_diagonal(angle, 9)
    assert np.allclose(own["sentinel2"][:, 0], angle[:, is_first].min(axis=1), atol=1e-4)


def test_a_record_is_measured_by_a_network_that_did_not_see_it(bands):
    known = make_spectra(30, 1, "S")
    fold = deal_folds(known.truth, known.specimens, [1, 2], 3, 0)
    seen = []

    def learn(rows):
        seen.append(rows)
        specimens = set(known.specimens[rows].tolist())

        def distances(spectra):
            place = [np.flatnonzero(known.values[:, 0] == row[0]) for row in spectra]
            own = [known.specimens[rows[0]] for rows in place if rows.size]
            assert not specimens & set(own)
            return np.tile([len(seen), 0], (len(spectra), 1))

        return distances

    found = measure_held_out(known, fold, bands, learn, 2)
    assert np.array_equal(found["all"][:, 0], fold + 1)
    assert sum(len(rows) for rows in seen) == 2 * 30


def test_spectra_without_a_sensor_are_never_found(bands):
    known = make_spectra(6, 1, "S")
    known.filled[2] = [False, True]
    found = measure(known, np.arange(6), bands, lambda spectra: spectra[:, :2])
    assert np.isnan(found["emit"][2]).all()
    assert np.isfinite(found["sentinel2"]).all()
    # Bands of the other sensor are shown as absent.
    assert (found["sentinel2"] == 0).all()
    assert list(sensor_sets(bands)) == ["emit", "sentinel2", "all"]


def score_angles(known, asked, bands):
    """Rows of scores of spectral angles."""
    return score_rows(
        "sam",
        MINERALS,
        measure_angles(known, known, bands, MINERALS),
        measure_angles(asked, known, bands, MINERALS),
        known,
        asked,
        replicates=100,
        seed=1,
    )


def test_scores_of_all_and_of_new_specimens(bands):
    known, asked = make_spectra(60, 1, "S", 20), make_spectra(60, 2, "S", 30)
    rows = score_angles(known, asked, bands)
    assert len(rows) == 3 * 2 * 2 * 3
    assert shared_specimens(known, asked) == sorted(f"S{row}" for row in range(20))
    counts = {(row["spectra"], row["n"]) for row in rows}
    assert counts == {("all", 60), ("new", 20)}
    best = macro_f1(rows, "all", "oracle")["sam"]
    chosen = macro_f1(rows, "all", "validation")["sam"]
    assert best["all"] > 0.95
    assert all(best[name] >= chosen[name] - 1e-9 for name in best)
    own = next(row for row in rows if row["mineral"] == "alunite")
    assert float(own["f1_low"]) <= float(own["f1"]) <= float(own["f1_high"])
    # A threshold chosen on new specimens alone fits them at least as well.
    assert macro_f1(rows, "new", "oracle")["sam"]["all"] >= 0.95


def test_a_sensor_that_the_test_spectra_do_not_reach_has_no_score(bands):
    known, asked = make_spectra(60, 1, "S", 20), make_spectra(60, 2, "S", 30)
    asked.filled[:, 0] = False
    rows = score_angles(known, asked, bands)
    lost = [row for row in rows if row["sensors"] == "emit"]
    assert lost
    for row in lost:
        assert row["n"] == 0
        assert all(row.get(key) is None for key in ("precision", "recall", "f1", "f1_low"))
    seen = [row for row in rows if row["sensors"] == "sentinel2" and row["spectra"] == "all"]
    assert all(row["n"] == 60 and row["f1"] is not None for row in seen)
    found = macro_f1(rows, "all", "validation")["sam"]
    assert found["emit"] is None and found["sentinel2"] > 0.5
    assert count_unmeasured(asked, bands) == {"emit": 60, "sentinel2": 0, "all": 0}


def test_names_of_the_real_bands(shared_data):
    bands = read_sensors(shared_data("sensor_responses/bands_centre_fwhm.csv"), SENSORS[:7])
    numbers = {name: bands.part(name).stop - bands.part(name).start for name in bands.sensors}
    assert numbers == {
        **{"emit": 179, "enmap": 165, "prisma": 148, "sentinel2": 11, "worldview3": 15},
        **{"landsat": 7, "aster": 9},
    }


def test_the_spectral_angle_scores_what_was_found_elsewhere(shared_data, root):
    # Numbers of an independent program; its thresholds and its resampling differ in details, it
    # drew lines across stretches of deleted channels, and prochlorite was no chlorite to it.
    from gossan.embedding.spectra_trial import gather_archive, in_bands
    from gossan.legend import read_classes

    order = ("alunite", "chlorite", "calcite", "goethite", "hematite", "jarosite", "kaolinite")
    classes = [
        item for item in read_classes(root / "resources/static/minerals.csv") if item.name in order
    ]
    bands = read_sensors(shared_data("sensor_responses/bands_centre_fwhm.csv"), SENSORS[:5])
    names = [item.name for item in classes]
    known, asked = (
        in_bands(
            gather_archive(shared_data(f"usgs_splib07/csv/splib07a_minerals_{own}.npz"), classes),
            bands,
            names,
        )
        for own in ("BECK", "ASD")
    )
    assert (len(known.truth), len(asked.truth)) == (439, 448)
    rows = score_rows(
        "sam",
        names,
        measure_angles(known, known, bands, names),
        measure_angles(asked, known, bands, names),
        known,
        asked,
        replicates=100,
        seed=1,
    )
    best, chosen = (macro_f1(rows, "all", kind)["sam"] for kind in ("oracle", "validation"))
    assert best["emit"] == pytest.approx(0.843, abs=0.01)
    assert best["worldview3"] == pytest.approx(0.798, abs=0.02)
    assert best["all"] == pytest.approx(0.843, abs=0.01)
    assert chosen["emit"] == pytest.approx(0.595, abs=0.04)
    assert chosen["worldview3"] == pytest.approx(0.500, abs=0.05)
    assert chosen["sentinel2"] == pytest.approx(0.340, abs=0.08)
    assert chosen["all"] == pytest.approx(0.617, abs=0.05)


def test_a_spectrum_has_a_name_of_its_own_where_it_has_no_label():
    own = Spectrum("Clinochlore_Fe GDS157", np.array([1.0]), np.array([0.1]), "x")
    assert label_minerals([own], [""]) == ["clinochlore"]
    assert label_minerals([own], ["chlorite"]) == ["chlorite"]
