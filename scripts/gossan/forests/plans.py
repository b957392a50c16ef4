"""Plans: what a forest is told to learn from, what it sees of a pixel, and how it is grown."""

from dataclasses import asdict, dataclass, field
from pathlib import Path

from gossan.errors import InputError
from gossan.files import parse_json
from gossan.forests.features import Recipe
from gossan.forests.forest import ForestSettings

LAYERS = ("cube", "all")
OWN, ROOT, BALANCED = "own", "root", "balanced"
SHARES = {OWN: 1.0, ROOT: 0.5, BALANCED: 0.0}
"""Powers of a class's number of points that its share in training is in proportion to."""


@dataclass(frozen=True)
class Plan:
    """A forest to train: its name, its layers ("cube", or "all" with the extra rasters), recipe
    and settings.

    `shares` says which share of the points that it learns each class has at most: "own", that
    which it has among the points; "balanced", the same as all others; "root", in proportion to
    the square root of its own, between the two. `weights` are pairs of a class code and of what
    each of its points counts for; of other classes a point counts 1.
    """

    name: str = "pixel"
    layers: str = "cube"
    shares: str = OWN
    recipe: Recipe = field(default_factory=Recipe)
    settings: ForestSettings = field(default_factory=ForestSettings)
    weights: tuple[tuple[int, float], ...] = ()

    def to_json(self) -> dict:
        """The plan as `parse_plan` reads it."""
        return {
            "name": self.name,
            "layers": self.layers,
            "shares": self.shares,
            "weights": {str(code): weight for code, weight in self.weights},
            **asdict(self.recipe) | {"windows_px": list(self.recipe.windows_px)},
            **asdict(self.settings),
        }


def parse_plan(value: object, where: str) -> Plan:
    """A plan from the keys of `Plan.to_json`, of which any one is enough.

    Raises InputError, naming `where`, for unknown keys and for values without meaning.
    """
    if not isinstance(value, dict):
        raise InputError(f"{where}: a plan is an object with keys such as windows_px and trees")
    if not value:
        raise InputError(f"{where}: is empty; give a plan one key at least, such as its name")
    known = Plan().to_json()
    for key, item in value.items():
        if key not in known:
            raise InputError(f"{where}: key {key!r} is unknown; there are {', '.join(known)}")
        wanted = type(known[key])
        if key == "learning_rate" and type(item) is int:
            wanted = int
        # A mapping that was read from a file is of a class of its own.
        is_wanted = isinstance(item, dict) if wanted is dict else type(item) is wanted
        if key != "max_features" and not is_wanted:
            raise InputError(f"{where}: {key} is {item!r}, not a {wanted.__name__}")
    keys = known | value
    for key, choices in (("layers", LAYERS), ("shares", SHARES)):
        if keys[key] not in choices:
            raise InputError(f"{where}: {key} is {keys[key]!r}; use one of: {', '.join(choices)}")
    if not keys["name"]:
        raise InputError(f"{where}: name is empty; name the plan")
    for key in ("differences", "ratios"):
        if keys[key] and keys["layers"] != "cube":
            raise InputError(
                f"{where}: {key} are of the cube's bands, which share a unit; use layers cube"
            )
    sides = keys["windows_px"]
    if not all(type(side) is int for side in sides):
        raise InputError(f"{where}: windows_px holds {keys['windows_px']}, not whole numbers")
    try:
        recipe = Recipe(
            **{name: keys[name] for name in asdict(Recipe())} | {"windows_px": tuple(sides)}
        )
        settings = ForestSettings(**{name: keys[name] for name in asdict(ForestSettings())})
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    weights = _parse_weights(keys["weights"], where)
    return Plan(keys["name"], keys["layers"], keys["shares"], recipe, settings, weights)


def _parse_weights(given: dict, where: str) -> tuple[tuple[int, float], ...]:
    for code, weight in given.items():
        if not code.isdigit() or type(weight) not in (int, float) or not weight > 0:
            raise InputError(
                f"{where}: weights holds {code!r}: {weight!r}; give numbers above 0 by class code"
            )
    return tuple((int(code), float(weight)) for code, weight in given.items())


def read_plans(path: str | Path) -> list[Plan]:
    """The plans of a JSON file: one object, or a list of objects with different names."""
    path = Path(path)
    try:
        value = parse_json(path.read_text(encoding="utf-8"), path)
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; write the plans first") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not JSON ({error}); correct it") from error
    items = value if isinstance(value, list) else [value]
    if not items:
        raise InputError(f"{path}: holds no plan; give one or more")
    plans = [parse_plan(item, f"{path}, plan {n}") for n, item in enumerate(items, start=1)]
    names = [plan.name for plan in plans]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{path}: two plans are called {name!r}; give each its own name")
    return plans
