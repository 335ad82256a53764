"""Numbers and texts as few bytes: what `packing` writes an account with.

A whole number is a zigzag varint, as Protocol Buffers have it, of any length: small ones of either
sign take one byte. Kafka writes them so too: `pulse.stream.kafka.records` reads its records with a
`Reader`.

>>> writer = Writer()
>>> for number in (0, -1, 63, 300, 1 << 80):
...     writer.number(number)
>>> writer.text("acme")
>>> data = writer.done()
>>> len(data)
22
>>> reader = Reader(data, 0)
>>> [reader.number() for _ in range(5)] == [0, -1, 63, 300, 1 << 80], reader.text()
(True, 'acme')
"""

from __future__ import annotations

from typing import Final

from librt.strings import BytesWriter, read_f64_le, read_i64_le, write_f64_le, write_i64_le
from librt.vecs import append, vec
from mypy_extensions import i16, i64, u8

_NARROW: Final = 1 << 61
"""A number nearer to zero is written with machine integers."""
_NARROW_BITS: Final = 56
_BREAK: Final = 10


class Writer:
    """Writes one thing after the other."""

    __slots__ = ("_out",)

    def __init__(self) -> None:
        self._out = BytesWriter()

    def number(self, number: int) -> None:
        """A whole number."""
        out = self._out
        if -_NARROW < number < _NARROW:
            narrow = i64(number)
            rest = (narrow << 1) ^ (narrow >> 63)
            while rest > 127:
                out.append(u8(rest & 127 | 128))
                rest >>= 7
            out.append(u8(rest))
            return
        wide = number << 1 if number >= 0 else (-number << 1) - 1
        while wide > 127:
            out.append(u8(i64(wide & 127 | 128)))
            wide >>= 7
        out.append(u8(i64(wide)))

    def ring(self, ring: vec[i16], first: int, end: int) -> None:
        """The numbers of a ring at the places from `first` up to `end`, modulo its length."""
        out = self._out
        at, last, mask = i64(first), i64(end), len(ring) - 1
        while at < last:
            narrow = i64(ring[at & mask])
            rest = (narrow << 1) ^ (narrow >> 63)
            while rest > 127:
                out.append(u8(rest & 127 | 128))
                rest >>= 7
            out.append(u8(rest))
            at += 1

    def fraction(self, number: float) -> None:
        """A float, exactly."""
        write_f64_le(self._out, number)

    def data(self, data: bytes) -> None:
        """Bytes, and how many they are."""
        self.number(len(data))
        self._out.write(data)

    def text(self, text: str) -> None:
        """A text."""
        self.data(text.encode())

    def plain(self, number: i64) -> None:
        """A number that is not negative, in fewer bits."""
        out = self._out
        while number > 127:
            out.append(u8(number & 127 | 128))
            number >>= 7
        out.append(u8(number))

    def words(self, words: vec[i64]) -> None:
        """64-bit numbers that have no likely size."""
        out = self._out
        self.number(len(words))
        for word in words:
            write_i64_le(out, word)

    def word(self, word: i64) -> None:
        """One of these."""
        write_i64_le(self._out, word)

    def raw(self, data: bytes) -> None:
        """Bytes that were written like this before."""
        self._out.write(data)

    def done(self) -> bytes:
        """All that was written."""
        return self._out.getvalue()


class Reader:
    """Reads what a `Writer` wrote, from a place on."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self._at: i64 = i64(at)

    def number(self) -> int:
        """A whole number."""
        data, at = self._data, self._at
        byte = i64(data[at])
        at += 1
        rest = byte & 127
        shift: i64 = 7
        while byte > 127:
            if shift >= _NARROW_BITS:
                return self._wide()
            byte = i64(data[at])
            at += 1
            rest |= (byte & 127) << shift
            shift += 7
        self._at = at
        return int((rest >> 1) ^ -(rest & 1))

    def ring(self, ring: vec[i16], first: int, end: int) -> None:
        """Fill a ring, whose length is a power of two, at these places."""
        data, place = self._data, self._at
        at, last, mask = i64(first), i64(end), len(ring) - 1
        while at < last:
            byte = i64(data[place])
            place += 1
            rest = byte & 127
            shift: i64 = 7
            while byte > 127:
                byte = i64(data[place])
                place += 1
                rest |= (byte & 127) << shift
                shift += 7
            ring[at & mask] = i16((rest >> 1) ^ -(rest & 1))
            at += 1
        self._at = place

    def _wide(self) -> int:
        rest = shift = 0
        while True:
            byte = self._data[self._at]
            self._at += 1
            rest |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return rest >> 1 if not rest & 1 else -((rest + 1) >> 1)

    def fraction(self) -> float:
        """A float."""
        at = self._at
        self._at = at + 8
        return read_f64_le(self._data, at)

    def data(self) -> bytes:
        """Bytes."""
        return self.bytes_of(self.number())

    def bytes_of(self, size: int) -> bytes:
        """So many bytes."""
        at = int(self._at)
        self._at = i64(at + size)
        return self._data[at : at + size]

    def pass_over(self, size: int) -> None:
        """Pass over so many bytes."""
        self._at += i64(size)

    def text(self) -> str:
        """A text."""
        return self.data().decode()

    def plain(self) -> i64:
        """A number that `Writer.plain` wrote."""
        data, at = self._data, self._at
        byte = i64(data[at])
        at += 1
        number = byte & 127
        shift: i64 = 7
        while byte > 127:
            byte = i64(data[at])
            at += 1
            number |= (byte & 127) << shift
            shift += 7
        self._at = at
        return number

    def words(self) -> vec[i64]:
        """64-bit numbers."""
        size, at, data = i64(self.number()), self._at, self._data
        words = vec[i64](capacity=size)
        end = at + 8 * size
        while at < end:
            words = append(words, read_i64_le(data, at))
            at += 8
        self._at = end
        return words

    def place(self) -> int:
        """Where reading stands."""
        return int(self._at)

    def skip_numbers(self, count: int) -> None:
        """Pass over whole numbers."""
        data, at, left = self._data, self._at, i64(count)
        while left > 0:
            while i64(data[at]) > 127:
                at += 1
            at += 1
            left -= 1
        self._at = at

    def skip_data(self) -> int:
        """Pass over bytes; how many they are."""
        size = self.number()
        self._at += i64(size)
        return size

    def stamps(self, size: int, before_ms: int) -> tuple[int, int, int, int]:
        """Pass over instants in order, each written as what it is later than the one before.

        How many came up to `before_ms` (-1 where one is zero, and reading stops), the place behind
        the first of the others, that one, and the last.
        """
        data, at, left, before = self._data, self._at, i64(size), i64(before_ms)
        gone, kept, first, stamp = i64(0), at, i64(0), i64(0)
        while left > 0:
            byte = i64(data[at])
            at += 1
            rest = byte & 127
            shift: i64 = 7
            while byte > 127:
                byte = i64(data[at])
                at += 1
                rest |= (byte & 127) << shift
                shift += 7
            stamp += (rest >> 1) ^ -(rest & 1)
            if stamp == 0:
                return (-1, 0, 0, 0)
            if first == 0:
                kept = at
                if stamp <= before:
                    gone += 1
                else:
                    first = stamp
            left -= 1
        self._at = at
        return (int(gone), int(kept), int(first), int(stamp))

    def finds_word(self, word: i64, size: int) -> bool:
        """Pass over 64-bit numbers; whether one is among them."""
        data, at = self._data, self._at
        end = at + 8 * i64(size)
        self._at = end
        while at < end:
            if read_i64_le(data, at) == word:
                return True
            at += 8
        return False

    def finds_line(self, line: bytes) -> int:
        """Pass over bytes that begin and end with a line break; which of their lines, from 0, is
        `line`, -1 if none is.
        """
        data, length = self._data, len(line)
        size = i64(self.number())
        at, nth = self._at + 1, i64(0)
        end = self._at + size
        self._at = end
        while at < end:
            same: i64 = 0
            while same < length and data[at + same] == line[same]:
                same += 1
            at += same
            if same == length and data[at] == _BREAK:
                return int(nth)
            while data[at] != _BREAK:
                at += 1
            at += 1
            nth += 1
        return -1
