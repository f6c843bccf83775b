"""The commands a newcomer starts: `terzetto demo` and `terzetto sandbox`."""

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import trio

from tests.whole.processes import ROOT, Running, alive, descendants, start_sandbox, until


async def test_the_demo_shows_the_whole_main_job_and_ends_well() -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with trio.fail_after(120):
        ended = await trio.run_process(
            [sys.executable, "-m", "api", "demo"],
            capture_stdout=True,
            stderr=subprocess.STDOUT,
            env=environment,
            check=False,
        )
    said = ended.stdout.decode()
    assert ended.returncode == 0, said
    for sight in (
        "429",
        "Retry-After",
        "401",
        "403",
        "404",
        "kill -9",
        "delivered",
        "never anything else",
        "● root",
    ):
        assert sight in said


async def test_a_sandbox_stops_on_ctrl_c_and_comes_back_on_the_same_data(tmp_path: Path) -> None:
    first, found = await start_sandbox(tmp_path)
    described = tmp_path / "data" / "sandbox.json"
    assert stat.S_IMODE(described.stat().st_mode) == 0o600
    assert stat.S_IMODE(described.parent.stat().st_mode) == 0o700
    ana, budi = found["sessions"]
    assert set(ana) == {"id", "phone", "apiKey"}
    async with httpx.AsyncClient(base_url=found["url"], timeout=30) as http:
        await _send(http, ana, budi, "before")
    processes = descendants(first.process.pid)
    with trio.fail_after(10):
        assert await first.stop() == 0
    assert [pid for pid in processes if alive(pid)] == []

    second, again = await start_sandbox(tmp_path)
    assert again["adminKey"] == found["adminKey"]
    assert again["sessions"] == found["sessions"]
    assert again["user"] == found["user"]
    told = f"sign in there as {again['user']['name']} with {again['user']['password']}"
    await until(lambda: _has_said(second, told), "where to sign in")
    async with httpx.AsyncClient(base_url=again["url"], timeout=30) as http:
        await _send(http, ana, budi, "after")
    async with httpx.AsyncClient(base_url=again["url"], timeout=30) as http:
        assert (await http.post("/api/sign-in", json=again["user"])).status_code == 200
        assert (await http.get("/api/me")).json()["sandbox"] is True

        async def arrived() -> bool:
            answer = await http.get("/api/messages", headers={"x-api-key": budi["apiKey"]})
            texts = [message["text"] for message in answer.json()["messages"]]
            return texts == ["after", "before"]

        await until(arrived, "both messages are with the other session")
        admin = {"x-api-key": again["adminKey"]}
        events = await http.get("/api/events", params={"after": "0", "limit": "500"}, headers=admin)
        names = [event["event"] for event in events.json()["events"]]
        assert names.count("session.paired") == 2, "a session paired again"
        assert (await http.get("/api/loopback/phones", headers=admin)).status_code == 200
    await second.stop()


async def _send(http: httpx.AsyncClient, sender: dict[str, Any], receiver: dict[str, Any], text: str) -> None:
    answer = await http.post(
        "/api/messages/text",
        json={"phone": receiver["phone"], "message": text},
        headers={"x-api-key": sender["apiKey"]},
    )
    assert answer.status_code == 200, answer.text


async def _has_said(program: Running, words: str) -> bool:
    return words in program.said()
