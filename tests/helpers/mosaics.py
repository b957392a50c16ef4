"""The settings of a small mosaic, beside config/examples/bahia_mosaic.yaml."""

# A small ground with few dates has few pixels of ore.
FEW = {"prospects": {"strata": {"counts": [10, 10, 10, 20], "ore_count": 10}}}
SMALL = {
    "twin": {"size_px": {"iron": 384}, "dates": 2},
    "studies": {"mines": FEW, "state": FEW},
}
