"""What the gateway costs beside the bare client library: texts a second, latency, memory per session.

    python -m bench.first_light [--seconds N] [--sessions 1,4,16] [--memory 1,16,64] [--quick]

Both sides talk to the same loopback network in the same run, in rounds that alternate (gateway, bare, bare,
gateway, …), so that what else the machine does meets both. A full run takes about four minutes. It starts all
it needs on 127.0.0.1 and leaves nothing behind.
"""

import argparse
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import trio
from attrs import frozen

from bench.ground import ground
from bench.memory import measure_memory, memory_lines
from bench.rates import measure_texts, processor_lines, text_lines

MOST = 600.0  # seconds for everything


@frozen
class Plan:
    """What is measured."""

    seconds: float
    """Of sending, for each side of a row."""
    sessions: Sequence[int]
    memory: Sequence[int]


FULL = Plan(8, (1, 4, 16), (1, 16, 64))
QUICK = Plan(1, (4,), (8,))


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.first_light", description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, help="of sending, for each side of a row (8)")
    parser.add_argument("--sessions", type=_counts, help="how many send, row by row (1,4,16)")
    parser.add_argument("--memory", type=_counts, help="how many sessions' memory is read (1,16,64)")
    parser.add_argument("--quick", action="store_true", help="half a minute, to see that it works")
    asked = parser.parse_args()
    usual = QUICK if asked.quick else FULL
    plan = Plan(
        asked.seconds or usual.seconds, asked.sessions or usual.sessions, asked.memory or usual.memory
    )
    trio.run(_run, plan)


def _counts(text: str) -> tuple[int, ...]:
    counts = tuple(sorted({int(each) for each in text.split(",")}))
    if counts[0] < 1:
        raise ValueError(text)
    return counts


async def _run(plan: Plan) -> None:
    with trio.fail_after(MOST), tempfile.TemporaryDirectory(prefix="terzetto-bench-") as folder:
        async with ground(Path(folder)) as prepared:
            await prepared.pair_devices(max(*plan.sessions, *plan.memory))
            rows = await measure_texts(prepared, plan.sessions, plan.seconds)
            _show("Texts, from the call to WhatsApp's acknowledgement", text_lines(rows))
            _show("Processor time in the same rounds: milliseconds a text, cores busy", processor_lines(rows))
            _show(
                "Resident memory with idle sessions, MB (Pss), and of each session above none",
                memory_lines(await measure_memory(prepared, plan.memory)),
            )


def _show(title: str, lines: Iterable[str]) -> None:
    print(f"\n{title}\n", *lines, sep="\n", flush=True)


if __name__ == "__main__":
    main()
