"""What the pages of a Parquet file unpack to, read from their headers without unpacking any.

The footer of a file may say anything of its sizes; what pyarrow allocates is what the header in
front of a page says. Headers are structs of Thrift's compact protocol, see ``PageHeader`` of
https://github.com/apache/parquet-format: field 1 is the type of the page, 2 its bytes unpacked
and 3 its bytes as they follow.
"""

from __future__ import annotations

_TRUE, _FALSE, _BYTE, _I16, _I32, _I64, _DOUBLE, _BINARY, _LIST, _SET, _MAP, _STRUCT = range(1, 13)
_UNPACKED, _PACKED = 2, 3
_DEEPEST = 8  # structs within structs; a page header has three
_MOST = 10_000  # pages of a column; those of a usual writer have a megabyte each


class Damaged(ValueError):
    """The bytes are no pages."""


def unpacked(data: bytes, start: int, size: int) -> int:
    """Add up what the pages of a column unpack to.

    Args:
        data: The file.
        start: Where the first page's header begins.
        size: Bytes of all its pages with their headers.

    Raises:
        Damaged: They are no pages, too many, or do not fill these bytes.
    """
    reader, end, total, count = _Reader(data, start), start + size, 0, 0
    if not 0 <= start <= end <= len(data):
        raise Damaged("The column lies outside of the file.")
    while reader.at < end:
        header = reader.struct()
        packed, whole = header.get(_PACKED, -1), header.get(_UNPACKED, -1)
        if packed < 0 or whole < 0:
            raise Damaged("A page does not say how large it is.")
        reader.at += packed
        total, count = total + whole, count + 1
        if count > _MOST:
            raise Damaged("The column has too many pages.")
    if reader.at != end:
        raise Damaged("A page goes beyond its column.")
    return total


class _Reader:
    """Reads what is at a place and moves on."""

    def __init__(self, data: bytes, at: int) -> None:
        self._data, self.at = data, at

    def struct(self, depth: int = 0) -> dict[int, int]:
        """Read a struct; gives its numbers by field."""
        if depth > _DEEPEST:
            raise Damaged("Structs are nested too deeply.")
        found, field = {}, 0
        while kind := self._byte():
            delta, kind = kind >> 4, kind & 15
            field = field + delta if delta else self._number()
            value = self._value(kind, depth)
            if kind in (_I16, _I32, _I64):
                found[field] = value
        return found

    def _value(self, kind: int, depth: int) -> int:
        if kind in (_I16, _I32, _I64):
            return self._number()
        if kind == _BINARY:
            self._skip(self._unsigned())
        elif kind in (_BYTE, _DOUBLE):
            self._skip(1 if kind == _BYTE else 8)
        elif kind == _STRUCT:
            self.struct(depth + 1)
        elif kind not in (_TRUE, _FALSE):  # a page header has no lists and no maps
            raise Damaged("A page's header has an unknown field.")
        return 0

    def _skip(self, count: int) -> None:
        self.at += count
        if self.at > len(self._data):
            raise Damaged("A page's header goes beyond the file.")

    def _byte(self) -> int:
        self._skip(1)
        return self._data[self.at - 1]

    def _unsigned(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise Damaged("A number of a page's header has no end.")

    def _number(self) -> int:
        value = self._unsigned()
        return value >> 1 ^ -(value & 1)
