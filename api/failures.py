"""A failure as a log may tell it: kinds of errors and where; none of their words, which may quote a user."""

import traceback


def kinds(error: BaseException) -> str:
    """`KeyError <- ActorDied`: the error, or the first one in its group, and what it came from."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    names: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(names) < 8:
        names.append(type(cause).__name__)
        cause = cause.__cause__ or cause.__context__
    return " <- ".join(names)


def place(error: BaseException) -> str:
    """`api/messages.py:61 send_text < …`: where it was raised, and the callers above it."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    frames = traceback.extract_tb(error.__traceback__)[-12:]
    short = ("/".join(frame.filename.split("/")[-2:]) for frame in reversed(frames))
    return " < ".join(
        f"{file}:{frame.lineno} {frame.name}" for file, frame in zip(short, reversed(frames), strict=True)
    )
