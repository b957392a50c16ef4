# How ground is simulated.


def ground_flags(ground):
    """Which ground is simulated, how large, how difficult."""
    twin = SETTINGS["twin"]
    sides = twin["size_px"].get(ground, [])
    sides = sides if isinstance(sides, list) else [sides]
    return flags(ground=ground, size_px=sides, **pick(twin, "seed", "difficulty"))


def campaign_flags(wildcards):
    """How many dates and tiles of Sentinel-2 a ground is seen in.

    One look is enough where no clouds of many dates are to be got rid of.
    """
    twin = SETTINGS["twin"]
    many = SCENES[wildcards.scene]["ground"] == "iron"
    tile = PLAN.tile_of(SCENES[wildcards.scene]["sensors"].get("sentinel2", ""))
    return flags(**(pick(twin, "dates", "tiles") if many else {"dates": 1, "tiles": 1}), tile=tile)
