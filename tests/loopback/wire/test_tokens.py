"""The token tables in the client library's file."""

from pathlib import Path

import pytest

from loopback.wire.errors import TokensNotFound
from loopback.wire.tokens import read_tokens, tokens


def test_the_tables_are_whole_and_without_repetition() -> None:
    found = tokens()
    assert len(found.single) == 236
    assert [len(table) for table in found.double] == [256] * 4
    assert len(found.codes) == 235 + 4 * 256


def test_tokens_whose_codes_are_known_are_where_they_should_be() -> None:
    codes = tokens().codes
    assert codes["xmlstreamstart"] == b"\x01"
    assert codes["s.whatsapp.net"] == b"\x03"
    assert codes["read-self"] == b"\xec\x00"
    assert codes["reject"] == b"\xed\x00"
    assert codes["64"] == b"\xee\x00"
    assert codes["1724"] == b"\xef\x00"


@pytest.mark.parametrize(
    "content", [b"", b"\x7fELF\x02\x01", b"\x7fELF\x02\x01" + bytes(200), b"MZ" + bytes(100)]
)
def test_another_file_holds_no_tables(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "library.so"
    file.write_bytes(content)
    with pytest.raises(TokensNotFound):
        read_tokens(file)
