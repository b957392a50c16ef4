"""Numbers, lists and judgements in words, the same on every page."""

from collections.abc import Iterable, Mapping, Sequence

from gossan.accuracy.blocks import MINIMUM_BLOCKS

SPARSE = "–"
"""What stands in a table for what there is not."""
UNDEFINED = "undefined"
TOO_FEW = "no interval: too few blocks"
WANTING = f"no interval, for want of {MINIMUM_BLOCKS} blocks"
NOT_RUN = "Not part of this run."


def trust(synthetic: Iterable[bool], assessed: bool) -> str:
    """How far to trust a page's numbers: whether its scenes are simulated, and any was assessed."""
    synthetic = list(synthetic)
    if all(synthetic):
        return (
            "The data are SYNTHETIC: the numbers show how the methods do on simulated ground and "
            "say nothing about any real place."
        )
    if any(synthetic):
        return (
            "Scenes marked SYNTHETIC show how the methods do on simulated ground; what they show "
            "does not carry over to the real ones."
        )
    if not assessed:
        return (
            "Read the maps as lists of places whose spectrum resembles what was looked for, to be "
            "checked on the ground, not as lists of what is there."
        )
    return "The numbers hold for this scene and this truth, not for other ground or dates."


def join_words(words: Sequence[str]) -> str:
    """Words as a list with "and" before the last."""
    return ", ".join(words[:-1]) + (" and " if len(words) > 1 else "") + "".join(words[-1:])


def join_once(parts: Iterable[str]) -> str:
    """Parts that are not empty, each once."""
    return "; ".join(dict.fromkeys(part for part in parts if part))


def capitalise(text: str) -> str:
    """A text with its first letter large, the others as they are."""
    return f"{text[:1].upper()}{text[1:]}"


def in_text(text: str) -> str:
    """A text with its first letter small, the others as they are."""
    return f"{text[:1].lower()}{text[1:]}"


def number(value: float | str | None, digits: int = 3) -> str:
    """A number to some digits; UNDEFINED where there is none (None, or an empty cell)."""
    return UNDEFINED if value in (None, "") else f"{float(value):.{digits}f}"


def percent(value: float | str | None, digits: int = 1, without: str = SPARSE) -> str:
    """A share in per cent; `without` where there is none (None, or an empty cell)."""
    return without if value in (None, "") else f"{float(value):.{digits}%}"


def count(value: float | str | None) -> str:
    """A whole number with commas; a dash where there is none (None, or an empty cell)."""
    return SPARSE if value in (None, "") else f"{float(value):,.0f}"


def part_of(some: int, whole: int, digits: int = 1) -> str:
    """How much of a whole some are; a dash of an empty whole."""
    return f"{some / whole:.{digits}%}" if whole else SPARSE


def interval(value: Mapping, form: str = ".3f", without: str = TOO_FEW) -> str:
    """The ends of a value's 95 % interval; `without` where it has none."""
    if value["low"] is None:
        return without
    return f"95 % interval {value['low']:{form}} to {value['high']:{form}}"


def with_interval(value: Mapping, form: str = ".3f", without: str = "") -> str:
    """A value with its interval in brackets, or with `without` there, if that is not empty."""
    if value["value"] is None:
        return UNDEFINED
    ends = interval(value, form, without)
    return f"{value['value']:{form}}" + (f" ({ends})" if ends else "")


def card(name: str, value: Mapping, n: str = "") -> dict[str, str]:
    """A key number: its name, the number, and its interval with `n` as a note."""
    note = interval(value)
    return {
        "name": name,
        "text": number(value["value"]),
        "note": f"{note}, n = {n}" if n else note,
    }


def area_text(area_km2: float | None) -> str:
    """An area in square kilometres to two decimals; a dash where it is not known."""
    if area_km2 is None:
        return SPARSE
    return "< 0.01" if 0 < area_km2 < 0.005 else f"{area_km2:,.2f}"


def value_text(value: object) -> str:
    """Any JSON value on one line."""
    if value in (None, "", [], {}):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, Mapping):
        return ", ".join(
            f"{str(name).replace('_', ' ')} {value_text(item)}" for name, item in value.items()
        )
    if isinstance(value, list):
        return "; ".join(value_text(item) for item in value)
    return str(value)
