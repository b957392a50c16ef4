"""Names of what is compared on an alteration zone, as figures and report print them."""

ANOMALY = "anomaly"
"""Level of a map of anomalies, beside the levels of confidence."""

METHOD_LABELS = {
    "score": "Alteration score (held-out blocks)",
    "SAM": "SAM, threshold learned",
    "best ratio on training blocks": "Best band ratio, learned",
    "best rule on training blocks": "Fixed ranges, band and level learned",
    "best rule in hindsight": "Fixed ranges, best in hindsight",
    "best published in hindsight": "As published, best in hindsight",
}


def method_label(method: str) -> str:
    """What a method of score_alteration's record is called."""
    return METHOD_LABELS.get(method, method.capitalize())
