"""What an operator may set about cells."""

from attrs import field, frozen

from actors.whatsapp.launch import Launch
from runtime import Backoff, OnExhausted

__all__ = ["MB", "CellConfig"]

MB = 1024 * 1024


def _forever() -> Backoff:
    # To give up, after no number of failures: never, and crashes do not count towards the tree's intensity.
    return Backoff(0.2, 30.0, on_exhausted=OnExhausted.GIVE_UP)


@frozen(kw_only=True)
class CellConfig:
    """Limits as in supervisor.toml, [cells], [whatsapp] and [supervision.cells]; durations in seconds."""

    sessions_per_cell: int = 32
    spare: int = 1
    memory_limit_mb: int = 512
    max_starts: int = 200
    ping_interval: float = 1.0
    ping_timeout: float = 1.0
    stop_timeout: float = 2.0
    window: int = 256
    """Records of a session on their way to it or not yet stored; less than its mailbox holds."""
    journal_bound_mb: int = 64
    proxy: str | None = field(default=None, repr=False)
    """For sessions that have none of their own."""
    ca_file: str | None = None
    root_key: str | None = None
    """In hexadecimal."""
    backoff: Backoff = field(factory=_forever)
    shutdown: float = 5.0

    @property
    def launch(self) -> Launch:
        return Launch(
            window=self.window,
            journal_bound=self.journal_bound_mb * MB,
            root_key=self.root_key,
            ca_file=self.ca_file,
        )
