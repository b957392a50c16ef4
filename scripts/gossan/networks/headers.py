"""What stored networks say of themselves: how it is written, read without trust, and compared."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np

from gossan.errors import InputError
from gossan.files import newest
from gossan.legend import MapClass
from gossan.networks.onnx_session import open_session

MOST_SHIFT = 0.1
"""Share of a band's width by which its centre may lie elsewhere than in training.

Spectrometers are calibrated anew from time to time, by less than that; a sensor of the same band
names with other filters moves them by more.
"""
LEAST_SHIFT_UM = 1e-4
"""What every centre may be off: tables round it to less than a tenth of a nanometre."""


class Header(Protocol):
    """A dataclass of what a network was trained on."""

    def is_sound(self) -> bool:
        """Whether its numbers can be those of a network."""


AnyHeader = TypeVar("AnyHeader", bound=Header)
Shapes = Mapping[str, list]


def header_text(kind: str, header: Header) -> str:
    """The text that is kept in a network's file; `kind` names its form and version."""
    return json.dumps({"format": kind, **asdict(header)}, sort_keys=True)


def parse_header(
    text: str, kind: str, where: str, tool: str, build: Callable[[dict], AnyHeader]
) -> AnyHeader:
    """The header that `build` makes of the text of `header_text`.

    Raises InputError, naming the file `where` and the tool that would make a right one, for
    another kind, for keys and types that `build` cannot use, and for a header that is not sound.
    """
    fault = InputError(
        f"{where}: does not say what it was trained on; give a network of {tool} as it is now"
    )
    try:
        value = json.loads(text)
        if value.pop("format") != kind:
            raise fault
        header = build(value)
        sound = header.is_sound()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise fault from error
    if not sound:
        raise fault
    return header


def open_network(
    content: bytes,
    where: str,
    read_header: Callable[[str, str], AnyHeader],
    fits: Callable[[AnyHeader, Shapes, Shapes], bool],
) -> tuple[AnyHeader, object]:
    """Header and session of ONNX Runtime of a network's bytes; `where` is its file's name.

    `fits` is asked whether the header is of a network with these shapes of inputs and outputs, by
    name. Raises InputError for content that is no ONNX file, for a header that does not fit, and
    for a network that cannot run: one row of zeros is given to it.
    """
    session, text = open_session(content, where)
    header = read_header(text, where)
    inputs, outputs = session.get_inputs(), session.get_outputs()
    shapes = [{item.name: list(item.shape) for item in items} for items in (inputs, outputs)]
    plain = all(item.type == "tensor(float)" for item in (*inputs, *outputs))
    if not plain or not fits(header, *shapes):
        raise InputError(
            f"{where}: its network does not fit its own description; train the network again"
        )
    nothing = {
        item.name: np.zeros([side if isinstance(side, int) else 1 for side in item.shape], "f4")
        for item in inputs
    }
    try:
        session.run(None, nothing)
    except Exception as error:
        # ONNX Runtime raises classes of its own, without a common base.
        told = " ".join(str(error).split())[:200]
        raise InputError(
            f"{where}: its network cannot run ({told}); train the network again"
        ) from error
    return header, session


def require_classes(
    codes: Sequence[int], names: Sequence[str], classes: Sequence[MapClass], where: str
) -> None:
    """Raise InputError, naming the table `where`, unless it has a network's classes."""
    known = {item.code: item.name for item in classes}
    for code, name in zip(codes, names, strict=True):
        if known.get(code) != name:
            raise InputError(
                f"{where}: class {code} is {known.get(code, 'missing')} where the network has "
                f"{name}; give the table that it was trained with"
            )


def require_centres(
    names: Sequence[str],
    centre_um: Sequence[float],
    trained_um: Sequence[float],
    fwhm_um: Sequence[float],
    where: str,
) -> None:
    """Raise InputError, naming `where`, unless bands lie where a network was trained with them.

    Centres may differ by MOST_SHIFT of a band's width in training (NaN: LEAST_SHIFT_UM).
    """
    apart = np.abs(np.subtract(centre_um, trained_um))
    beyond = apart - np.fmax(MOST_SHIFT * np.array(fwhm_um), LEAST_SHIFT_UM)
    worst = int(beyond.argmax())
    if beyond[worst] > 0:
        raise InputError(
            f"{where}: a band lies {apart[worst] * 1000:.1f} nm from where the network was "
            f"trained with it, {names[worst]}; train a network with these bands"
        )


def file_digest(path: str | Path) -> str:
    """SHA-256 of a file's content, by which records name the network that made a map."""
    return hashlib.sha256(newest(path).read_bytes()).hexdigest()


def describe_origin(path: str | Path, header: object, scene: str) -> dict[str, object]:
    """Where the network of a map of `scene` came from, for its record.

    `transferred` tells that it was trained on another scene, so that whatever was assessed there
    says little about this map.
    """
    return {
        "file": Path(path).name,
        "sha256": file_digest(path),
        "scene": header.scene,
        "transferred": header.scene != scene,
    }


def origin_tags(origin: Mapping[str, object]) -> dict[str, str]:
    """The same, as tags of the map's rasters."""
    return {"NETWORK_SCENE": str(origin["scene"]), "NETWORK_SHA256": str(origin["sha256"])}
