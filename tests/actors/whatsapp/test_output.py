"""What a cell writes becomes log lines without names in them, and a trace that is kept whole."""

import json
import logging
import os

import pytest
import trio

from actors.whatsapp.output import LINE_BYTES, Output


async def read(written: bytes, *, is_error: bool = True) -> Output:
    output = Output("cell-1")
    theirs, ours = os.pipe()
    async with trio.open_nursery() as nursery:

        async def write() -> None:
            async with trio.lowlevel.FdStream(ours) as stream:
                await stream.send_all(written)

        nursery.start_soon(write)
        await output.read(trio.lowlevel.FdStream(theirs), is_error=is_error)
    return output


def entry(level: str, message: str) -> bytes:
    return json.dumps({"level": level, "session": "s", "message": message}).encode() + b"\n"


async def test_entries_are_logged_at_their_level_without_stanzas(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="actors"):
        output = await read(
            entry("WARN", 'lost <message notify="Anna"><enc/></message> again') + entry("X", "y")
        )
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (logging.WARNING, "client_said cell=cell-1 session=s text=lost <…> again"),
        (logging.DEBUG, "client_said cell=cell-1 session=s text=y"),
    ]
    assert output.trace == ""


async def test_a_trace_is_kept_with_its_cause() -> None:
    trace = b"SIGSEGV\npanic: runtime error: nil\n\ngoroutine 1 [running]:\nmain.X()"
    output = await read(entry("WARN", "before") + b"Press Ctrl+C to exit\n" + trace)
    assert output.cause == "panic: runtime error: nil"
    assert output.trace.splitlines() == [line for line in trace.decode().splitlines() if line]


@pytest.mark.parametrize("line", [b'{"level": 1}', b'{"level"', b"[]", b"null", b"\xff\xfe"])
async def test_what_only_looks_like_an_entry_is_kept_as_trace(line: bytes) -> None:
    assert (await read(line + b"\n")).trace == line.decode(errors="replace")


async def test_a_line_without_end_does_not_fill_the_memory() -> None:
    output = await read(b"x" * (5 * LINE_BYTES))
    assert len(output.trace.splitlines()) > 1


async def test_standard_output_is_chatter() -> None:
    assert (await read(b"Login event: success\n", is_error=False)).trace == ""
