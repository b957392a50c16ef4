import numpy as np
import pytest

from gossan.errors import InputError
from gossan.raster import BandTable
from gossan.transforms.vegetation import vegetation_bands, vegetation_index


def test_the_index_is_undefined_without_light_or_data():
    red = np.array([0.1, 0.3, 0.0, np.nan], "float32")
    infrared = np.array([0.5, 0.3, 0.0, 0.5], "float32")
    index = vegetation_index(red, infrared)
    assert index[0] == pytest.approx(0.4 / 0.6)
    assert index[1] == 0
    assert np.isnan(index[2:]).all()


def test_bands_are_found_by_wavelength():
    landsat = BandTable(("B2", "B3", "B4", "B5"), (0.48, 0.56, 0.655, 0.865), (0.06,) * 4)
    assert vegetation_bands(landsat) == ("B4", "B5")
    with pytest.raises(InputError, match="ndvi_max: needs a red and a near infrared band"):
        vegetation_bands(BandTable(("4", "5"), (1.65, 2.17), (0.1, 0.1)))
