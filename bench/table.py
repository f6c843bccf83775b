"""A table in plain text: columns as wide as their widest cell, all to the right."""

from collections.abc import Iterable, Iterator, Sequence

__all__ = ["table"]


def table(header: Sequence[object], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """The header's line and one for each row, which have as many cells."""
    lines = [[str(cell) for cell in line] for line in (header, *rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        yield " ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
