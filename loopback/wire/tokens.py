"""The two token tables of the node codec, read from the client library's own file, so that both always agree.

The library is a Go shared object, and nothing of it is run or loaded: its tables are arrays of Go string
headers (pointer and length), whose pointers the file holds as relocations. Linux's ELF is what is understood.
"""

import importlib.util
import struct
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Final

from attrs import field, frozen

from loopback.wire.errors import TokensNotFound

__all__ = ["Tokens", "read_tokens", "tokens"]

_SINGLE: Final = 236  # bytes 236 to 239 lead a double token, so single ones end before
_DOUBLE: Final = 4
_RELATIVE: Final = {0x3E: 8, 0xB7: 1027}  # e_machine x86-64, aarch64: R_*_RELATIVE, whose value is its addend
_PT_LOAD: Final = 1
_SHT_RELA: Final = 4


@frozen
class Tokens:
    """What single bytes (1 to 235) and pairs (236 to 239, any) on the wire stand for.

    `codes` is the way back, from a string to the one or two bytes.
    """

    single: tuple[str, ...]
    double: tuple[tuple[str, ...], ...]
    codes: Mapping[str, bytes] = field(init=False, repr=False, eq=False)

    @codes.default
    def _codes(self) -> Mapping[str, bytes]:
        pairs = {
            text: bytes((_SINGLE + table, index))
            for table, texts in enumerate(self.double)
            for index, text in enumerate(texts)
        }
        return pairs | {text: bytes((index,)) for index, text in enumerate(self.single) if text}


@cache
def tokens() -> Tokens:
    """The tables of the installed client library, read once. Raises TokensNotFound."""
    spec = importlib.util.find_spec("neonize")  # finds, does not run it
    for directory in (spec and spec.submodule_search_locations) or ():
        for library in Path(directory).glob("neonize-linux-*.so"):
            return read_tokens(library)
    raise TokensNotFound("no client library for Linux is installed")


def read_tokens(library: Path) -> Tokens:
    """The tables in that file. Raises TokensNotFound, or OSError when it cannot be read."""
    try:
        return _find(_Image(library.read_bytes()))
    except (struct.error, ValueError, KeyError) as error:
        raise TokensNotFound(f"{library.name} is not a library as expected") from error


class _Image:
    """An ELF file as it would lie in memory, as far as it can be told without loading it."""

    def __init__(self, data: bytes) -> None:
        if data[:6] != b"\x7fELF\x02\x01":
            raise TokensNotFound("not a 64-bit little-endian ELF file")
        (machine,) = struct.unpack_from("<H", data, 18)
        segments_at, sections_at = struct.unpack_from("<QQ", data, 32)
        segment_size, segments, section_size, sections = struct.unpack_from("<HHHH", data, 54)
        self._data = data
        self._segments: list[tuple[int, int, int]] = []  # address, offset in the file, size there
        for at in range(segments_at, segments_at + segments * segment_size, segment_size):
            kind, _, offset, address, _, size = struct.unpack_from("<IIQQQQ", data, at)
            if kind == _PT_LOAD:
                self._segments.append((address, offset, size))
        self.pointers: dict[int, int] = {}  # where a pointer lies -> where it points
        for at in range(sections_at, sections_at + sections * section_size, section_size):
            _, kind, _, _, offset, size = struct.unpack_from("<IIQQQQ", data, at)
            if kind == _SHT_RELA:
                for place, info, addend in struct.iter_unpack("<QQq", data[offset : offset + size]):
                    if info == _RELATIVE[machine]:
                        self.pointers[place] = addend

    def read(self, address: int, size: int) -> bytes:
        """Up to that many bytes, none where the file holds nothing for the address."""
        for start, offset, available in self._segments:
            if start <= address < start + available:
                at = offset + address - start
                return self._data[at : min(at + size, offset + available)]
        return b""

    def number(self, address: int) -> int:
        return int.from_bytes(self.read(address, 8), "little")

    def string(self, header: int) -> str:
        """The Go string whose header lies there."""
        length = self.number(header + 8)
        return self.read(self.pointers[header], length).decode() if length else ""

    def strings(self, header: int, count: int) -> tuple[str, ...]:
        return tuple(self.string(header + 16 * index) for index in range(count))

    def headers(self, text: str) -> Iterator[int]:
        """Where headers of that string lie."""
        wanted = text.encode()
        for place, target in self.pointers.items():
            if self.read(target, len(wanted)) == wanted and self.number(place + 8) == len(wanted):
                yield place


def _find(image: _Image) -> Tokens:
    # The single tokens are one array, whose index 0 is "" before the first token. The double ones are an
    # array of slices: pointer to an array, length, capacity.
    arrays = set(image.headers("read-self"))
    singles = [image.strings(header - 16, _SINGLE) for header in image.headers("xmlstreamstart")]
    doubles = [
        tuple(
            image.strings(image.pointers[slice_at], image.number(slice_at + 8))
            for slice_at in range(place, place + _DOUBLE * 24, 24)
        )
        for place, target in image.pointers.items()
        if target in arrays and 1 < image.number(place + 8) <= 256
    ]
    if len(singles) != 1 or len(doubles) != 1:
        raise TokensNotFound(f"{len(singles)} single and {len(doubles)} double token tables found")
    return Tokens(singles[0], doubles[0])
