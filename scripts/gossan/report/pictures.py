"""Pictures as a page holds them: whole, which a browser would not tell."""

import struct
import zlib

PNG_MARK = b"\x89PNG\r\n\x1a\n"


def is_whole_png(content: bytes) -> bool:
    """Whether a PNG's chunks follow one another to its end and have the checksums that they tell.

    Portable Network Graphics Specification, 5.3: length, kind, data, and CRC of kind and data.
    """
    place = len(PNG_MARK)
    if not content.startswith(PNG_MARK):
        return False
    while place + 12 <= len(content):
        (length,) = struct.unpack_from(">I", content, place)
        end = place + 8 + length
        if end + 4 > len(content):
            return False
        if struct.unpack_from(">I", content, end)[0] != zlib.crc32(content[place + 4 : end]):
            return False
        if content[place + 4 : place + 8] == b"IEND":
            return end + 4 == len(content)
        place = end + 4
    return False
