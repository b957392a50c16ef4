"""What the page of a study's whole ground tells of how its scenes were joined."""

import re
from collections.abc import Mapping, Sequence

OWN_PIXELS = {"dos1", "cost", "iarr", "log_residuals", "quac"}
"""Corrections that are solved from a scene's own pixels (`cube.atmosphere`)."""


def describe_ground(
    maps: Mapping[str, Mapping], cubes: Sequence[Mapping], teacher: str
) -> dict[str, object]:
    """Scenes, rule and overlap of each map, with sentences and advice as pages show them.

    `maps` are records of mosaic_scenes by the file of the map, `cubes` those of the scenes' cubes,
    `teacher` is the scene that taught all.
    """
    first = next(iter(maps.values()))
    names = [item["scene"] for item in first["scenes"]]
    overlaps = {
        name: {key: record[key] for key in ("pixels", "overlap_px", "differing_px")}
        for name, record in maps.items()
    }
    sentences = [
        f"{len(names)} scenes are joined, taught by {teacher} alone; a test of {teacher} tests "
        "none of the others."
    ]
    shared = max(item["overlap_px"] for item in overlaps.values())
    worst = max(overlaps, key=lambda name: _share(overlaps[name]))
    if not shared:
        sentences.append("No scenes overlap, so nothing tells whether they agree at their edges.")
    elif not overlaps[worst]["differing_px"]:
        sentences.append(
            f"All {shared:,} pixels that several scenes have are the same in each map."
        )
    else:
        sentences.append(
            f"Where scenes overlap, they differ at up to {_share(overlaps[worst]):.1%} of "
            f"{overlaps[worst]['overlap_px']:,} pixels (in {worst}); a seam may show there."
        )
    advice = []
    done = " ".join(cube["atmosphere"] for cube in cubes)
    own = sorted(OWN_PIXELS.intersection(re.findall(r"\w+", done)))
    own += ["minmax"] * any("minmax" in cube["normalisation"] for cube in cubes)
    if own:
        sentences.append(
            f"Each scene was corrected by its own pixels ({', '.join(own)}), which moves its "
            "reflectance against its neighbours'."
        )
        advice.append("Surface reflectance (Level 2) needs no such correction, and joins best.")
    return {
        "scenes": first["scenes"],
        "teacher": teacher,
        "rule": first["rule"],
        "maps": overlaps,
        "sentences": sentences,
        "advice": advice,
    }


def _share(overlap: Mapping) -> float:
    return overlap["differing_px"] / overlap["overlap_px"] if overlap["overlap_px"] else 0.0
