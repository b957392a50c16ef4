"""Units of wavelength as files tell them: what is told is converted, and never guessed."""

from __future__ import annotations

import re

import numpy as np

from gossan.errors import InputError

LIGHT_UM_GHZ = 299_792.458
"""Wavelength (µm) times frequency (GHz): the speed of light in vacuum."""

MICROMETRES = "um"
# Micrometres in a unit of length, and micrometres times a unit of what is the reciprocal of one.
_LENGTHS_UM = {MICROMETRES: 1.0, "nm": 1e-3, "angstrom": 1e-4, "mm": 1e3, "cm": 1e4, "m": 1e6}
_RECIPROCALS_UM = {
    **{"cm-1": 1e4, "Hz": LIGHT_UM_GHZ * 1e9, "MHz": LIGHT_UM_GHZ * 1e3},
    **{"GHz": LIGHT_UM_GHZ, "THz": LIGHT_UM_GHZ / 1e3},
}
# What units are also called, in small letters; plurals and the spelling in -re are the same unit.
_CALLED = {
    **{unit.lower(): unit for unit in (*_LENGTHS_UM, *_RECIPROCALS_UM)},
    **dict.fromkeys(("micrometer", "micron", "µm"), MICROMETRES),
    **{"nanometer": "nm", "å": "angstrom", "millimeter": "mm", "centimeter": "cm", "meter": "m"},
    **dict.fromkeys(("wavenumber", "1/cm", "cm^-1", "inverse cm"), "cm-1"),
}
_NOT_TOLD = ("", "unknown", "none", "n/a", "not available", "undefined")
_QUANTITY = re.compile(
    r"^(?:wave\s?lengths?|wave\s?numbers?|lambda|frequency|x)?\s*[\(\[{,:/]\s*(.*?)\s*[\)\]}]?$"
)

KNOWN = "micrometers, nanometers, angstroms, wavenumbers (cm-1), GHz or MHz"


def read_unit(text: str | None) -> str:
    """A unit as this module calls it ("um", "nm", "cm-1"); "" where none is told, as by "Unknown".

    `text` may name the quantity before it, as "Wavelength (micrometers)" does. Other texts come
    back in small letters: `to_micrometres` refuses them.
    """
    plain = " ".join((text or "").lower().replace("μ", "µ").replace("⁻¹", "-1").split())
    inner = _QUANTITY.match(plain)
    if inner and inner[1]:
        plain = inner[1]
    if plain in ("wavelength", "wavelengths", *_NOT_TOLD):
        return ""
    spelled = plain.replace("metre", "meter")
    return _CALLED.get(spelled) or _CALLED.get(spelled.removesuffix("s")) or plain


def to_micrometres(values: np.ndarray, unit: str, source: str) -> np.ndarray:
    """Wavelengths in µm from numbers of a unit of `read_unit`, in their order.

    Raises InputError, naming `source`, for a unit that is not known, and for numbers that have no
    reciprocal.
    """
    values = np.asarray(values, dtype=np.float64)
    if unit in _LENGTHS_UM:
        factor = _LENGTHS_UM[unit]
        # Thousandths by division, so that 2205 nm are 2.205 µm to the last bit.
        return values * factor if factor >= 1 else values / round(1 / factor)
    if unit not in _RECIPROCALS_UM:
        raise InputError(
            f"{source}: wavelengths of the unit {unit!r} cannot be converted; tell {KNOWN}"
        )
    if not (values > 0).all():
        raise InputError(f"{source}: numbers of the unit {unit!r} must be above 0; repair them")
    return _RECIPROCALS_UM[unit] / values


def widths_to_micrometres(
    widths: np.ndarray, centres: np.ndarray, unit: str, source: str
) -> np.ndarray:
    """Widths in µm of bands whose centres and widths are in `unit`; errors as `to_micrometres`."""
    if unit in _RECIPROCALS_UM:
        # Of a narrow band dλ / λ = dν / ν.
        return to_micrometres(centres, unit, source) * np.asarray(widths) / np.asarray(centres)
    return to_micrometres(widths, unit, source)
