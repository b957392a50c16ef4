"""The analytic library: spectra as a smooth continuum minus Gaussian absorptions.

ln R(λ) = Σ a_k T_k(x) − Σ s_i exp(−(ν − ν_i)² / 2σ_i²)

ν = 1/λ is the wavenumber, x its place in the model's domain (−1 at the long end, 1 at the short
end), T_k are Chebyshev polynomials. This follows the modified Gaussian model of Sunshine, Pieters
and Pratt (1990), J. Geophys. Res. 95(B5), 6955–6966, with each absorption symmetric in wavenumber
(their exponent of energy kept at 1). All strengths are positive: an absorption only ever
removes light.

The numbers describe modelled spectra: of minerals fitted to one named record each, of ground covers
constructed from the known places and shapes of their absorptions (`gossan.library.covers`), of
mixtures without a record constructed from their members' models (`gossan.library.mixtures`).
"""

import csv
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from gossan.delimited import read_delimited
from gossan.errors import InputError
from gossan.files import write_text
from gossan.library.spectrum import Spectrum

# Sunlight ends by 5 µm, and no reflectance is as small as exp(-50).
LARGEST_UM, LARGEST_STRENGTH = 5.0, 50.0
TABLE_COLUMNS = ("name", "origin", "term", "centre_um", "width_um", "strength")
RESIDUAL_COLUMNS = ("name", "record", "from_um", "to_um", "channels", "rms", "angle_rad")
ORIGINS = ("fitted", "constructed")
FWHM_PER_SIGMA = 2.0 * math.sqrt(2.0 * math.log(2.0))
MIN_CHANNELS = 80
# More channels than this only repeat what the instrument's resolution already smoothed.
MAX_CHANNELS = 720
# Charge-transfer bands peak in the ultraviolet and the water and hydroxyl fundamentals near
# 2.9 µm; their wings reach into the domain, so centres may lie outside it.
CENTRE_LIMITS_UM = (0.2, 2.9)
# Full width over centre: from just above the resolution of a laboratory spectrometer to a wing.
RELATIVE_WIDTH_LIMITS = (0.006, 1.5)
MAX_STRENGTH = 8.0


@dataclass(frozen=True)
class AbsorptionModel:
    """One analytic spectrum.

    `continuum` holds the Chebyshev coefficients a_k; `absorptions` has one row per absorption:
    centre in µm, full width at half maximum in µm (the width in wavenumber times the centre
    squared) and strength in units of ln R. The model holds from `from_um` to `to_um`.
    """

    name: str
    origin: str
    from_um: float
    to_um: float
    continuum: np.ndarray
    absorptions: np.ndarray


@dataclass(frozen=True)
class Residual:
    """How far a fitted model lies from its record, over the record's channels in the domain."""

    name: str
    record: str
    from_um: float
    to_um: float
    channels: int
    rms: float
    angle_rad: float


def evaluate(model: AbsorptionModel, wavelength_um: np.ndarray) -> np.ndarray:
    """Reflectance (n,) of a model at wavelengths (n,) in µm; NaN outside the model's domain."""
    wavelength_um = np.asarray(wavelength_um, dtype=np.float64)
    reflectance = np.full(wavelength_um.shape, np.nan)
    inside = (wavelength_um >= model.from_um) & (wavelength_um <= model.to_um)
    wavenumber = 1.0 / wavelength_um[inside]
    smooth = _continuum_terms(wavenumber, model.from_um, model.to_um, len(model.continuum))
    centre, width, strength = model.absorptions.T
    sigma = width / centre**2 / FWHM_PER_SIGMA
    shapes = np.exp(-0.5 * ((wavenumber[:, None] - 1.0 / centre) / sigma) ** 2)
    reflectance[inside] = np.exp(smooth @ model.continuum - shapes @ strength)
    return reflectance


def measure_residual(model: AbsorptionModel, spectrum: Spectrum) -> Residual:
    """Root-mean-square difference and spectral angle between a model and a record.

    Every valid channel of the record inside the model's domain counts once.
    """
    modelled = evaluate(model, spectrum.wavelength_um)
    valid = np.isfinite(modelled) & np.isfinite(spectrum.reflectance)
    a, b = modelled[valid], spectrum.reflectance[valid]
    # The half-angle form keeps small angles exact where arccos would lose half the digits.
    unit_a, unit_b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    angle = 2.0 * math.atan2(np.linalg.norm(unit_a - unit_b), np.linalg.norm(unit_a + unit_b))
    return Residual(
        name=model.name,
        record=_record_of(spectrum),
        from_um=model.from_um,
        to_um=model.to_um,
        channels=int(valid.sum()),
        rms=float(np.sqrt(np.mean((a - b) ** 2))),
        angle_rad=angle,
    )


def _record_of(spectrum: Spectrum) -> str:
    """The file of a record, and its name too where the file holds many (ENVI libraries)."""
    source = Path(spectrum.source)
    many = source.suffix.lower() in (".sli", ".hdr")
    return f"{source.stem}: {spectrum.name}" if many else source.stem


def fit(
    spectrum: Spectrum,
    *,
    name: str | None = None,
    from_um: float = 0.35,
    to_um: float = 2.5,
    absorptions: int = 14,
    continuum_terms: int = 5,
) -> AbsorptionModel:
    """Fit the modified Gaussian model to a measured spectrum.

    Absorptions are added one by one where they explain most of what is left, all parameters are
    refined together after each (bounded least squares in reflectance, each channel weighted by
    its spacing so that finely sampled regions do not dominate), and at the end the least useful
    ones are moved to better places while that pays. The result depends only on the spectrum; its
    numbers are rounded to what the table stores. The domain shrinks to the record's own range.

    Raises InputError when the spectrum has too few valid channels in the domain.
    """
    name = name or spectrum.name
    inside = (
        np.isfinite(spectrum.reflectance)
        & (spectrum.wavelength_um >= from_um)
        & (spectrum.wavelength_um <= to_um)
    )
    if inside.sum() < MIN_CHANNELS:
        raise InputError(
            f"{spectrum.source}: {inside.sum()} valid channels between {from_um} and {to_um} µm, "
            f"too few to fit {name!r}; choose a record with at least {MIN_CHANNELS}"
        )
    wavelength, reflectance = spectrum.wavelength_um[inside], spectrum.reflectance[inside]
    # A record that ends less than a channel or two inside the wanted range is taken to cover it.
    slack_um = 0.02
    start = from_um if wavelength[0] <= from_um + slack_um else math.ceil(wavelength[0] * 1e3) / 1e3
    end = to_um if wavelength[-1] >= to_um - slack_um else math.floor(wavelength[-1] * 1e3) / 1e3
    step = math.ceil(len(wavelength) / MAX_CHANNELS)
    problem = _FitProblem(wavelength[::step], reflectance[::step], start, end, continuum_terms)
    continuum, gaussians = problem.split(problem.solve(absorptions))
    centre_um, relative_width = 1.0 / gaussians[:, 0], np.exp(gaussians[:, 1])
    table = np.column_stack([centre_um, relative_width * centre_um, gaussians[:, 2]])
    model = AbsorptionModel(name, "fitted", start, end, continuum, table[np.argsort(centre_um)])
    return rounded(model)


class _FitProblem:
    """One record to fit; parameters are a_0…a_k, then (wavenumber, ln(width/centre), strength)."""

    SHORT_EVALUATIONS = 30
    LONG_EVALUATIONS = 60
    MOVES = 30
    # A move must pay at least this much, or noise keeps the search busy for nothing.
    MOVE_GAIN = 0.995

    def __init__(
        self,
        wavelength_um: np.ndarray,
        reflectance: np.ndarray,
        from_um: float,
        to_um: float,
        continuum_terms: int,
    ) -> None:
        self.wavenumber = 1.0 / wavelength_um
        self.reflectance = reflectance
        self.smooth = _continuum_terms(self.wavenumber, from_um, to_um, continuum_terms)
        self.terms = continuum_terms
        weight = np.sqrt(np.gradient(wavelength_um))
        # In units of the record's brightness a cost means the same for a bright and a dark one.
        self.weight = weight / np.sqrt(np.mean(weight**2)) / np.sqrt(np.mean(reflectance**2))
        centre_um = np.concatenate([np.arange(0.30, 1.0, 0.01), np.arange(1.0, 2.7, 0.01)])
        centres, widths = np.meshgrid(1.0 / centre_um, np.geomspace(0.008, 0.8, 12))
        self.atom_centres, self.atom_widths = centres.ravel(), widths.ravel()
        sigma = self.atom_centres * self.atom_widths / FWHM_PER_SIGMA
        self.atoms = np.exp(-0.5 * ((self.wavenumber[:, None] - self.atom_centres) / sigma) ** 2)

    def split(self, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Continuum coefficients (k,) and absorptions (m, 3)."""
        return parameters[: self.terms], parameters[self.terms :].reshape(-1, 3)

    def model(self, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Modelled reflectance (n,), Gaussian shapes (n, m) and their arguments (n, m)."""
        continuum, gaussians = self.split(parameters)
        sigma = np.exp(gaussians[:, 1]) * gaussians[:, 0] / FWHM_PER_SIGMA
        argument = (self.wavenumber[:, None] - gaussians[:, 0]) / sigma
        shapes = np.exp(-0.5 * argument**2)
        return np.exp(self.smooth @ continuum - shapes @ gaussians[:, 2]), shapes, argument

    def errors(self, parameters: np.ndarray) -> np.ndarray:
        """Weighted differences (n,) to the record."""
        return (self.model(parameters)[0] - self.reflectance) * self.weight

    def jacobian(self, parameters: np.ndarray) -> np.ndarray:
        """Derivatives (n, parameters) of `errors`."""
        modelled, shapes, argument = self.model(parameters)
        _, gaussians = self.split(parameters)
        scale = (modelled * self.weight)[:, None]
        per_strength = -scale * shapes
        per_shape = per_strength * gaussians[:, 2]
        sigma = np.exp(gaussians[:, 1]) * gaussians[:, 0] / FWHM_PER_SIGMA
        # The width is stored relative to the centre, so moving the centre widens the band too.
        per_centre = per_shape * (argument / sigma + argument**2 / gaussians[:, 0])
        per_width = per_shape * argument**2
        bands = np.stack([per_centre, per_width, per_strength], axis=2)
        return np.hstack([scale * self.smooth, bands.reshape(len(modelled), -1)])

    def refine(self, parameters: np.ndarray, evaluations: int) -> tuple[np.ndarray, float]:
        """Bounded least squares from a start; refined parameters and their cost."""
        # scipy.optimize costs a third of a second to import, and only fitting needs it.
        from scipy.optimize import least_squares

        count = (len(parameters) - self.terms) // 3
        shortest, longest = CENTRE_LIMITS_UM
        low = [1.0 / longest, math.log(RELATIVE_WIDTH_LIMITS[0]), 0.0]
        high = [1.0 / shortest, math.log(RELATIVE_WIDTH_LIMITS[1]), MAX_STRENGTH]
        result = least_squares(
            self.errors,
            parameters,
            self.jacobian,
            bounds=(
                np.r_[np.full(self.terms, -np.inf), np.tile(low, count)],
                np.r_[np.full(self.terms, np.inf), np.tile(high, count)],
            ),
            x_scale="jac",
            max_nfev=evaluations,
            ftol=1e-6,
            gtol=1e-10,
        )
        return result.x, float(result.cost)

    def candidates(self, parameters: np.ndarray, count: int) -> list[np.ndarray]:
        """Up to `count` starts, each with one more absorption where it would explain most."""
        modelled, _, _ = self.model(parameters)
        errors = (modelled - self.reflectance) * self.weight
        effect = self.atoms * (modelled * self.weight)[:, None]
        projection = effect.T @ errors
        power = np.sum(effect**2, axis=0) + 1e-12
        gain = np.where(projection > 0, projection**2 / power, -1.0)
        # Bands that lie almost outside the data are poorly determined: last choice.
        gain[power < 1e-3 * power.max()] *= 0.1
        starts = []
        while len(starts) < count and gain.max() > 0:
            best = int(gain.argmax())
            centre, width = self.atom_centres[best], self.atom_widths[best]
            strength = min(max(projection[best] / power[best], 1e-3), 3.0)
            starts.append(np.r_[parameters, centre, math.log(width), strength])
            gain[np.abs(self.atom_centres - centre) < 0.5 * max(width, 0.02) * centre] = -1.0
        return starts

    def extend(
        self, parameters: np.ndarray, cost: float, candidates: int, evaluations: int
    ) -> tuple[np.ndarray, float]:
        """The best refined model with one absorption more; as given when none would help."""
        refined = [
            self.refine(start, evaluations) for start in self.candidates(parameters, candidates)
        ]
        return min(refined, key=lambda pair: pair[1], default=(parameters, cost))

    def solve(self, absorptions: int) -> np.ndarray:
        """Parameters of the fitted model."""
        log_reflectance = np.log(np.maximum(self.reflectance, 1e-4))
        parameters = np.linalg.lstsq(self.smooth, log_reflectance, rcond=None)[0]
        cost = math.inf
        for _ in range(absorptions):
            parameters, cost = self.extend(parameters, cost, 3, self.SHORT_EVALUATIONS)
        parameters, cost = self.refine(parameters, self.LONG_EVALUATIONS)
        for _ in range(self.MOVES):
            moved = self.move_one(parameters, cost)
            if moved is None:
                break
            parameters, cost = moved
        return self.refine(parameters, 5 * self.LONG_EVALUATIONS)[0]

    def move_one(self, parameters: np.ndarray, cost: float) -> tuple[np.ndarray, float] | None:
        """Take out one of the least useful absorptions and put one in elsewhere, if that pays."""
        modelled, shapes, _ = self.model(parameters)
        continuum, gaussians = self.split(parameters)
        without = modelled[:, None] * np.exp(shapes * gaussians[:, 2])
        loss = np.sum(((without - self.reflectance[:, None]) * self.weight[:, None]) ** 2, axis=0)
        for index in np.argsort(loss, kind="stable")[:6]:
            start = np.r_[continuum, np.delete(gaussians, index, axis=0).ravel()]
            reduced, reduced_cost = self.refine(start, self.SHORT_EVALUATIONS)
            moved, moved_cost = self.extend(reduced, reduced_cost, 4, self.LONG_EVALUATIONS)
            if moved_cost < self.MOVE_GAIN * cost:
                return moved, moved_cost
        return None


def _continuum_terms(
    wavenumber: np.ndarray, from_um: float, to_um: float, terms: int
) -> np.ndarray:
    """Chebyshev polynomials (n, terms) of the place in the domain, −1 at `to_um`."""
    low, high = 1.0 / to_um, 1.0 / from_um
    place = (2.0 * wavenumber - low - high) / (high - low)
    return np.polynomial.chebyshev.chebvander(place, terms - 1)


def rounded(model: AbsorptionModel) -> AbsorptionModel:
    """The model with its numbers as the table stores them (six significant digits)."""

    def as_stored(values: np.ndarray) -> np.ndarray:
        return np.array([float(_number(value)) for value in values.ravel()]).reshape(values.shape)

    return replace(
        model,
        from_um=float(_number(model.from_um)),
        to_um=float(_number(model.to_um)),
        continuum=as_stored(model.continuum),
        absorptions=as_stored(model.absorptions),
    )


def _number(value: float) -> str:
    return f"{value:.6g}"


def write_models(path: str | Path, models: list[AbsorptionModel]) -> None:
    """Write models as one table, a row per term.

    Term `domain` gives the middle and the full width of the range where the model holds,
    `continuum` the next Chebyshev coefficient, `absorption` one Gaussian.
    """
    lines = [",".join(TABLE_COLUMNS)]
    for model in models:
        head = f"{model.name},{model.origin}"
        middle, width = (model.from_um + model.to_um) / 2, model.to_um - model.from_um
        lines.append(f"{head},domain,{_number(middle)},{_number(width)},")
        lines += [f"{head},continuum,,,{_number(value)}" for value in model.continuum]
        lines += [
            f"{head},absorption,{','.join(_number(value) for value in row)}"
            for row in model.absorptions
        ]
    write_text(path, "\n".join(lines) + "\n")


def read_models(path: str | Path) -> list[AbsorptionModel]:
    """Read a table of models, in its order. InputError names the file, line and fault."""
    path = Path(path)
    table = read_delimited(path, TABLE_COLUMNS)
    rows: dict[str, dict[str, list]] = {}
    for line, row in zip(table.lines, table.rows, strict=True):
        where = f"{path}, line {line}"
        if row["origin"] not in ORIGINS:
            raise InputError(f"{where}: origin {row['origin']!r}; use one of {', '.join(ORIGINS)}")
        wanted = {
            "domain": ("centre_um", "width_um"),
            "continuum": ("strength",),
            "absorption": ("centre_um", "width_um", "strength"),
        }.get(row["term"])
        if wanted is None:
            raise InputError(f"{where}: term {row['term']!r}; use domain, continuum or absorption")
        try:
            numbers = [float(row[column]) for column in wanted]
        except (TypeError, ValueError):
            numbers = [math.nan]
        positive = numbers[:2] if row["term"] != "continuum" else []
        if not all(map(math.isfinite, numbers)) or any(value <= 0 for value in positive):
            raise InputError(
                f"{where}: {row['term']} needs finite numbers in {', '.join(wanted)}, "
                "and a centre and width above 0"
            )
        strength = numbers[-1] if "strength" in wanted else 0.0
        if any(value > LARGEST_UM for value in positive) or abs(strength) > LARGEST_STRENGTH:
            raise InputError(
                f"{where}: {', '.join(f'{value:g}' for value in numbers)} is beyond what spectra "
                f"have: up to {LARGEST_UM:g} µm, and {LARGEST_STRENGTH:g} in the logarithm of "
                "reflectance; correct it"
            )
        entry = rows.setdefault(
            row["name"], {"origin": row["origin"], "domain": [], "continuum": [], "absorption": []}
        )
        entry[row["term"]].append(numbers)
    if not rows:
        raise InputError(f"{path}: the table has no rows; run fit_absorptions.py to make it")
    return [_assemble(path, name, entry) for name, entry in rows.items()]


def _assemble(path: Path, name: str, entry: dict) -> AbsorptionModel:
    if len(entry["domain"]) != 1 or not entry["continuum"]:
        raise InputError(
            f"{path}: {name!r} needs exactly one domain row and at least one continuum row"
        )
    ((middle, width),) = entry["domain"]
    return rounded(
        AbsorptionModel(
            name=name,
            origin=entry["origin"],
            from_um=middle - width / 2,
            to_um=middle + width / 2,
            continuum=np.array(entry["continuum"], dtype=np.float64).ravel(),
            absorptions=np.array(entry["absorption"], dtype=np.float64).reshape(-1, 3),
        )
    )


def write_residuals(path: str | Path, residuals: list[Residual]) -> None:
    """Write the residual table: reflectance RMS and spectral angle (rad) of each fitted model."""
    lines = [",".join(RESIDUAL_COLUMNS)]
    lines += [
        f"{r.name},{r.record},{_number(r.from_um)},{_number(r.to_um)},{r.channels},"
        f"{r.rms:.5f},{r.angle_rad:.5f}"
        for r in residuals
    ]
    write_text(path, "\n".join(lines) + "\n")


def read_residuals(path: str | Path) -> list[Residual]:
    """Read a residual table. InputError names the file and the fault."""
    try:
        text = Path(path).read_text(encoding="utf-8")
        rows = list(csv.DictReader(text.splitlines()))
        return [
            Residual(
                name=row["name"],
                record=row["record"],
                from_um=float(row["from_um"]),
                to_um=float(row["to_um"]),
                channels=int(row["channels"]),
                rms=float(row["rms"]),
                angle_rad=float(row["angle_rad"]),
            )
            for row in rows
        ]
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; check the path") from error
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise InputError(
            f"{path}: not a residual table ({','.join(RESIDUAL_COLUMNS)}); "
            "run fit_absorptions.py to make it"
        ) from error
