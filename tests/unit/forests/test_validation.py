import numpy as np

from gossan.accuracy.blocks import Bootstrap
from gossan.forests.exercises import Options
from gossan.forests.ground import Ground
from gossan.forests.plans import Plan
from gossan.forests.samples import Samples
from gossan.forests.validation import Test, compare_tests
from gossan.legend import MapClass

OPTIONS = Options(bootstrap=Bootstrap(24, 200, 42), folds=8, threads=1)
CLASSES = [MapClass(code, name, name, "#808080") for code, name in enumerate(("ore", "soil"), 1)]


def row_of(codes, predicted, blocks):
    """The rows of one plan's test, whose points lie in these blocks."""
    codes, n = np.array(codes), len(codes)
    samples = Samples(np.arange(n), np.arange(n), codes, np.ones(n, bool))
    ground = Ground(samples, {}, {}, {}, np.array(blocks))
    test = Test(
        *("random", "pixel", np.arange(n), np.array(predicted), (Plan(),), ()),
        *((np.arange(9),), (np.arange(n),)),
    )
    (row,) = compare_tests(ground, [test], CLASSES, OPTIONS)
    return row


def test_macro_f1_has_no_interval_where_a_class_lies_in_few_blocks():
    row = row_of([1] * 30 + [2], [1] * 31, np.arange(31))
    assert row["overall_accuracy_low"] < row["overall_accuracy"]
    assert row["macro_f1"] < 0.5
    # Without the one block of soil, a sample's mean would be that of ore alone: 1.
    assert row["macro_f1_low"] == row["macro_f1_high"] == row["gain_macro_f1_high"] == ""


def test_macro_f1_has_an_interval_where_every_class_lies_in_enough_blocks():
    row = row_of([1] * 30 + [2] * 8, [1] * 34 + [2] * 4, np.arange(38))
    assert row["macro_f1_low"] < row["macro_f1"] < row["macro_f1_high"]
    # The first plan is compared with itself.
    assert row["gain_macro_f1"] == 0 and row["gain_macro_f1_low"] == ""
