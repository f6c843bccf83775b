"""Frames out of bytes."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loopback.wire.errors import MalformedFrame
from loopback.wire.frames import FRAME_LIMIT, PROLOGUE, FrameReader, frame


@given(st.lists(st.binary(max_size=300)), st.lists(st.integers(0, 2000)))
def test_frames_come_out_whole_however_the_bytes_are_cut(payloads: list[bytes], cuts: list[int]) -> None:
    data = PROLOGUE + b"".join(map(frame, payloads))
    reader = FrameReader()
    edges = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    pieces = [data[start:end] for start, end in pairwise(edges)]
    assert [payload for piece in pieces for payload in reader.feed(piece)] == payloads


@given(st.binary(min_size=1))
def test_another_opening_is_refused_at_its_first_wrong_byte(data: bytes) -> None:
    reader = FrameReader()
    if PROLOGUE.startswith(data[:4]):
        reader.feed(data)
    else:
        with pytest.raises(MalformedFrame):
            reader.feed(data)


def test_a_frame_of_more_than_its_length_can_say_is_refused() -> None:
    assert len(frame(bytes(FRAME_LIMIT - 3))) == FRAME_LIMIT
    with pytest.raises(ValueError, match="too large"):
        frame(bytes(FRAME_LIMIT - 2))
