# How products become cubes, as functions of the wildcards.


def block_px_of(wildcards):
    """Side of a block of a sensor's cube."""
    few = wildcards.sensor in ("landsat", "aster", "sentinel2", PLAN.RASTERS)
    return SETTINGS["block_px"] if few else MANY_BANDS_BLOCK_PX


def area_of(wildcards):
    """The part of a product that goes into its cube, as flags."""
    return flags(**pick(settings_of(wildcards)["cube"], "window", "polygon"))


def polygon_of(wildcards):
    """The vector file of the area to use, or an empty list."""
    polygon = settings_of(wildcards)["cube"]["polygon"]
    return given(polygon) if polygon else []


def cube_of(wildcards):
    """How a product becomes a cube, as flags."""
    cube = settings_of(wildcards)["cube"]
    own = flags(bands=cube["bands"].get(wildcards.sensor), normalisation=cube["normalisation"])
    return f"{own} {area_of(wildcards)} {masks_of(wildcards)}"


def masks_of(wildcards, mask=None):
    """What becomes nodata, as flags; without a name after it, `--mask` masks nothing."""
    cube = settings_of(wildcards)["cube"]
    named = cube["mask"] if mask is None else mask
    return f"--mask {shlex.join(named)} {flags(ndvi_max=cube['ndvi_max'])}"


def numbers_of(wildcards):
    """Wavelengths and scale of a raster stack that does not tell them, as flags."""
    if wildcards.sensor != PLAN.RASTERS:
        return ""
    return flags(**pick(settings_of(wildcards)["cube"], "wavelengths_um", "scale"))


def spectra_for_quac(atmosphere):
    """The spectra that quac scales a scene to, or an empty list where it is not asked for."""
    return static("analytic_library.csv") if "quac" in atmosphere else []
