"""What a map of embeddings answers at a pixel: one mineral, none, or several."""

from gossan.legend import MapClass

NAMED, NONE, SEVERAL = 1, 2, 3
ANSWERS = (
    MapClass(NAMED, "named", "One mineral within its limit", "#21847B", kind="answer"),
    MapClass(NONE, "none", "No mineral near enough", "#E4D2A0", kind="answer"),
    MapClass(SEVERAL, "several", "Several minerals near enough", "#FCE937", kind="answer"),
)
