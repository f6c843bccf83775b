"""What a worker may answer, and that nothing else is taken for an answer."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.decoding import (
    Converted,
    DecoderFailed,
    DecodingError,
    Image,
    Sticker,
    TooLarge,
    Undecodable,
    Video,
    Voice,
)
from actors.decoding.jobs import Job
from actors.decoding.wire import HEADER, BadReply, reply_of, request_of, to_reply, to_request


def parts(frame: tuple[bytes, ...]) -> tuple[bytes, bytes]:
    data = b"".join(frame)
    head, body = HEADER.unpack_from(data)
    assert len(data) == HEADER.size + head + body
    return data[HEADER.size : HEADER.size + head], data[HEADER.size + head :]


@pytest.mark.parametrize("job", [Voice(), Sticker(), Image(side=7), Video(gif=True, side=9)])
def test_a_request_arrives_as_it_was(job: Job) -> None:
    head, body = parts(to_request(job, b"data"))
    assert (request_of(head), body) == (job, b"data")


def test_a_result_arrives_as_it_was() -> None:
    result = Converted(
        data=b"made",
        mime_type="video/mp4",
        width=3,
        height=4,
        seconds=5,
        waveform=bytes(range(64)),
        thumbnail=b"small",
        animated=True,
    )
    assert reply_of(*parts(to_reply(result, b"given")), b"given") == result


def test_data_that_did_not_change_is_not_sent_back() -> None:
    given = b"x" * 10_000
    head, body = parts(to_reply(Converted(data=given, mime_type="audio/mpeg"), given))
    assert body == b""
    assert reply_of(head, body, given).data is given


@pytest.mark.parametrize("error", [Undecodable("broken"), TooLarge("pixels", 5), DecoderFailed("memory")])
def test_an_error_arrives_as_it_was(error: DecodingError) -> None:
    with pytest.raises(type(error)) as caught:
        reply_of(*parts(to_reply(error, b"")), b"")
    assert str(caught.value) == str(error)


def test_a_reason_is_short_and_can_be_written_anywhere() -> None:
    with pytest.raises(Undecodable) as caught:
        reply_of(json.dumps({"undecodable": "\ud800\n\x1b[31m" + "x" * 1000}).encode(), b"", b"")
    assert caught.value.reason.startswith("???[31mxxx")
    assert len(caught.value.reason) == 300


GOOD = {
    "same": False,
    "lengths": [1, 0, 0],
    "mime_type": "image/png",
    "width": None,
    "height": None,
    "seconds": None,
    "animated": False,
}


@pytest.mark.parametrize(
    "change",
    [
        {"mime_type": "text/html"},
        {"mime_type": []},
        {"lengths": [2, 0, 0]},
        {"lengths": [-1, 2, 0]},
        {"lengths": [0, 0, 1]},
        {"lengths": [0.5, 0.5, 0]},
        {"lengths": 1},
        {"width": -1},
        {"width": "1"},
        {"width": 2**40},
        {"seconds": True},
    ],
)
def test_a_reply_that_lies_is_none(change: dict[str, object]) -> None:
    assert reply_of(json.dumps(GOOD).encode(), b"x", b"").data == b"x"
    with pytest.raises(BadReply):
        reply_of(json.dumps(GOOD | change).encode(), b"x", b"")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from([*GOOD, "failed", "too_large"]), inner),
    max_leaves=10,
)


@given(st.binary() | json_values.map(lambda value: json.dumps(value).encode()), st.binary())
def test_no_reply_makes_anything_else_happen(head: bytes, body: bytes) -> None:
    with suppress(BadReply, DecodingError):
        assert isinstance(reply_of(head, body, b""), Converted)
