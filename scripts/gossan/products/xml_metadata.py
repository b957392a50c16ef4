"""XML metadata of products, read without trust.

A document type may be named, as the archives of NASA do: its file is never fetched. Declarations
of entities, which could grow without bounds or name files, are refused.
"""

from __future__ import annotations

import math
from xml.etree.ElementTree import Element, ParseError

from defusedxml import DefusedXmlException, ElementTree

from gossan.errors import InputError

XML_MAX_BYTES = 8 << 20


def parse_xml(content: bytes, name: str) -> Element:
    """The root of an XML text from outside; namespaces are stripped from the elements' names.

    Raises InputError, naming `name`, for declarations of entities, for text that is not XML, and
    above 8 MiB.
    """
    if len(content) > XML_MAX_BYTES:
        raise InputError(f"{name}: is larger than {XML_MAX_BYTES >> 20} MiB; not a metadata file")

    try:
        root = ElementTree.fromstring(
            content, forbid_dtd=False, forbid_entities=True, forbid_external=True
        )
    except DefusedXmlException as error:
        raise InputError(f"{name}: declares entities; refused") from error
    except ParseError as error:
        raise InputError(f"{name}: is not whole XML ({error}); get the file again") from error
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


class XmlMetadata:
    """The values of one XML file, with errors that name file and element."""

    def __init__(self, content: bytes, name: str):
        """Parse `content`; `name` is the file's name for messages."""
        self.name = name
        self.root = parse_xml(content, name)

    def find(self, path: str) -> str | None:
        """Text of the first element at an ElementPath like ".//PRODUCT_URI", or None."""
        text = self.root.findtext(path)
        return text.strip() if text and text.strip() else None

    def text(self, path: str) -> str:
        """As `find`, but InputError where there is none."""
        value = self.find(path)
        if value is None:
            raise InputError(f"{self.name}: element {path.lstrip('./')} is missing")
        return value

    def first(self, *paths: str) -> str:
        """Text of the first of several elements that is there; InputError names the first one."""
        return next(filter(None, map(self.find, paths)), None) or self.text(paths[0])

    def number(self, path: str) -> float:
        """The finite number in an element; InputError where there is none."""
        return self.as_number(path, self.text(path))

    def as_number(self, path: str, text: str | None) -> float:
        """`text` as a finite number; InputError names `path`."""
        try:
            value = float(text or "")
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise InputError(f"{self.name}: {path.lstrip('./')} = {text} is not a number")
        return value
