"""A return of many sessions at once, as the network saw it and the kernel counted it, and how it is shown."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from statistics import quantiles

from attrs import frozen

from bench.table import table

__all__ = ["Return", "attempt_lines", "histogram", "memory_lines", "processor_lines", "time_lines"]

BAR = 60  # characters for the fullest second
PARTS = ("gateway", "cells", "postgres", "network")


@frozen(kw_only=True)
class Return:
    """All sessions came back. Seconds count from the kill."""

    side: str
    ready: float | None
    """When the API answered; the bare library has none."""
    connections: Sequence[float]
    """Every attempt to connect."""
    logins: Mapping[str, Sequence[float]]
    """Every attempt to log in, by phone."""
    connected: Sequence[float]
    """When each was stored to be connected; of the bare library nothing is known but its logins."""
    cpu: Mapping[str, float]
    """Seconds of processor time until all were back, by part."""
    idle: Mapping[str, float]
    """Percents of a core afterwards."""
    pss: Mapping[str, float]
    """MB afterwards, pages that are shared counted once in all."""
    rss: Mapping[str, float]

    @property
    def back(self) -> list[float]:
        """When each logged in for the last time."""
        return [times[-1] for times in self.logins.values()]

    @property
    def done(self) -> float:
        """When the last was back."""
        return max(*self.back, *self.connected)


def time_lines(returns: Sequence[Return]) -> Iterator[str]:
    """From the kill until each session was back."""
    yield from table(
        (
            "side",
            "ready s",
            "|",
            "logged in:",
            "p50 s",
            "p99 s",
            "max s",
            "|",
            "connected:",
            "p50 s",
            "p99 s",
            "max s",
        ),
        (
            (
                *(each.side, "" if each.ready is None else f"{each.ready:.1f}", "|", "", *_spread(each.back)),
                *("|", "", *_spread(each.connected)),
            )
            for each in returns
        ),
    )


def attempt_lines(returns: Sequence[Return]) -> Iterator[str]:
    """How often it was tried."""
    yield from table(
        ("side", "sessions", "connections", "logins", "most of one session", "most in a second"),
        (
            (
                *(each.side, len(each.logins), len(each.connections)),
                *(sum(map(len, each.logins.values())), max(map(len, each.logins.values()))),
                max(_by_second(each.connections).values()),
            )
            for each in returns
        ),
    )


def processor_lines(returns: Sequence[Return]) -> Iterator[str]:
    """Processor time until all were back, and what a core is busy with afterwards."""
    yield from table(
        ("side", "|", "seconds:", *PARTS, "|", "idle, % of a core:", *PARTS),
        (
            (each.side, "|", "", *_parts(each.cpu, "{:.1f}"), "|", "", *_parts(each.idle, "{:.1f}"))
            for each in returns
        ),
    )


def memory_lines(returns: Sequence[Return]) -> Iterator[str]:
    """Resident memory when all are back."""
    parts = PARTS[:-1]
    yield from table(
        ("side", "|", "Pss MB:", *parts, "a session", "|", "Rss MB:", *parts),
        (
            (
                *(each.side, "|", "", *_parts(each.pss, "{:.0f}", parts)),
                f"{sum(each.pss.get(part, 0) for part in parts[:2]) / len(each.logins):.2f}",
                *("|", "", *_parts(each.rss, "{:.0f}", parts)),
            )
            for each in returns
        ),
    )


def histogram(returned: Return) -> Iterator[str]:
    """A bar for each second since the kill: how many connections were asked for."""
    counts = _by_second(returned.connections)
    most = max(counts.values())
    yield f"{returned.side}, connections asked for in each second since the kill"
    for second in range(max(counts) + 1):
        count = counts[second]
        yield f"{second:4} {count:4} {'#' * round(count / most * BAR)}".rstrip()


def _by_second(times: Sequence[float]) -> Counter[int]:
    return Counter(int(at) for at in times)


def _spread(times: Sequence[float]) -> tuple[str, ...]:
    if not times:
        return "", "", ""
    cuts = quantiles(times, n=100, method="inclusive")
    return f"{cuts[49]:.1f}", f"{cuts[98]:.1f}", f"{max(times):.1f}"


def _parts(figures: Mapping[str, float], form: str, parts: Sequence[str] = PARTS) -> tuple[str, ...]:
    return tuple(form.format(figures[part]) if part in figures else "" for part in parts)
