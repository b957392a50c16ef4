# How ground is simulated.


def ground_flags(ground):
    """Which ground is simulated, how large, how difficult."""
    twin = SETTINGS["twin"]
    sides = twin["size_px"].get(ground, [])
    sides = sides if isinstance(sides, list) else [sides]
    return flags(ground=ground, size_px=sides, **pick(twin, "seed", "difficulty"))
