"""What the actor runtime costs beside bare Trio: messages, starts, stops, restarts and memory.

    python -m bench.runtime [--quick]

Both sides of a row do the same work in the same process, in short rounds that alternate, so that what else
the machine does meets both. Times are of the processor. A full run takes about a minute.
"""

import argparse
import logging
from collections.abc import Iterable, Iterator, Sequence

import trio
from attrs import frozen

from bench.children import Weights, measure_lives, measure_restarts, measure_weights
from bench.messages import measure_calls, measure_casts, measure_histogram
from bench.rounds import Row
from bench.table import table

FEW, MANY = 1_000, 10_000  # children


@frozen
class Plan:
    """How much is done."""

    messages: int
    """Casts of one round; half as many calls."""
    rounds: int
    """Of each side, where a round is short."""
    many_rounds: int
    """Of each side, where a round starts and stops ten thousand children."""


FULL = Plan(20_000, 20, 6)
QUICK = Plan(5_000, 7, 1)


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.runtime", description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a quarter of a minute, to see that it works")
    logging.getLogger("runtime").setLevel(logging.CRITICAL)  # a restart's log line is no part of it
    trio.run(_run, QUICK if parser.parse_args().quick else FULL)


async def _run(plan: Plan) -> None:
    calls = plan.messages // 2
    messages = {
        "cast, 1 sender / memory channel": await measure_casts(plan.messages, 1, plan.rounds),
        "cast, 16 senders / memory channel": await measure_casts(plan.messages, 16, plan.rounds),
        "call / channel, Event, move_on_after": await measure_calls(calls, plan.rounds),
        "call, timed in a histogram / not timed": await measure_histogram(calls, plan.rounds),
    }
    _show("Messages, µs each", _lines(messages))
    few = await measure_lives(FEW, plan.many_rounds * 3)
    many = await measure_lives(MANY, plan.many_rounds)
    lives = {
        f"{step}, {number:,} children / nursery": row
        for number, rows in ((FEW, few), (MANY, many))
        for step, row in zip(("start", "stop"), rows, strict=True)
    }
    restarts = await measure_restarts(MANY, plan.rounds)
    _show(
        "Children, µs each",
        [*_lines(lives | {f"restart, 1 among {MANY:,} / alone": restarts}), *_growth(few, many)],
    )
    _show("Memory", _weight_lines(await measure_weights(FEW)))


def _show(title: str, lines: Iterable[str]) -> None:
    print(f"\n{title}\n", *lines, sep="\n", flush=True)


def _lines(rows: dict[str, Row]) -> Iterator[str]:
    """The ratio is the baseline's time to ours: above 1, ours is the faster."""
    yield from table(
        ("ours / baseline", "ours", "baseline", "ratio", "by round"),
        (
            (
                name,
                f"{row.ours:.2f}",
                f"{row.baseline:.2f}",
                f"{row.ratio:.2f}",
                f"{row.ratios[0]:.2f} to {row.ratios[-1]:.2f}",
            )
            for name, row in rows.items()
        ),
    )


def _growth(few: Sequence[Row], many: Sequence[Row]) -> Iterator[str]:
    """How much longer one child takes when there are ten times as many."""
    for step, less, more in zip(("Start", "Stop"), few, many, strict=True):
        yield (
            f"{step}, {FEW:,} to {MANY:,} children: each takes {more.ours / less.ours:.2f} times as long, "
            f"in a nursery {more.baseline / less.baseline:.2f} times."
        )


def _weight_lines(weights: Weights) -> Iterator[str]:
    yield (
        f"An idle actor takes {weights.actor / 1024:.1f} KiB, a task with a memory channel "
        f"{weights.baseline / 1024:.1f} KiB: {weights.actor / weights.baseline:.2f} times."
    )


if __name__ == "__main__":
    main()
