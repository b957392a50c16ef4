"""How often 95 % intervals hold the truth: simulated maps with independent blocks, five kinds.

Each case is a map of two classes tested in a few spatial blocks. A block has its own share of the
class and its own rates of right pixels, drawn from beta distributions whose intraclass correlation
says how unlike blocks are, and its own size. The truth is the score of 400 000 such blocks. Beside
the intervals of the program stand those of percentiles (Efron 1979), BCa (Efron 1987), a bootstrap
of t and the jackknife's t, all without a transformation. Cases in which fewer blocks than the least
carry the score state no interval and do not count; `stated` is the share of those that do.

    python benchmarks/intervals.py [--cases N] [--replicates N] [--seed N] [--json FILE]
"""

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.stats import norm, t

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from gossan.accuracy.blocks import draw_blocks
from gossan.accuracy.intervals import LEVEL, Kind, interval
from gossan.accuracy.scores import score_confusion, weigh_blocks

BLOCKS = (5, 8, 10, 15, 30)
KINDS = ("percentiles", "BCa", "bootstrap t", "jackknife t", "gossan")
TRUTH_BLOCKS = 400_000
TAILS = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)


@dataclass(frozen=True)
class Ground:
    """Ground and map: rates of right pixels of the class (recall) and of the rest, the class's
    share, correlations within blocks of the rates and of the share, pixels of a block and the
    spread of their logarithm, and the score that is taken."""

    score: str
    recall: float
    rest: float
    share: float = 0.5
    correlation: float = 0.1
    patchiness: float = 0.1
    pixels: float = 100
    unlike: float = 0.0

    def blocks(self, generator: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
        """Confusion counts (..., 2, 2) of blocks."""

        def rate(mean: float, correlation: float) -> np.ndarray:
            size = 1 / correlation - 1
            return generator.beta(mean * size, (1 - mean) * size, shape)

        pixels = self.pixels * np.exp(generator.normal(-(self.unlike**2) / 2, self.unlike, shape))
        pixels = np.maximum(1, np.rint(pixels)).astype(int)
        own = generator.binomial(pixels, rate(self.share, self.patchiness))
        right = generator.binomial(own, rate(self.recall, self.correlation))
        left = generator.binomial(pixels - own, rate(self.rest, self.correlation))
        truth = [np.stack([left, pixels - own - left], -1), np.stack([own - right, right], -1)]
        return np.stack(truth, -2)

    def take(self, counts: np.ndarray) -> np.ndarray:
        """The score of confusion matrices (..., 2, 2)."""
        found = getattr(score_confusion(counts), self.score)
        return found[..., 1] if found.ndim == counts.ndim - 1 else found

    def weights(self, counts: np.ndarray) -> np.ndarray:
        """What each block weighs in the score, (n,)."""
        found = getattr(weigh_blocks(counts), self.score)
        return found[:, 1] if found.ndim == 2 else found


GROUNDS = {
    "accuracy 0.70, even": Ground("overall", 0.7, 0.7),
    "accuracy 0.95": Ground("overall", 0.95, 0.95, correlation=0.2),
    "accuracy 0.95, unlike blocks": Ground("overall", 0.95, 0.95, correlation=0.2, unlike=0.7),
    "accuracy 0.99": Ground("overall", 0.99, 0.99),
    "accuracy 0.98, few bad blocks": Ground("overall", 0.98, 0.98, correlation=0.3, unlike=0.5),
    "kappa 0.40": Ground("kappa", 0.7, 0.7, unlike=0.5),
    "kappa 0.91": Ground("kappa", 0.95, 0.96, 0.4, unlike=0.5),
    "kappa 0.75, rare class": Ground("kappa", 0.8, 0.97, 0.1, 0.2, 0.2, unlike=0.5),
    "F1 0.80": Ground("f1", 0.8, 0.8, correlation=0.15, patchiness=0.2, unlike=0.5),
    "F1 0.77, rare class": Ground("f1", 0.8, 0.97, 0.1, 0.2, 0.2, unlike=0.5),
    "F1 0.91": Ground("f1", 0.9, 0.98, 0.2, 0.2, 0.2, unlike=0.5),
    "recall 0.97": Ground("recall", 0.97, 0.98, 0.2, 0.1, 0.2, unlike=0.5),
    "recall 0.90, patchy class": Ground("recall", 0.9, 0.98, 0.1, 0.3, 0.4, unlike=0.5),
}


def measure(
    ground: Ground, truth: float, n: int, cases: int, replicates: int, seed: int
) -> dict[str, object]:
    """How often each kind of interval of `n` blocks holds the truth, and their median widths."""
    generator = np.random.default_rng([seed, n])
    ends: dict[str, list[np.ndarray]] = {kind: [] for kind in KINDS}
    kind = Kind.AGREEMENT if ground.score == "kappa" else Kind.SHARE
    for case in range(cases):
        counts = ground.blocks(generator, (n,))
        total = counts.sum(axis=0)
        value = float(ground.take(total))
        drawn = np.concatenate([part for _, part in draw_blocks(n, replicates, seed + case)])
        drawn = drawn.astype(np.float64)
        samples = ground.take(np.einsum("rn,nij->rij", drawn, counts))
        own = interval(value, samples, ground.weights(counts), kind)
        if not np.isfinite(own).all():
            continue
        ends["gossan"].append(own)
        for name, found in plain(value, samples, drawn, ground.take(total - counts)).items():
            ends[name].append(found)
    stated = len(ends["gossan"])
    row: dict[str, object] = {"blocks": n, "truth": round(truth, 4), "stated": stated / cases}
    for name, found in ends.items():
        low, high = np.array(found).T if stated else np.empty((2, 0))
        row[name] = float(((low <= truth) & (truth <= high)).mean()) if stated else None
        row[f"{name} width"] = float(np.median(high - low)) if stated else None
    return row


def plain(
    value: float, samples: np.ndarray, drawn: np.ndarray, left_out: np.ndarray
) -> dict[str, np.ndarray]:
    """The opponents' intervals, each (2,), from bootstrap samples (r,) and their draws (r, n).

    `left_out` (n,) are the values without each block. NaN where a kind has none.
    """
    n = len(left_out)
    samples = samples[np.isfinite(samples)]
    left_out = np.where(np.isfinite(left_out), left_out, value)
    found = {"percentiles": np.quantile(samples, TAILS)}
    below = (samples < value).mean() + (samples == value).mean() / 2
    middle = norm.ppf(np.clip(below, 0.5 / len(samples), 1 - 0.5 / len(samples)))
    away = left_out.mean() - left_out
    squares = (away**2).sum()
    bend = (away**3).sum() / (6 * squares**1.5) if squares > 0 else 0.0
    place = middle + norm.ppf(TAILS)
    found["BCa"] = np.quantile(samples, norm.cdf(middle + place / (1 - bend * place)))
    error = np.sqrt((n - 1) / n * squares)
    reach = t.ppf(TAILS[1], n - 1) * error
    found["jackknife t"] = np.array([value - reach, value + reach])
    pseudo = n * value - (n - 1) * left_out
    means = drawn @ pseudo / n
    spread = np.sqrt(np.maximum(drawn @ pseudo**2 / n - means**2, 0) / (n - 1))
    ratios = ((means - pseudo.mean())[spread > 0]) / spread[spread > 0]
    found["bootstrap t"] = (
        value - np.quantile(ratios, TAILS[::-1]) * error if len(ratios) else np.full(2, value)
    )
    return found


def build_parser() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=2000, help="maps of each sort")
    parser.add_argument("--replicates", type=int, default=400, help="bootstrap samples of each")
    parser.add_argument("--seed", type=int, default=1, help="seed of maps and draws")
    parser.add_argument("--json", type=Path, help="file to write the rows to")
    return parser


def main() -> None:
    """Simulate, print the table, write the JSON."""
    arguments = build_parser().parse_args()
    rows = []
    print(
        f"{'score':30}  blocks  stated  " + "  ".join(f"{name:>11}" for name in KINDS) + "  width"
    )
    for place, (name, ground) in enumerate(GROUNDS.items()):
        generator = np.random.default_rng([arguments.seed, place, TRUTH_BLOCKS])
        truth = float(ground.take(ground.blocks(generator, (TRUTH_BLOCKS,)).sum(axis=0)))
        for n in BLOCKS:
            row = measure(ground, truth, n, arguments.cases, arguments.replicates, arguments.seed)
            rows.append({"score": name, **row})
            if row["stated"]:
                told = "  ".join(f"{row[kind]:11.3f}" for kind in KINDS)
                width = f"{row['gossan width']:5.2f}"
                print(f"{name:30}  {n:6}  {row['stated']:6.2f}  {told}  {width}", flush=True)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps({"cases": arguments.cases, "rows": rows}, indent=2))


if __name__ == "__main__":
    main()
