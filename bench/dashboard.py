"""What the dashboard costs in a browser: bytes and time until it can be used, and frames while much goes on.

    python -m bench.dashboard [--seconds N] [--sessions N] [--rate N] [--quick]

The gateway's API is a process of its own, whose sessions play a script; the browser is the machine's own,
headless. Beside each page stands an empty one in the same run: the dashboard's icon, a file and no more. All
of it shares this machine's cores.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any

import trio
from attrs import frozen
from playwright.sync_api import Browser, Page, expect

from actors.directory import NewSession
from bench.table import table
from storage import migrate
from storage.embedded import embedded_postgres
from storage.writes import Append, NewEvent
from tests.api.stage import Stage, running_api
from tests.browser.chromium import chromium
from tests.browser.tab import Tab

USER = {"name": "bench", "password": "a password for benchmarks"}
LOADS = 5
START = 120.0  # seconds for all sessions to be there
AT_ONCE = 20  # events in one write
EMPTY = "ui/icon.svg"


@frozen
class Plan:
    seconds: float
    """Of watching, for each page."""
    sessions: int
    rate: int
    """Events a second."""


FULL = Plan(10, 1000, 200)
QUICK = Plan(2, 100, 200)


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.dashboard", description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, help="of watching, for each page (10)")
    parser.add_argument("--sessions", type=int, help="how many are listed (1000)")
    parser.add_argument("--rate", type=int, help="events a second (200)")
    parser.add_argument("--quick", action="store_true", help="a quarter of a minute, to see that it works")
    asked = parser.parse_args()
    usual = QUICK if asked.quick else FULL
    plan = Plan(asked.seconds or usual.seconds, asked.sessions or usual.sessions, asked.rate or usual.rate)
    with _gateway(plan) as (url, happen), chromium() as browser:
        print("\nFrom nothing in the browser to a page that can be used\n")
        print(*_load_lines(browser, url), sep="\n", flush=True)
        happen()
        print(f"\n{plan.seconds:g} s with {plan.sessions:,} sessions and {plan.rate} events a second\n")
        print(*_frame_lines(browser, url, plan), sep="\n", flush=True)


# --- loading ------------------------------------------------------------------------------------------------


@frozen
class Load:
    """Until a page could be used."""

    bytes: int
    requests: int
    ms: float


def _load_lines(browser: Browser, url: str) -> Iterator[str]:
    """Each page loaded into a browser that knows nothing, in rounds that alternate with an empty one."""
    found: dict[str, list[Load]] = {"empty": [], "sign-in": [], "overview": []}
    for _ in range(LOADS):
        for name, loads in found.items():
            loads.append(_load(browser, url, name))
    empty = median(each.ms for each in found["empty"])
    yield from table(
        ("page", "requests", "bytes", "ms", "ratio"),
        (
            (
                name,
                loads[0].requests,
                f"{loads[0].bytes:,}",
                f"{(ms := median(each.ms for each in loads)):.0f}",
                f"{ms / empty:.1f}",
            )
            for name, loads in found.items()
        ),
    )


def _load(browser: Browser, url: str, name: str) -> Load:
    context = browser.new_context()
    page = context.new_page()
    if name == "overview":
        assert context.request.post(f"{url}/api/sign-in", data=USER).ok
    received: list[int] = []
    devtools = context.new_cdp_session(page)
    devtools.on("Network.loadingFinished", lambda event: received.append(int(event["encodedDataLength"])))
    devtools.send("Network.enable")
    page.goto(f"{url}/{EMPTY if name == 'empty' else ''}", wait_until="commit")
    if name == "empty":
        page.wait_for_load_state()
    elif name == "sign-in":
        expect(page.locator("input[name=password]")).to_be_visible()
    else:
        expect(page.locator("#content h1")).to_be_visible()
        expect(page.locator(".spinner")).to_have_count(0)
    ms = float(page.evaluate("performance.now()"))
    page.wait_for_load_state("networkidle")
    context.close()
    return Load(sum(received), len(received), ms)


# --- frames -------------------------------------------------------------------------------------------------

# Frames that the page could draw, and what kept it from that: tasks of more than 50 ms.
WATCH = """(seconds) => new Promise((done) => {
  const long = [];
  const observer = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) long.push(duration);
  });
  observer.observe({ type: "longtask" });
  const began = performance.now();
  let frames = 0;
  const frame = (now) => {
    frames += 1;
    if (now - began < seconds * 1000) requestAnimationFrame(frame);
    else {
      observer.disconnect();
      done({ perSecond: (frames * 1000) / (now - began), long });
    }
  };
  requestAnimationFrame(frame);
})"""


def _frame_lines(browser: Browser, url: str, plan: Plan) -> Iterator[str]:
    """Each page while events come."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    assert context.request.post(f"{url}/api/sign-in", data=USER).ok
    found: dict[str, dict[str, Any]] = {}
    for name in ("empty", "sessions", "events", "tree"):
        tab = Tab.of(context, url)
        if name == "empty":
            tab.page.goto(f"{url}/{EMPTY}")
        else:
            tab.go(name)
        if name == "sessions":
            _list_all(tab.page, plan.sessions)
        found[name] = tab.evaluate(WATCH, plan.seconds)
        tab.check()
        tab.page.close()
    context.close()
    yield from table(
        ("page", "frames/s", "ratio", "dropped", "long tasks", "longest ms", "in all ms"),
        ((name, *_frame_cells(seen, found["empty"], plan)) for name, seen in found.items()),
    )


def _frame_cells(seen: dict[str, Any], empty: dict[str, Any], plan: Plan) -> Sequence[str]:
    ratio = seen["perSecond"] / empty["perSecond"]
    dropped = max(0.0, empty["perSecond"] - seen["perSecond"]) * plan.seconds
    long = seen["long"]
    return (
        f"{seen['perSecond']:.1f}",
        f"{ratio:.2f}",
        f"{dropped:.0f}",
        f"{len(long)}",
        f"{max(long, default=0):.0f}",
        f"{sum(long):.0f}",
    )


def _list_all(page: Page, sessions: int) -> None:
    """Ask for more until all are listed."""
    rows = page.locator("tbody tr")
    while (shown := rows.count()) < sessions:
        page.get_by_role("button", name="Show more").click()
        expect(rows.nth(shown)).to_be_attached(timeout=30_000)


# --- the gateway's process ----------------------------------------------------------------------------------


@contextmanager
def _gateway(plan: Plan) -> Iterator[tuple[str, Callable[[], None]]]:
    """A gateway with so many sessions: its address, and what makes events happen from then on."""
    asked = [str(plan.sessions), str(plan.rate)]
    program = subprocess.Popen(
        [sys.executable, "-m", "bench.dashboard", "--serve", *asked],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    told, answers = program.stdin, program.stdout
    assert told is not None
    assert answers is not None
    try:
        yield answers.readline().strip(), lambda: print(file=told, flush=True)
    finally:
        told.close()
        program.wait()


async def _serve(sessions: int, rate: int) -> None:
    with tempfile.TemporaryDirectory(prefix="terzetto-bench-") as folder:
        async with (
            embedded_postgres(Path(folder) / "postgres", fsync=False) as dsn,
            trio.open_nursery() as nursery,
        ):
            await migrate(dsn)
            async with running_api(dsn, Path(folder)) as stage:
                for number in range(sessions):
                    await stage.services.sessions.create(NewSession(id=_name(number), name=f"Shop {number}"))
                (await stage.client.post("/api/users", json={**USER, "role": "admin"})).raise_for_status()
                print(str(stage.client.base_url).rstrip("/"), flush=True)
                if await trio.to_thread.run_sync(sys.stdin.readline):
                    nursery.start_soon(_happen, stage, sessions, rate)
                    await trio.to_thread.run_sync(sys.stdin.readline)
                nursery.cancel_scope.cancel()


def _name(number: int) -> str:
    return f"shop-{number:04}"


async def _happen(stage: Stage, sessions: int, rate: int) -> None:
    """Events, one session after the other: three messages to every change of state."""
    due = trio.current_time()
    for number in count():
        event = _message(number) if number % 4 else _status(number)
        await stage.services.writer.call(Append(_name(number % sessions), (event,)))
        due += 1 / rate
        if number % AT_ONCE == 0:
            await trio.sleep_until(due)


def _message(number: int) -> NewEvent:
    key = {"remoteJid": "628111111111@s.whatsapp.net", "fromMe": False, "id": f"3EB0{number:016X}"}
    data = {"key": key, "message": {"conversation": f"hello, number {number}"}, "pushName": "Ana"}
    return NewEvent("messages.upsert", {**data, "messageTimestamp": 1_795_000_000})


def _status(number: int) -> NewEvent:
    status = "reconnecting" if number % 8 else "connected"
    return NewEvent("session.status", {"status": status, "reason": None})


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        trio.run(_serve, int(sys.argv[2]), int(sys.argv[3]))
    else:
        main()
