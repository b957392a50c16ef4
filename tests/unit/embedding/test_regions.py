import numpy as np
import pytest

from gossan.cube.bands import lay_out
from gossan.embedding.model import normalise, sharpeners
from gossan.embedding.regions import REGIONS, absorbs, bands_in, classes_in
from gossan.embedding.spectral_augmentation import GROUND, Augmentation, Augmenter
from gossan.embedding.training_spectra import read_training
from gossan.errors import InputError
from gossan.legend import GROUPS, read_classes
from gossan.raster import BandTable

TWO = REGIONS["2um"]
NARROW = tuple(np.arange(0.42, 2.45, 0.01).round(4).tolist())
TABLES = {
    "emit": BandTable(
        tuple(f"B{place:03d}" for place in range(len(NARROW))), NARROW, (0.01,) * len(NARROW)
    ),
    "sentinel2": BandTable(
        ("B2", "B3", "B4", "B8", "B12"), (0.49, 0.56, 0.66, 0.84, 2.19), (0.05,) * 5
    ),
    "landsat": BandTable(("B5", "B6", "B7"), (0.865, 1.609, 2.201), (0.03, 0.08, 0.19)),
}
BANDS = lay_out(TABLES)[0]


@pytest.fixture(scope="module")
def classes(root):
    return read_classes(root / "resources/static/minerals.csv")


@pytest.fixture(scope="module")
def training(root, classes):
    wanted = [item for item in classes if item.name in ("calcite", "kaolinite", "hematite")]
    return read_training([root / "resources/static/analytic_library.csv"], wanted)


def test_regions_are_the_groups_of_the_class_table():
    assert set(REGIONS) | {""} == set(GROUPS)


def test_a_region_has_the_bands_of_sensors_that_see_a_shape_there():
    short, iron = bands_in(BANDS, TWO), bands_in(BANDS, REGIONS["1um"])
    assert short.sensors == ("emit",)
    assert min(short.centre_um) >= TWO.low_um and max(short.centre_um) <= TWO.high_um
    assert iron.sensors == ("emit", "sentinel2")
    assert iron.band[-4:] == ("B2", "B3", "B4", "B8")
    with pytest.raises(InputError, match="region 2um: no sensor has 3 bands"):
        bands_in(lay_out({"landsat": TABLES["landsat"]})[0], TWO)


def test_a_region_has_the_minerals_of_its_group(classes):
    names = {item.name for item in classes_in(classes, TWO)}
    assert {"calcite", "kaolinite"} <= names and not names & {"hematite", "quartz"}
    few = [item for item in classes if item.name in ("calcite", "hematite")]
    with pytest.raises(InputError, match=r"region 2um: .* 1 of its minerals \(calcite\)"):
        classes_in(few, TWO)


def test_what_does_not_absorb_in_a_region_is_background_there(training):
    names = np.array(training.minerals)
    active = set(names[absorbs(training, TWO)])
    assert {"calcite", "kaolinite", "muscovite"} <= active
    assert not active & {"quartz", "soil", "green_vegetation", "dry_vegetation"}
    assert "hematite" in names[absorbs(training, REGIONS["1um"])]


def test_a_mixture_with_a_class_in_it_is_no_rival_of_that_class(training):
    assert "calcite+muscovite" not in training.minerals
    assert "nanohematite+goethite" in training.minerals


def test_background_is_mixed_in_and_never_stands_for_itself(training):
    bands = bands_in(BANDS, TWO)
    plain = Augmentation(others=1, background=1.0, noise={}, shift_nm={})
    augmenter = Augmenter(training, bands, plain, TWO)
    assert not augmenter.filled[augmenter.backgrounds].any()
    records = np.flatnonzero(augmenter.filled.any(axis=1))
    drawn = augmenter.draw_others(records, np.random.default_rng(0))
    assert np.isin(drawn, augmenter.backgrounds).all()
    assert not augmenter.left_out


def test_a_colour_of_the_ground_bends_a_region_smoothly(training):
    bands = bands_in(BANDS, TWO)
    off = dict.fromkeys(("gain", "slope", "depth", "mixing", "water", "haze", "steps"), 0)
    colour = Augmentation(**off, noise={}, shift_nm={}, colour=0.15)
    augmenter = Augmenter(training, bands, colour, TWO)
    record = training.minerals.index("calcite")
    found = augmenter.augment(np.full(300, record), np.random.default_rng(0))
    change = np.log(found / augmenter.pure[record])
    assert np.abs(np.diff(change, 4, axis=1)).max() < 0.01
    assert change[:, 0].std() == pytest.approx(0.15 * np.sqrt(1 + 1 / 4 + 1 / 16), rel=0.2)


def test_ground_is_augmented_as_it_is_described():
    told = GROUND.describe(("emit",))
    assert told["others"] == 3 and told["coating"] == 0.3
    with pytest.raises(InputError, match="others: 0 is not from 1 to 9"):
        Augmentation(others=0)


def test_iron_is_seen_by_its_broad_shape():
    iron = bands_in(lay_out({"emit": TABLES["emit"]})[0], REGIONS["1um"])
    (matrix,) = sharpeners(iron)
    size = len(iron)
    assert matrix == pytest.approx(np.eye(size) - 1 / size, abs=1e-6)
    seen = normalise(np.linspace(0.1, 0.4, size, dtype=np.float32)[None], iron)
    assert (np.diff(seen) > 0).all()
