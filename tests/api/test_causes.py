"""What is told of a failure: where and what kind, and no words that may quote a user."""

import trio

from actors.cells import CellCrashed
from api.causes import in_a_line, trace_of
from runtime import Exit

SECRET = "tell nobody"


def failed(error: Exception) -> Exception:
    """The error, raised here."""
    try:
        raise error  # noqa: TRY301 - so that it has a traceback
    except Exception as raised:  # noqa: BLE001 - whatever it is
        return raised


def test_an_exit_is_one_line() -> None:
    assert in_a_line(Exit.normal) == "normal"
    assert in_a_line(Exit.killed) == "killed"
    assert in_a_line(Exit.error(CellCrashed("cell-1: SIGKILL"))) == "error (CellCrashed: cell-1: SIGKILL)"
    assert in_a_line(Exit.error(ValueError(SECRET))) == "error (ValueError)"
    assert in_a_line(Exit.error(CellCrashed("a\n\033[31mb\t c"))) == "error (CellCrashed: a [31mb c)"


def test_our_own_words_are_cut_and_numbers_in_them_masked() -> None:
    told = in_a_line(Exit.error(CellCrashed("+6281234567789 " + "x" * 500)))
    assert told.startswith("error (CellCrashed: +62…789 xxx")
    assert len(told) < 330


def test_a_traceback_has_the_sources_lines_and_not_the_values() -> None:
    password = SECRET
    try:
        int(password)
    except ValueError as error:
        lines = trace_of(error)
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[1].startswith("  tests/api/test_causes.py:")
    assert lines[1].endswith(" in test_a_traceback_has_the_sources_lines_and_not_the_values")
    assert lines[2] == "    int(password)"
    assert lines[3] == "ValueError"
    assert SECRET not in "\n".join(lines)


def test_what_an_error_came_from_goes_before_it_with_how_it_did() -> None:
    first = failed(KeyError(SECRET))
    second = RuntimeError(SECRET)
    second.__cause__ = first
    second = failed(second)  # type: ignore[assignment]
    third = CellCrashed("after all")
    third.__context__ = second
    lines = trace_of(failed(third))
    told = [line for line in lines if line and not line.startswith(" ")]
    assert told == [
        "Traceback (most recent call last):",
        "KeyError",
        "The above was the direct cause of:",
        "Traceback (most recent call last):",
        "RuntimeError",
        "While that was being handled:",
        "Traceback (most recent call last):",
        "CellCrashed: after all",
    ]


def test_notes_are_words_too() -> None:
    error = ValueError()
    error.add_note(SECRET)
    assert SECRET not in "\n".join(trace_of(failed(error)))


async def test_a_group_shows_each_of_its_errors() -> None:
    async def fail(error: Exception) -> None:
        raise error

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(fail, ValueError(SECRET))
            nursery.start_soon(fail, CellCrashed("cell-1"))
    except ExceptionGroup as group:
        text = "\n".join(trace_of(group))
    assert "--- 1 of 2 ---" in text
    assert "  CellCrashed: cell-1" in text
    assert SECRET not in text


def test_a_chain_without_end_has_one() -> None:
    error: Exception = ValueError()
    for _ in range(100):
        error, last = RuntimeError(), error
        error.__cause__ = last
    assert "..." in trace_of(error)
