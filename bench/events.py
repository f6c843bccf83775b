"""What the event log costs: commits beside executemany, listeners beside a bare loop, and the whole way.

    python -m bench.events [--quick]

Sides alternate in rounds, so that what else the machine does meets both. All is on 127.0.0.1, and nothing is
left behind. A full run takes about three minutes.
"""

import argparse
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import trio
from attrs import frozen

from bench.fanout import MESSAGE, fanout_lines, measure_fanout
from bench.latency import latency_lines, measure_latency
from bench.rounds import Row, alternate
from bench.table import table
from storage import Append, NewEvent, migrate, new_id, now
from storage.embedded import embedded_postgres
from tests.storage.gateway import Gateway, running_writer

BATCH = 500


@frozen
class Plan:
    """What is measured."""

    events: int
    rounds: int
    fanout: Sequence[tuple[int, int]]
    """Listeners, and events to each of them."""
    rates: Sequence[float]
    seconds: float


FULL = Plan(10_000, 5, ((1, 900), (100, 200), (1000, 20)), (100, 500), 20)
QUICK = Plan(1000, 1, ((1, 100), (50, 20)), (50,), 3)


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.events", description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="half a minute, to see that it works")
    trio.run(_run, QUICK if parser.parse_args().quick else FULL)


async def _run(plan: Plan) -> None:
    with tempfile.TemporaryDirectory(prefix="terzetto-bench-") as name:
        folder = Path(name)
        _show("Events committed a second, beside executemany of the same rows", await _commits(plan, folder))
        _show("Texts a second to WebSockets", fanout_lines(await measure_fanout(plan.fanout)))
        rows = await measure_latency(plan.rates, plan.seconds, folder)
        _show("From a message written to its event", latency_lines(rows))


async def _commits(plan: Plan, folder: Path) -> Iterator[str]:
    async with embedded_postgres(folder / "postgres") as dsn:
        await migrate(dsn)
        async with running_writer(dsn, batch_rows=BATCH, publish=_nobody) as storage:
            await storage.session("ours")
            await storage.session("bare")
            ours = partial(_append, storage, plan.events)
            # In a thread of its own connection, as plain as it gets.
            bare = partial(trio.to_thread.run_sync, _Bare(dsn, plan.events).insert)
            (row,) = await alternate(ours, bare, plan.rounds, plan.events)
    return _commit_lines(row)


def _commit_lines(row: Row) -> Iterator[str]:
    yield from table(
        ("events/s", "executemany", "ratio", "by round"),
        [
            (
                f"{1e6 / row.ours:,.0f}",
                f"{1e6 / row.baseline:,.0f}",
                f"{row.ratio:.2f}",
                f"{row.ratios[0]:.2f} to {row.ratios[-1]:.2f}",
            )
        ],
    )


async def _nobody(_: object) -> None:
    """Listens."""


async def _append(storage: Gateway, events: int) -> Sequence[float]:
    """Cast so many events, and wait for the last."""
    began = time.perf_counter()
    for _ in range(events - 1):
        await storage.writer.cast(Append("ours", (NewEvent("messages.upsert", MESSAGE),)))
    await storage.writer.call(Append("ours", (NewEvent("messages.upsert", MESSAGE),)), timeout=60)
    return (time.perf_counter() - began,)


class _Bare:
    """The same rows by the driver alone, as many to a transaction as the writer puts into one."""

    def __init__(self, dsn: str, events: int) -> None:
        self._dsn = dsn
        self._events = events
        self._seq = 0

    def insert(self) -> Sequence[float]:
        with psycopg.connect(self._dsn) as connection:
            began = time.perf_counter()
            for first in range(0, self._events, BATCH):
                rows = [self._row() for _ in range(min(BATCH, self._events - first))]
                connection.cursor().executemany(
                    "INSERT INTO events (position, session_id, seq, event_id, event, occurred_at, data)"
                    " VALUES (%s, 'bare', %s, %s, 'messages.upsert', %s, %s)",
                    rows,
                )
                connection.commit()
            return (time.perf_counter() - began,)

    def _row(self) -> tuple[Any, ...]:
        self._seq += 1
        return self._seq, self._seq, new_id("evt"), now(), psycopg.types.json.Jsonb(MESSAGE)


def _show(title: str, lines: Iterable[str]) -> None:
    print(f"\n{title}\n", *lines, sep="\n", flush=True)


if __name__ == "__main__":
    main()
