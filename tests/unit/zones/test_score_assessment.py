import numpy as np

from gossan.accuracy.blocks import Bootstrap
from gossan.accuracy.scores import assess_blocks
from gossan.zones.alteration_score import PROBABILITY_EDGES, Model, ZoneModels
from gossan.zones.score_assessment import Options, _Comparison, _ZonePlan

OPTIONS = Options(bootstrap=Bootstrap(32, 200, 42), folds=2, buffer_px=8, per_class=600, threads=1)


def compare(counts):
    """The comparison of a score whose blocks (n, edges + 1, 2) are dealt into two folds."""
    model = Model(0.0, np.zeros(1))
    models = ZoneModels(model, (model, model), np.full(2, 0.5, np.float32), (9, 9), (9, 9))
    fold = np.arange(len(counts))[None] % 2
    plan = _ZonePlan("phyllic", 1, models, fold, (), {"score": PROBABILITY_EDGES})
    return _Comparison(plan, {"score": counts}, OPTIONS)


def counts_of(blocks, zone_blocks):
    """Counts of random scores that rise in the zone, which lies in the first blocks."""
    generator = np.random.default_rng(0)
    counts = np.zeros((blocks, len(PROBABILITY_EDGES) + 1, 2), np.uint16)
    for block in range(blocks):
        np.add.at(counts[block, :, 0], generator.integers(0, 200, 50), 1)
        if block < zone_blocks:
            np.add.at(counts[block, :, 1], generator.integers(80, 254, 50), 1)
    return counts


def test_a_zone_in_few_blocks_has_no_interval_of_recall():
    comparison = compare(counts_of(20, 3))
    (score,) = comparison.describe()["methods"]
    assert score["recall"]["value"] > 0.5
    assert score["recall"]["low"] is score["average_precision"]["low"] is None
    assert score["precision"]["low"] < score["precision"]["value"] < score["precision"]["high"]
    for row in comparison.curve_rows():
        assert row["recall_low"] is None
    assert any(row["precision_low"] is not None for row in comparison.curve_rows())


def test_intervals_are_given_where_the_accuracy_record_gives_them():
    for zone_blocks in (3, 5, 12):
        comparison = compare(counts_of(20, zone_blocks))
        (score,) = comparison.describe()["methods"]
        record = assess_blocks(comparison.confusion["score"], [{}, {}], 200, 42)
        for name in ("precision", "recall", "f1"):
            own = record["classes"][1][name]
            assert (score[name]["low"], score[name]["high"]) == (own["low"], own["high"])
