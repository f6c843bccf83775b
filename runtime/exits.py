"""How a life ended: the one value that restart decisions, monitors and callers look at."""

from __future__ import annotations

from typing import ClassVar, Literal, TypeAlias

from attrs import frozen

ExitKind: TypeAlias = Literal["normal", "shutdown", "error", "killed"]


@frozen(repr=False)
class Exit:
    """`normal` by itself, `shutdown` on request and in time, `error` by raising, `killed` by force."""

    kind: ExitKind
    cause: BaseException | None = None
    """What was raised; None unless the kind is `error`."""

    normal: ClassVar[Exit]
    shutdown: ClassVar[Exit]
    killed: ClassVar[Exit]

    @classmethod
    def error(cls, cause: BaseException) -> Exit:
        return cls("error", cause)

    def __str__(self) -> str:
        return self.kind if self.cause is None else f"{self.kind} ({type(self.cause).__name__})"

    def __repr__(self) -> str:
        return f"Exit.{self.kind}" if self.cause is None else f"Exit.error({self.cause!r})"


def interrupt_in(error: BaseException) -> BaseException | None:
    """The KeyboardInterrupt or SystemExit that an exception is or, being a group, holds; None without one."""
    if isinstance(error, KeyboardInterrupt | SystemExit):
        return error
    if isinstance(error, BaseExceptionGroup):
        return next(filter(None, map(interrupt_in, error.exceptions)), None)
    return None


Exit.normal = Exit("normal")
Exit.shutdown = Exit("shutdown")
Exit.killed = Exit("killed")
