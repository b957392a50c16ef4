"""Networks as published beside the study's own: the same pixels, thresholds and blocks."""

from collections.abc import Mapping, Sequence

import numpy as np

from gossan.cube.bands import StackBands
from gossan.embedding.detection import Pixels, choose_thresholds, compare_rates, number_text, rate
from gossan.embedding.detectors import Embedding, score_spectra
from gossan.embedding.model import EmbeddingModel
from gossan.embedding.sensor_scores import LIBRARY, MACRO, ORACLE, PIXELS, VALIDATION
from gossan.embedding.sensor_subsets import SIMILARITY_COLUMNS, compare_embeddings
from gossan.errors import InputError

MEASURES = ("precision", "recall", "f1")
SIDES = ("published", "own", "difference")
"""The network as published, the study's own, and how much larger the own one's value is."""
COMPARISON_COLUMNS = (
    *("network", "threshold_kind", "mineral", "measure", "n", "n_mineral"),
    *(f"{side}{end}" for side in SIDES for end in ("", "_low", "_high")),
)
MOVED_COLUMNS = ("network", "spectra", *SIMILARITY_COLUMNS)


def compare_networks(
    network: str,
    published: EmbeddingModel,
    own: EmbeddingModel,
    pixels: Pixels,
    *,
    replicates: int,
    seed: int,
    threads: int = 1,
) -> tuple[list[dict[str, object]], np.ndarray]:
    """Rows of COMPARISON_COLUMNS, and the published network's scores (n, K) of all the pixels.

    Thresholds are each network's own: chosen on the test pixels themselves (ORACLE), as the paper
    did, and on validation pixels (VALIDATION). Differences are those of the same samples of
    blocks. Raises InputError where the two have other minerals.
    """
    minerals = own.header.minerals
    if published.header.minerals != minerals:
        raise InputError(
            f"{network}: the network as published has other minerals than the study's; train both "
            "alike"
        )
    scores = [
        score_spectra(Embedding(minerals, model.distances), pixels.spectra, pixels.present, threads)
        for model in (published, own)
    ]
    test = pixels.take(pixels.is_test)
    rows = []
    for kind, side in ((ORACLE, pixels.is_test), (VALIDATION, ~pixels.is_test)):
        chosen = pixels.take(side)
        limits = [choose_thresholds(own[side], chosen.held, chosen.weight) for own in scores]
        methods = [(own[pixels.is_test], limit) for own, limit in zip(scores, limits, strict=True)]
        first, second = (
            rate(*method, test.held, test.block, test.weight, replicates, seed)
            for method in methods
        )
        apart = compare_rates(methods[1], methods[0], test, replicates, seed)
        head = {"network": network, "threshold_kind": kind, "n": first.n}
        for place, mineral in enumerate(minerals):
            for measure, difference in zip(MEASURES, apart, strict=False):
                values = (getattr(first, measure), getattr(second, measure), difference)
                rows.append(
                    {
                        **head,
                        "mineral": mineral,
                        "measure": measure,
                        "n_mineral": int(first.counts[place + 1]),
                        **_cells([value[:, place] for value in values]),
                    }
                )
        rows.append(
            {
                **head,
                "mineral": MACRO,
                "measure": MEASURES[-1],
                "n_mineral": int(first.counts[1:].sum()),
                **_cells([first.macro_f1, second.macro_f1, apart[-1]]),
            }
        )
    return rows, scores[0]


def _cells(values: Sequence[np.ndarray]) -> dict[str, str | None]:
    return {
        f"{side}{end}": number_text(number)
        for side, own in zip(SIDES, values, strict=True)
        for end, number in zip(("", "_low", "_high"), own, strict=True)
    }


def compare_moved(
    models: Mapping[str, EmbeddingModel],
    bands: StackBands,
    references: tuple[np.ndarray, np.ndarray],
    pixels: Pixels | None,
    available: Sequence[str],
) -> list[dict[str, object]]:
    """Rows of MOVED_COLUMNS: how far embeddings move without sensors, by network.

    Of single library spectra, the first record of each mineral (`references`: spectra (R, B) and
    their minerals' places (R,)), as the paper's table has them, and the mean over `pixels`, which
    all have the sensors that are `available`; None where no pixel is known.
    """
    spectra, owners = references
    first = np.unique(owners, return_index=True)[1]
    kinds = [(LIBRARY, spectra[first], owners[first] + 1, None)]
    if pixels is not None:
        kinds.append((PIXELS, pixels.spectra, pixels.truth, available))
    return [
        {"network": network, "spectra": kind, **row}
        for network, model in models.items()
        for kind, values, labels, seen in kinds
        for row in compare_embeddings(
            model.embed, bands, values, labels, model.header.minerals, seen
        )
    ]
