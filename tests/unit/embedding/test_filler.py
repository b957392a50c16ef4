import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from embeddings import BANDS, spectra_of

from gossan.cube.bands import StackBands
from gossan.embedding.filler import BATCH, Header, Lines, read_filler, to_input
from gossan.embedding.filler_training import (
    Training,
    build_filler,
    compare_forms,
    describe_reconstruction,
    draw_present,
    export_filler,
    scale_mean,
    split_records,
    train_filler,
)
from gossan.embedding.spectral_augmentation import Augmentation, Augmenter
from gossan.embedding.training_spectra import CHANNELS_UM, TrainingSpectra
from gossan.errors import InputError
from gossan.networks.keras_files import read_keras, set_up_tensorflow, write_keras

NUMBERS = {"epochs": 6, "spectra": 2048, "batch": 64, "hidden": 48, "seed": 5, "threads": 1}
EVERY = np.array([[bool(code >> place & 1) for place in range(5)] for code in range(32)])


def make_training(count=60):
    """Records of three kinds whose broad shape tells their narrow absorption."""
    generator = np.random.default_rng(4)
    kinds = np.arange(count) % 3
    reflectance = []
    for kind in kinds:
        dip = np.exp(-0.5 * ((CHANNELS_UM - (2.17, 2.21, 2.26)[kind]) / 0.03) ** 2)
        slope = 0.3 + (CHANNELS_UM - 0.35) * (0.05, 0.15, 0.25)[kind]
        reflectance.append(slope * np.exp(-(0.4 + 0.1 * generator.random()) * dip))
    names = ("alunite", "jarosite", "kaolinite")
    return TrainingSpectra(
        tuple(f"record {place}" for place in range(count)),
        tuple(names[kind] for kind in kinds),
        np.array(reflectance, np.float32),
        np.ones((count, CHANNELS_UM.size), bool),
        (True,) * count,
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("filler")
    set_up_tensorflow(1, 5)
    library = make_training()
    quiet = Augmentation(mixing=0.0, water=0.0, haze=0.0, depth=0.1, slope=0.0, steps=0.0)
    learnt, held = (
        Augmenter(library.take(rows), BANDS, quiet) for rows in (slice(0, 48), slice(48, 60))
    )
    training = Training(**NUMBERS)
    model = build_filler(BANDS, training)
    history = train_filler(model, learnt, held, training)
    write_keras(folder / "net.keras", model)
    (folder / "net.onnx").write_bytes(
        export_filler(model, Header("a-hill", BANDS, ("made-up.csv",), True, 48))
    )
    tested = held.augment(np.repeat(np.arange(12), 4), np.random.default_rng(1))
    return folder, model, history, tested, learnt


def test_measured_bands_are_untouched_for_every_combination(trained):
    folder, _, _, tested, _ = trained
    filler = read_filler(folder / "net.onnx")
    for present in EVERY:
        rows = np.tile(present, (len(tested), 1))
        measured = BANDS.present_bands(present)
        bare = np.where(measured, tested, 0).astype(np.float32)
        filled = filler.fill(bare, rows)
        assert filled.dtype == np.float32
        assert filled[:, measured].tobytes() == bare[:, measured].tobytes()
        if present.any():
            assert (filled > 0).all()
        else:
            assert not filled.any()


def test_what_stands_in_absent_bands_does_not_matter(trained):
    folder, _, _, tested, _ = trained
    filler = read_filler(folder / "net.onnx")
    present = np.tile([True, False, False, True, False], (len(tested), 1))
    bare = np.where(BANDS.present_bands(present), tested, np.float32(0))
    junk = np.where(BANDS.present_bands(present), tested, np.float32(0.7))
    assert np.array_equal(filler.fill(bare, present), filler.fill(junk, present))


def test_a_spectrum_does_not_depend_on_its_neighbours(trained):
    folder, _, _, tested, _ = trained
    filler = read_filler(folder / "net.onnx")
    many = np.tile(tested, (BATCH // len(tested) + 2, 1))
    present = draw_present(len(many), 5, np.random.default_rng(2))
    whole = filler.fill(many, present)
    assert np.array_equal(whole[1000:1010], filler.fill(many[1000:1010], present[1000:1010]))


def test_a_brighter_spectrum_is_filled_brighter(trained):
    folder, _, _, tested, _ = trained
    filler = read_filler(folder / "net.onnx")
    present = np.tile([False, False, False, True, True], (len(tested), 1))
    once, twice = (filler.fill(tested * np.float32(gain), present) for gain in (1, 2))
    assert np.allclose(twice, 2 * once, rtol=1e-3, atol=1e-4)


def test_the_network_learns_and_beats_the_trivial_ways(trained):
    folder, _, history, tested, learnt = trained
    filler = read_filler(folder / "net.onnx")
    assert history[-1]["loss"] < 0.7 * history[0]["loss"]
    ways = {
        "network": filler.fill,
        "interpolation": filler.lines.draw,
        "mean": scale_mean(learnt.pure.mean(axis=0), BANDS),
    }
    found = describe_reconstruction(tested, BANDS, ways)
    assert list(found["sensors"]) == list(BANDS.sensors)
    assert list(found["hyperspectral"]) == ["emit", "enmap", "prisma"]
    for sensor in ("emit", "enmap", "prisma"):
        own = found["hyperspectral"][sensor]
        assert own["network"]["rmse"] < 0.7 * own["interpolation"]["rmse"]
        assert own["network"]["angle_rad"] < own["mean"]["angle_rad"]


def test_both_stored_forms_agree(trained):
    folder, model, _, tested, _ = trained
    filler = read_filler(folder / "net.onnx")
    stored = read_keras(folder / "net.keras")
    assert compare_forms(stored, filler, tested, 3) < 1e-4
    moved = [weights + np.float32(0.01) for weights in model.get_weights()]
    stored.set_weights(moved)
    assert compare_forms(stored, filler, tested, 3) > 1e-3


def test_lines_go_through_what_is_measured():
    lines = Lines.of(BANDS)
    centre = np.array(BANDS.centre_um, np.float32)
    straight = (0.2 + 0.1 * centre)[None]
    for present in EVERY[1:]:
        drawn = lines.draw(np.where(BANDS.present_bands(present), straight, 0), present[None])[0]
        measured = BANDS.present_bands(present)
        source = present & [True, True, True, False, False]
        own = centre[BANDS.present_bands(source if source.any() else present)]
        inside = (centre >= own.min()) & (centre <= own.max())
        assert np.allclose(drawn[inside], straight[0, inside], atol=1e-6)
        assert np.array_equal(drawn[measured], straight[0, measured])
        low = ~inside & ~measured & (centre < own.min())
        assert np.allclose(drawn[low], 0.2 + 0.1 * own.min())


def test_narrow_bands_are_drawn_from_narrow_ones():
    lines = Lines.of(BANDS)
    spectra = np.full((1, len(BANDS)), 0.3, np.float32)
    spectra[0, BANDS.part("sentinel2")] = 0.9
    drawn = lines.draw(spectra, np.array([[True, False, False, True, False]]))
    assert np.allclose(drawn[0, BANDS.part("enmap")], 0.3)


def test_every_combination_of_absent_sensors_is_drawn_but_never_all_nor_none():
    present = draw_present(4000, 5, np.random.default_rng(0))
    assert set(present.sum(axis=1)) == {1, 2, 3, 4}
    assert len(np.unique(present, axis=0)) == 30
    taken = np.bincount(5 - present.sum(axis=1))[1:]
    assert (np.abs(taken / 4000 - 0.25) < 0.03).all()


def test_the_networks_input_has_no_brightness():
    drawn = spectra_of()
    present = np.ones((3, 5), bool)
    shown, level = to_input(drawn, present)
    assert shown.shape == (3, len(BANDS) + 5)
    again, _ = to_input(drawn * np.float32(1.7), present)
    assert np.allclose(shown, again, atol=1e-5)
    assert np.allclose(level * (shown[:, :-5] + 1), drawn, atol=1e-6)


def test_records_are_held_out_and_no_target_is_lost():
    library = make_training(20)
    minerals = ("alunite",) * 1 + ("quartz",) * 18 + ("jarosite",)
    library = replace(library, minerals=minerals)
    filled = np.ones((20, 5), bool)
    filled[3, 2] = False
    for seed in range(20):
        learnt, held = split_records(library, filled, ("alunite", "jarosite"), 0.5, seed)
        assert not set(learnt) & set(held)
        assert {*learnt, *held} == set(range(20)) - {3}
        assert {0, 19} <= set(learnt)
        assert len(held) in (9, 10)
    with pytest.raises(InputError, match="library: 0 of its 20 spectra"):
        split_records(library, ~filled & False, ("alunite",), 0.5, 0)
    every = ("a", "b", "c")
    with pytest.raises(InputError, match="library: 3 of its 3 spectra"):
        split_records(
            replace(library.take(range(3)), minerals=every), filled[:3] | True, every, 0.5, 0
        )


def test_training_numbers_are_checked():
    for name, value in (("epochs", 0), ("spectra", 0), ("hidden", 0), ("threads", 0), ("seed", -1)):
        with pytest.raises(InputError, match=f"{name}: {value} is too small"):
            Training(**NUMBERS | {name: value})
    with pytest.raises(InputError, match="rate: 2 is not"):
        Training(**NUMBERS, rate=2)
    with pytest.raises(InputError, match="holdout: 1 is not a share"):
        Training(**NUMBERS, holdout=1)


def test_one_sensor_alone_cannot_be_filled_in():
    part = BANDS.part("emit")
    alone = StackBands(
        BANDS.sensor[part], BANDS.band[part], BANDS.centre_um[part], BANDS.fwhm_um[part]
    )
    with pytest.raises(InputError, match="bands: the only sensor is emit"):
        build_filler(alone, Training(**NUMBERS))


def test_files_that_are_no_filler_are_refused(trained, tmp_path):
    folder, model, _, _, _ = trained
    path = tmp_path / "net.onnx"
    with pytest.raises(InputError, match=r"net\.onnx: no such file"):
        read_filler(path)
    content = (folder / "net.onnx").read_bytes()
    for spoiled in (b"", b"no file", content[:-400]):
        path.write_bytes(spoiled)
        with pytest.raises(InputError, match=r"net\.onnx: "):
            read_filler(path)
    path.write_bytes(content.replace(b"gossan-filler-2", b"gossan-filler-9"))
    with pytest.raises(InputError, match="does not say what it was trained on"):
        read_filler(path)
    part = slice(1, None)
    fewer = StackBands(
        BANDS.sensor[part], BANDS.band[part], BANDS.centre_um[part], BANDS.fwhm_um[part]
    )
    path.write_bytes(export_filler(model, Header("a-hill", fewer, ("made-up.csv",), True, 48)))
    with pytest.raises(InputError, match="does not fit its own description"):
        read_filler(path)


def test_reading_and_filling_loads_no_tensorflow(trained, root):
    folder = trained[0]
    code = (
        f"import sys; sys.path.insert(0, {str(root / 'scripts')!r})\n"
        "import numpy as np\n"
        "from gossan.embedding.filler import read_filler\n"
        f"filler = read_filler({str(folder / 'net.onnx')!r})\n"
        "present = np.array([[True, False, True, False, True]])\n"
        "filler.fill(np.full((1, len(filler.header.bands)), 0.3), present)\n"
        "print([name for name in sys.modules if name.split('.')[0] in "
        "('tensorflow', 'keras', 'onnx', 'sklearn')])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
