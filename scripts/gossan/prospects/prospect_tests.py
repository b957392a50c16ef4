"""Which accuracy records are tests of a scene's forests, what they are called, and the published.

validate_forest.py tests each plan, and the one that its training points chose, in three protocols:
`random`, the samples' own split; `blocked`, spatial blocks; `carried`, from one half of the ground
to the other. It writes a table of scores, a row per test, and an accuracy record per row.

The entry of a study in published.json may hold `tests`, each with `source`, `split` (what the
samples' own split is called), `n`, `overall_accuracy`, `kappa`, `macro_f1` and `f1` by class, and
with the `scene` that it was made on where that is a scene of the workflow.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gossan.errors import InputError

CHOSEN = "chosen"
OWN, BLOCKED, CARRIED = "random", "blocked", "carried"
OWN_SPLIT = "own split"
BLOCKS = "spatial blocks"
HALVES = "other half"
METHOD = "Forest, {plan}, {protocol} split"
SCORE_COLUMNS = ("protocol", "plan", "plans", "n", "n_blocks", "n_train", "overall_accuracy")
SCORES = {
    "overall_accuracy": "Overall accuracy",
    "kappa": "Kappa",
    "macro_f1": "Macro-F1",
}


@dataclass(frozen=True)
class ForestTest:
    """One plan in one protocol: its row of the table of scores, and its accuracy record."""

    plan: str
    protocol: str
    row: Mapping[str, str]
    record: Mapping

    @property
    def own(self) -> bool:
        """Whether the samples' own split was tested."""
        return self.protocol == OWN


def forest_tests(rows: Sequence[Mapping[str, str]], records: Sequence[Mapping]) -> list[ForestTest]:
    """The tests of a table of scores in its order, each with its record.

    Raises InputError for a test without a record.
    """
    by_method = {record["method"]: record for record in records if record["assessed"]}
    tests = []
    for row in rows:
        method = METHOD.format(plan=row["plan"], protocol=row["protocol"])
        if method not in by_method:
            raise InputError(
                f"accuracy: has no record of {method!r}, which the table of scores names; "
                "give the records that were written with it"
            )
        tests.append(ForestTest(row["plan"], row["protocol"], row, by_method[method]))
    return tests


def leading_tests(tests: Sequence[ForestTest]) -> list[ForestTest]:
    """The first plan and the chosen one in all protocols; without a choice, the first alone."""
    plans = list(dict.fromkeys(test.plan for test in tests))
    wanted = plans[:1] if len(plans) <= 2 else [plans[0], CHOSEN]
    return [test for plan in wanted for test in tests if test.plan == plan]


def study_classes(record: Mapping) -> list[Mapping]:
    """Scores of the study's classes: among themselves, or of the one that there is."""
    study = record["scores_study_classes"]
    return record["scores"]["classes"][1:] if study is None else study["classes"]


def class_names(record: Mapping) -> list[str]:
    """Names of the classes that a record's map and truth can hold, other ground left out."""
    return [item["name"] for item in study_classes(record)]


def other_tests(tests: Sequence[ForestTest], records: Sequence[Mapping]) -> list[Mapping]:
    """The scene's records that are no test of a forest's plan."""
    own = [test.record for test in tests]
    return [record for record in records if record["assessed"] and record not in own]


def published_test(paper: Mapping, record: Mapping) -> Mapping | None:
    """The published test to set beside a record: of the same scene, else of the same classes."""
    tests = paper.get("tests", ())
    of_scene = [item for item in tests if item.get("scene") == record["scene"]]
    names = set(class_names(record))
    of_classes = [item for item in tests if "scene" not in item and set(item["f1"]) == names]
    return next(iter((*of_scene, *of_classes)), None)


def split_name(protocol: str, published: Mapping | None) -> str:
    """What a protocol is called beside a published test, which names its own split."""
    if protocol in (BLOCKED, CARRIED):
        return BLOCKS if protocol == BLOCKED else HALVES
    return OWN_SPLIT if published is None else published["split"]


def title_of(test: ForestTest, published: Mapping | None) -> str:
    """What a test is called, such as "Pixel, random split"."""
    plan = f"{test.plan[:1].upper()}{test.plan[1:]}"
    return f"{plan}, {split_name(test.protocol, published)}"
