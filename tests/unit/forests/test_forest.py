import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier

from gossan.errors import InputError
from gossan.forests import forest as module
from gossan.forests.forest import (
    ForestSettings,
    flatten_forest,
    grow_forest,
    predict_block,
    predict_probabilities,
    read_forest,
    require_same_bands,
    write_forest,
)

NAMES = ("ore", "soil", "vegetation", "mixed")


def points(n=600, features=6, seed=0):
    generator = np.random.default_rng(seed)
    values = generator.normal(size=(n, features)).astype(np.float32)
    codes = 1 + (values[:, 0] > 0) + 2 * (values[:, 1] + 0.5 * generator.normal(size=n) > 0)
    return values, codes.astype(int)


def trained(settings=None, **options):
    values, codes = points(**options)
    model = grow_forest(values, codes, settings or ForestSettings(min_samples_split=2), 2)
    names = [NAMES[code - 1] for code in model.classes_]
    return model, flatten_forest(model, names, [f"f{n}" for n in range(values.shape[1])])


@pytest.mark.parametrize(
    "settings",
    [
        ForestSettings(),
        ForestSettings(min_samples_split=2, min_samples_leaf=1),
        ForestSettings(trees="extra", estimators=30, min_samples_split=2, min_samples_leaf=1),
        ForestSettings(estimators=3, min_samples_split=590),
        ForestSettings(estimators=3, min_samples_split=2, min_samples_leaf=300),
    ],
)
@pytest.mark.parametrize("pixels", [0, 1, 255, 256, 1003])
def test_probabilities_are_those_of_scikit_learn(settings, pixels):
    model, forest = trained(settings)
    values = points(max(pixels, 1), seed=5)[0][:pixels]
    own = predict_probabilities(forest, np.ascontiguousarray(values.T))
    assert own.shape == (pixels, 4)
    if pixels:
        model.set_params(n_jobs=1)
        assert np.array_equal(own, model.predict_proba(values))
        codes = np.array(forest.codes)[own.argmax(axis=1)]
        assert np.array_equal(codes, model.predict(values))


def test_a_value_on_the_threshold_goes_as_in_scikit_learn():
    model, forest = trained()
    cuts = forest.threshold[np.isfinite(forest.threshold)][:400]
    near = np.stack([np.nextafter(cuts, np.float32(-9)), cuts, np.nextafter(cuts, np.float32(9))])
    values = np.repeat(near.reshape(-1, 1), 6, axis=1)
    model.set_params(n_jobs=1)
    assert np.array_equal(predict_probabilities(forest, values.T), model.predict_proba(values))


def test_training_does_not_depend_on_threads():
    values, codes = points()
    one, two = (grow_forest(values, codes, ForestSettings(), threads) for threads in (1, 2))
    a, b = (flatten_forest(model, NAMES, "abcdef") for model in (one, two))
    for name in module.ARRAYS:
        assert np.array_equal(getattr(a, name), getattr(b, name))


def test_the_defaults_are_the_papers():
    model, _ = trained(ForestSettings())
    assert isinstance(model, RandomForestClassifier)
    asked = model.get_params()
    assert (asked["n_estimators"], asked["criterion"], asked["max_features"]) == (
        50,
        "gini",
        "sqrt",
    )
    assert (asked["min_samples_split"], asked["min_samples_leaf"]) == (30, 3)
    assert isinstance(trained(ForestSettings(trees="extra"))[0], ExtraTreesClassifier)


def test_maps_of_a_block():
    model, forest = trained()
    values = points(12 * 30, seed=3)[0]
    block = np.ascontiguousarray(values.T).reshape(6, 12, 30)
    block[2, 4, 5] = np.nan
    classes, probability, uncertainty = predict_block(forest, block)
    each = np.array([tree.predict_proba(values) for tree in model.estimators_])
    mean = each.mean(axis=0)
    winner = mean.argmax(axis=1)
    spread = each.std(axis=0)[np.arange(len(values)), winner].reshape(12, 30)
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = -np.nansum(mean * np.log(mean), axis=1).reshape(12, 30) / np.log(4)
    clear = np.ones((12, 30), bool)
    clear[4, 5] = False
    assert classes[4, 5] == 255
    assert np.isnan(probability[:, 4, 5]).all()
    assert np.isnan(uncertainty[:, 4, 5]).all()
    assert np.array_equal(classes[clear], 1 + winner.reshape(12, 30)[clear])
    assert np.allclose(probability[:, clear], mean.T.reshape(4, 12, 30)[:, clear], atol=1e-7)
    assert np.allclose(uncertainty[0][clear], entropy[clear], atol=1e-6)
    assert np.allclose(uncertainty[1][clear], spread[clear], atol=1e-6)


def test_a_file_gives_the_forest_back_and_the_same_bytes(tmp_path):
    _, forest = trained()
    forest.header["plan"] = {"name": "pixel"}
    write_forest(tmp_path / "a.npz", forest)
    found = read_forest(tmp_path / "a.npz")
    write_forest(tmp_path / "b.npz", found)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert found.header == {"plan": {"name": "pixel"}}
    assert (found.codes, found.names) == (forest.codes, forest.names)
    values = np.ascontiguousarray(points(50)[0].T)
    assert np.array_equal(
        predict_probabilities(found, values), predict_probabilities(forest, values)
    )


def spoil(forest, tmp_path, **changes):
    write_forest(tmp_path / "good.npz", forest)
    with np.load(tmp_path / "good.npz") as stored:
        arrays = dict(stored)
    np.savez(tmp_path / "bad.npz", **(arrays | changes))
    return tmp_path / "bad.npz"


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("feature", lambda a, f: np.where(a >= 0, len(f.features), a)),
        ("left", lambda a, f: np.where(f.feature >= 0, 0, a)),
        ("left", lambda a, f: np.where(f.feature >= 0, 10**6, a)),
        ("left", lambda a, f: np.where(f.feature < 0, 0, a)),
        ("leaf", lambda a, f: np.where(a >= 0, len(f.value), a)),
        ("threshold", lambda a, f: np.where(f.feature >= 0, np.nan, a)),
        ("value", lambda a, f: a * np.inf),
        ("value", lambda a, f: a * 2),
        ("value", lambda a, f: a[:, :1]),
        ("offsets", lambda a, f: a[::-1]),
        ("offsets", lambda a, f: a[:-1]),
        ("threshold", lambda a, f: a[:-1]),
        ("left", lambda a, f: a.astype("f8")),
    ],
)
def test_arrays_that_are_no_trees_are_refused(tmp_path, name, change):
    _, forest = trained()
    array = getattr(forest, name)
    with np.errstate(invalid="ignore"):
        changed = change(array, forest)
    dtype = changed.dtype if changed.dtype == np.float64 else array.dtype
    with pytest.raises(InputError, match=r"bad\.npz.*train it again"):
        read_forest(spoil(forest, tmp_path, **{name: changed.astype(dtype)}))


def test_pickles_text_and_absent_files_are_refused(tmp_path):
    _, forest = trained()
    evil = np.array([print], dtype=object)
    with pytest.raises(InputError, match="no forest"):
        read_forest(spoil(forest, tmp_path, feature=evil))
    with pytest.raises(InputError, match="no forest"):
        read_forest(spoil(forest, tmp_path, header=np.frombuffer(b"{}", np.uint8)))
    (tmp_path / "text.npz").write_text("no zip")
    with pytest.raises(InputError, match="no forest"):
        read_forest(tmp_path / "text.npz")
    with pytest.raises(InputError, match="no such forest"):
        read_forest(tmp_path / "absent.npz")


def test_a_byte_gone_wrong_raises_nothing_but_one_line(tmp_path):
    write_forest(tmp_path / "good.npz", trained()[1])
    content = (tmp_path / "good.npz").read_bytes()
    refused = 0
    for place in np.linspace(0, len(content) - 1, 400).astype(int):
        for mask in (1, 8, 255):
            changed = bytearray(content)
            changed[place] ^= mask
            (tmp_path / "bad.npz").write_bytes(changed)
            try:
                read_forest(tmp_path / "bad.npz")
            except InputError as error:
                assert "no forest" in str(error)
                refused += 1
    assert refused > 600


HEADER = {
    "layers": ["B04", "dem"],
    "wavelengths_um": [[0.665, 0.031], [None, None]],
    "trained_on": {"scene": "here", "synthetic": False},
}


def other_scene(header, layers=("B04", "dem"), centres=(0.66, None)):
    _, forest = trained(n=60)
    forest.header.update(header)
    wavelengths = [(centre, 0.03) for centre in centres]
    return require_same_bands(forest, layers, wavelengths, "forest.npz")


def test_a_forest_knows_where_it_was_trained_and_fits_scenes_of_the_same_bands():
    assert other_scene(HEADER) == {"scene": "here", "synthetic": False}
    more = other_scene(HEADER, ("dem", "B03", "B04"), (None, 0.56, 0.66))
    assert more["scene"] == "here"


@pytest.mark.parametrize(
    ("header", "layers", "centres", "said"),
    [
        ({}, ("B04",), (0.66,), "was trained on layer 'dem' of here"),
        ({}, ("B04", "dem"), (0.705, None), "layer B04 at 0.665 µm, here it is at 0.705 µm"),
        ({}, ("B04", "dem"), (None, None), "layer B04 at 0.665 µm, here it is at no wavelength"),
        ({"trained_on": None}, ("B04", "dem"), (0.66, None), "train it again"),
        ({"wavelengths_um": [[0.6, 0.1]]}, ("B04", "dem"), (0.66, None), "train it again"),
        ({"wavelengths_um": 7}, ("B04", "dem"), (0.66, None), "train it again"),
    ],
)
def test_a_forest_of_other_bands_is_refused(header, layers, centres, said):
    with pytest.raises(InputError, match=said):
        other_scene(HEADER | header, layers, centres)


def test_what_cannot_be_learned_is_refused():
    values, codes = points()
    with pytest.raises(InputError, match="fewer than two classes"):
        grow_forest(values, np.ones_like(codes), ForestSettings())
    codes[codes == 4] = 3
    codes[0] = 4
    with pytest.raises(InputError, match="class 4 has one point"):
        grow_forest(values, codes, ForestSettings())
    values[3, 2] = np.nan
    with pytest.raises(InputError, match="no value in some layer"):
        grow_forest(values, points()[1], ForestSettings())


@pytest.mark.parametrize(
    "wrong",
    [
        {"trees": "oak"},
        {"estimators": 0},
        {"min_samples_split": 1},
        {"min_samples_leaf": True},
        {"max_features": 1.5},
        {"max_features": "log2"},
        {"seed": -1},
    ],
)
def test_settings_without_meaning_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        ForestSettings(**wrong)


def descend(forest, tree, pixel):
    """The leaf of a pixel, one comparison after the other."""
    first, node = forest.offsets[tree], 0
    while forest.leaf[first + node] < 0:
        here = first + node
        node = forest.left[here] + bool(pixel[forest.feature[here]] > forest.threshold[here])
    return forest.value[forest.leaf[first + node]]


@pytest.mark.parametrize("features", [1, 2, 17])
def test_numbers_are_compared_as_they_are_signed_infinite_tiny_or_none(features):
    generator = np.random.default_rng(4)
    values = generator.normal(size=(300, features)).astype(np.float32)
    values[::3] *= np.float32(1e-40)
    codes = 1 + (values[:, 0] > 0) + (generator.random(300) < 0.3)
    model = grow_forest(values, codes, ForestSettings(estimators=40, min_samples_split=2))
    forest = flatten_forest(model, NAMES[: len(model.classes_)], [str(n) for n in range(features)])
    odd = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-45, -1e-45, 3e38, -3e38], np.float32)
    pixels = generator.choice(odd, (700, features))
    expected = [
        sum(descend(forest, tree, pixel) for tree in range(len(forest.offsets) - 1))
        for pixel in pixels
    ]
    found = predict_probabilities(forest, pixels.T) * (len(forest.offsets) - 1)
    np.testing.assert_allclose(found, expected, rtol=1e-14)
