"""Requests to a cell come out as they went in; anything else is refused."""

from hypothesis import given
from hypothesis import strategies as st

from actors.whatsapp.control import Argument, BadRequest, Start, decode_call, encode_call

text = st.text().filter(lambda value: "\0" not in value)
arguments = st.lists(
    st.one_of(
        st.binary(),
        text,
        st.booleans(),
        st.integers(-(2**63), 2**63 - 1),
        st.floats(allow_nan=False),
    )
)


@given(text, arguments)
def test_a_call_keeps_its_arguments_and_their_types(function: str, given_: list[Argument]) -> None:
    name, got = decode_call(encode_call(function, given_))
    assert name == function
    assert [(type(each), each) for each in got] == [(type(each), each) for each in given_]


@given(st.binary())
def test_a_garbled_call_is_a_bad_request(garbage: bytes) -> None:
    try:
        decode_call(garbage)
    except BadRequest:
        return


@given(st.binary())
def test_a_garbled_start_is_a_bad_request(garbage: bytes) -> None:
    try:
        Start.decode(garbage)
    except BadRequest:
        return


def test_a_start_keeps_what_it_says() -> None:
    start = Start("s", "/a b?x=1", "/j", 7, 9, b"\x00\xff", "http://127.0.0.1:1", paired=True)
    assert Start.decode(start.encode()) == start
