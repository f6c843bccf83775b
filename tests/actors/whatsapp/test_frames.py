"""Frames survive any splitting of the stream, and garbage is refused instead of being waited for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.whatsapp.frames import HEADER, Frame, FrameError, FrameReader, FrameType

frames = st.builds(
    Frame,
    st.sampled_from(FrameType),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**64 - 1),
    st.binary(max_size=300),
    st.integers(0, 255),
    st.integers(0, 2**64 - 1),
)


@given(st.lists(frames, max_size=8), st.lists(st.integers(1, 500)))
def test_frames_come_out_as_they_went_in_however_the_stream_is_split(
    sent: list[Frame], cuts: list[int]
) -> None:
    stream = b"".join(frame.encode() for frame in sent)
    reader = FrameReader()
    got: list[Frame] = []
    for cut in [*cuts, len(stream)]:
        piece, stream = stream[:cut], stream[cut:]
        got += reader.feed(piece)
    got += reader.feed(stream)
    assert got == sent
    assert reader.pending == 0


@given(st.binary(max_size=400))
def test_garbage_is_refused_or_waits_within_the_limit(garbage: bytes) -> None:
    reader = FrameReader(limit=64)
    try:
        frames = list(reader.feed(garbage))
    except FrameError:
        return
    assert all(len(frame.payload) <= 64 for frame in frames)
    assert reader.pending < HEADER.size + 64


def test_a_payload_above_the_limit_is_refused_with_its_header() -> None:
    header = Frame(FrameType.RECORD, 1, 1, bytes(65)).header()
    with pytest.raises(FrameError, match="65 bytes"):
        list(FrameReader(limit=64).feed(header))


def test_frames_before_garbage_still_come() -> None:
    reader = FrameReader()
    stream = reader.feed(Frame(FrameType.PING, number=7).encode() + b"\xff" * 40)
    assert next(stream).number == 7
    with pytest.raises(FrameError):
        next(stream)
