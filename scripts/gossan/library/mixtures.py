"""Mixtures of the analytic library that no record stands for, made of their members' models."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from gossan.library import absorptions
from gossan.library.absorptions import AbsorptionModel
from gossan.library.spectrum import Spectrum

# Per mixture: its members and the share of the ground that each covers.
MIXTURES: dict[str, tuple[tuple[str, float], ...]] = {
    "nanohematite+goethite": (("nanohematite", 0.5), ("goethite", 0.5)),
}
STEP_UM = 0.003


def construct_mixture(
    name: str, models: Mapping[str, AbsorptionModel], terms: int = 14
) -> AbsorptionModel:
    """The model of one of `MIXTURES` from the models of its members, side by side on the ground.

    Reflectances add up by share, which no sum of absorptions does: the sum is fitted again, by
    `terms` absorptions, where all members hold. KeyError for a name that is no mixture, or a
    member that has no model.
    """
    members = [(models[member], share) for member, share in MIXTURES[name]]
    from_um = max(model.from_um for model, _ in members)
    to_um = min(model.to_um for model, _ in members)
    count = round((to_um - from_um) / STEP_UM) + 1
    wavelength_um = np.linspace(from_um, to_um, count)
    reflectance = sum(
        share * absorptions.evaluate(model, wavelength_um) for model, share in members
    )
    mixed = Spectrum(name, wavelength_um, reflectance, "members' models", modelled=True)
    fitted = absorptions.fit(mixed, name=name, from_um=from_um, to_um=to_um, absorptions=terms)
    return replace(fitted, origin="constructed")
