"""The table of instruments: its order is that of bits in files, so it may only grow at its end."""

from gossan.cube.bands import HYPERSPECTRAL, SENSORS
from gossan.cube.instruments import INSTRUMENTS


def test_the_order_of_bits_never_changes():
    assert SENSORS[:7] == (
        *("emit", "enmap", "prisma", "sentinel2", "worldview3", "landsat", "aster"),
    )
    assert HYPERSPECTRAL == ("emit", "enmap", "prisma")


def test_every_instrument_has_a_name_and_strengths_of_its_own():
    for field in ("label", "table_name"):
        assert len({getattr(item, field) for item in INSTRUMENTS.values()}) == len(INSTRUMENTS)
    for item in INSTRUMENTS.values():
        assert 0 < item.noise < 0.02 and 0 < item.shift_nm < 10
