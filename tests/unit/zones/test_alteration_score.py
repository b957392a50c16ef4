import numpy as np
import pytest
from scipy.ndimage import correlate1d
from sklearn.metrics import average_precision_score, precision_recall_curve

from gossan.accuracy.blocks import SpatialBlocks, resample
from gossan.errors import InputError
from gossan.raster import BandTable
from gossan.transforms.band_ratios import list_ratios
from gossan.zones import alteration_score as score

BANDS = ("4", "5", "6", "7", "8", "9")
TABLE = BandTable(BANDS, (1.656, 2.167, 2.209, 2.262, 2.336, 2.400))


def inputs(rows=80, columns=90, seed=0):
    generator = np.random.default_rng(seed)
    values = generator.random((6, rows, columns)).astype("float32") * 0.5 + 0.2
    details = generator.normal(size=(6, 3, rows, columns)).astype("float32") * 0.01
    low_pass = values - details.sum(axis=1)
    return values, low_pass, details


def features(values, low_pass, details, inner=None):
    rows, columns = values.shape[1:]
    return score.make_features(
        values,
        low_pass,
        details,
        dict(zip(BANDS, values, strict=True)),
        list_ratios(TABLE),
        inner or (slice(0, rows), slice(0, columns)),
    )


def test_every_feature_has_a_name():
    found = features(*inputs())
    names = score.feature_names(BANDS, list_ratios(TABLE))
    assert len(found) == len(names) == len(set(names))
    assert found.dtype == np.float32
    assert np.isfinite(found).all()


def test_smoothing_is_the_b3_spline_and_leaves_out_gaps():
    values, _, _ = inputs()
    kernel = np.array([1, 0, 4, 0, 6, 0, 4, 0, 1]) / 16
    expected = correlate1d(
        correlate1d(values[0], kernel, 0, mode="constant"), kernel, 1, mode="constant"
    )
    smoothed = score._Smoother(np.ones(values.shape[1:], bool))(values[:1], 2)[0]
    assert np.allclose(smoothed[4:-4, 4:-4], expected[4:-4, 4:-4], atol=1e-6)
    valid = np.ones(values.shape[1:], bool)
    valid[20:30, 20:30] = False
    constant = np.where(valid, 3.0, 0.0)[None]
    assert np.allclose(score._Smoother(valid)(constant, 4)[0][valid], 3.0, atol=1e-5)


def test_a_block_with_its_halo_has_the_features_of_the_whole():
    whole = inputs(140, 150)
    halo = score.HALO_PX
    full = features(*whole)
    part = [array[..., 50 - halo : 90 + halo, 60 - halo : 100 + halo] for array in whole]
    inner = (slice(halo, halo + 40), slice(halo, halo + 40))
    assert np.allclose(features(*part, inner), full[:, 50:90, 60:100], atol=1e-5)


def test_pixels_without_data_have_no_features_and_do_not_spoil_their_neighbours():
    values, low_pass, details = inputs()
    values[2, 30:40, 30:40] = np.nan
    found = features(values, low_pass, details)
    assert np.isnan(found[:, 30:40, 30:40]).all()
    found[:, 30:40, 30:40] = 0
    assert np.isfinite(found).all()


def test_the_sample_does_not_depend_on_how_the_scene_is_cut():
    generator = np.random.default_rng(3)
    planes = generator.random((4, 60, 70)).astype("float32")
    truth = generator.integers(-1, 3, (60, 70))
    whole = score.draw_training([planes], truth, 40, 7)
    parts = [
        score.draw_training(
            [planes[:, r : r + 20, c : c + 35]], truth[r : r + 20, c : c + 35], 40, 7, r, c
        )
        for r in (40, 0, 20)
        for c in (35, 0)
    ]
    merged = score.merge_training(parts, 40)
    for name in ("features", "stratum", "row", "column", "priority"):
        assert np.array_equal(getattr(merged, name), getattr(whole, name))
    assert np.bincount(whole.stratum).tolist() == [40, 40, 40]
    assert np.array_equal(whole.features, planes[:, whole.row, whole.column].T)
    other = score.draw_training([planes], truth, 40, 8)
    assert not np.array_equal(other.row, whole.row)


def test_folds_share_the_zone_and_leave_out_untested_blocks():
    generator = np.random.default_rng(2)
    tested = generator.integers(0, 2, (9, 11)) * 256
    zone = np.minimum(generator.integers(0, 200, (9, 11)), tested)
    fold = score.assign_folds(zone, tested, 4)
    assert ((fold == -1) == (tested == 0)).all()
    held = [zone[fold == k].sum() for k in range(4)]
    assert max(held) < 1.4 * min(held)


def test_no_pixel_near_a_fold_may_train_for_it():
    generator = np.random.default_rng(4)
    fold = generator.integers(0, 3, (5, 6)).astype("int16")
    row, column = (index.ravel() for index in np.mgrid[:80, :96])
    spatial = SpatialBlocks((80, 96), 16)
    touched = score.touched_folds(row, column, fold, spatial, 5, 3)
    pixel_fold = np.kron(fold, np.ones((16, 16), int))
    for k in range(3):
        rows, columns = np.nonzero(pixel_fold == k)
        mask = np.zeros((80, 96), bool)
        for down in range(-5, 6):
            for right in range(-5, 6):
                r, c = rows + down, columns + right
                kept = (r >= 0) & (r < 80) & (c >= 0) & (c < 96)
                mask[r[kept], c[kept]] = True
        assert np.array_equal(touched[:, k].reshape(80, 96), mask)
    with pytest.raises(InputError, match="buffer-px: 17"):
        score.touched_folds(row, column, fold, spatial, 17, 3)


def train(seed=0, folds=3, shift=1.5):
    generator = np.random.default_rng(seed)
    n = 1200
    zone = generator.random(n) < 0.3
    planes = generator.normal(size=(5, n)).astype("float32")
    planes[0] += shift * zone
    own = np.arange(n) % folds
    touched = np.zeros((n, folds), bool)
    touched[np.arange(n), own] = True
    return planes, zone, touched, own


def test_no_label_of_a_test_fold_reaches_its_model_or_threshold():
    planes, zone, touched, own = train()
    weight = np.ones(len(zone))
    models = score.train_zone(planes, zone, weight, touched, own)
    flipped = np.where(own == 1, ~zone, zone)
    again = score.train_zone(planes, flipped, weight, touched, own)
    assert np.array_equal(models.folds[1].coefficients, again.folds[1].coefficients)
    assert not np.array_equal(models.folds[0].coefficients, again.folds[0].coefficients)
    assert models.thresholds[1] == again.thresholds[1]
    assert models.thresholds[0] != again.thresholds[0]


def test_training_learns_and_does_not_depend_on_threads():
    planes, zone, touched, own = train()
    weight = np.ones(len(zone))
    one = score.train_zone(planes, zone, weight, touched, own, threads=1)
    two = score.train_zone(planes, zone, weight, touched, own, threads=2)
    assert np.array_equal(one.final.coefficients, two.final.coefficients)
    assert np.array_equal(one.thresholds, two.thresholds)
    assert one.final.coefficients[0] > 3 * abs(one.final.coefficients[1:]).max()
    assert one.pixels == (800, 800, 800)
    probability = score.predict(planes, [one.final])[0]
    assert probability.mean() == pytest.approx(zone.mean(), abs=0.01)


def test_weights_bring_probabilities_back_to_the_scene():
    planes, zone, touched, own = train()
    weight = np.where(zone, 0.1, 1.0)
    models = score.train_zone(planes, zone, weight, touched, own)
    probability = score.predict(planes, [models.final])[0]
    expected = (weight * zone).sum() / weight.sum()
    assert (weight * probability).sum() / weight.sum() == pytest.approx(expected, abs=0.01)


def test_two_folds_are_enough_and_one_class_is_not():
    planes, zone, touched, own = train(folds=2)
    models = score.train_zone(planes, zone, np.ones(len(zone)), touched, own)
    assert np.isfinite(models.thresholds).all()
    with pytest.raises(InputError, match="one class only"):
        score.train_zone(planes, zone & (own == 0), np.ones(len(zone)), touched, own)


def test_curves_agree_with_scikit_learn():
    generator = np.random.default_rng(5)
    zone = generator.random(3000) < 0.2
    scores = (generator.normal(size=3000) + 1.2 * zone).astype("float32").round(1)
    edges = score.choose_edges(scores)
    assert len(edges) == len(np.unique(scores))
    counts = score.count_scores(scores, zone, edges)
    assert counts.sum() == 3000
    curve = score.sweep_thresholds(counts)
    precision, recall, _ = precision_recall_curve(zone, scores)
    assert np.allclose(curve.precision, precision[:-1])
    assert np.allclose(curve.recall, recall[:-1])
    assert score.average_precision(counts) == pytest.approx(
        average_precision_score(zone, scores), abs=1e-9
    )
    best = score.best_threshold(counts)
    assert curve.f1[best] == np.nanmax(curve.f1)


def test_coarse_edges_do_not_flatter():
    generator = np.random.default_rng(6)
    zone = generator.random(20_000) < 0.1
    scores = (generator.normal(size=20_000) + 1.5 * zone).astype("float32")
    edges = score.choose_edges(scores)
    assert len(edges) <= score.EDGES
    value = score.average_precision(score.count_scores(scores, zone, edges))
    exact = average_precision_score(zone, scores)
    assert exact - 0.03 < value <= exact + 1e-9


def test_a_score_without_skill_has_the_zones_share():
    counts = np.array([[80, 20], [0, 0]])
    assert score.average_precision(counts) == pytest.approx(0.2)
    with pytest.raises(InputError, match="same everywhere"):
        score.choose_edges(np.ones(10))


def test_bootstrap_samples_of_curves_and_maps_draw_the_same_blocks():
    generator = np.random.default_rng(7)
    counts = generator.integers(0, 50, (30, 9, 2))
    curves = resample(counts, 200, 3)
    maps = resample(counts.reshape(30, 3, 6).sum(axis=1), 200, 3)
    assert np.array_equal(curves.reshape(200, 3, 6).sum(axis=1), maps)
