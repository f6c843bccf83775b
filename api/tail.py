"""Follows a running gateway's events over its WebSocket; after a lost connection it goes on where it was."""

import json
import sys
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from api.live import hear
from api.running import Running


async def follow(running: Running, query: Mapping[str, str], as_json: bool) -> None:
    """Print events until cancelled. Raises NotRunningError, as `hear` does."""
    query = dict(query)

    def show(event: Mapping[str, Any]) -> None:
        query["after"] = event["cursor"]
        print(json.dumps(event, ensure_ascii=False) if as_json else line(event), flush=True)  # noqa: T201

    def lost(reason: str) -> None:
        print(f"terzetto: connection lost ({reason}); coming back", file=sys.stderr)  # noqa: T201

    await hear(running, lambda: f"/api/ws?{urlencode(query)}", show, lost)


def line(event: Mapping[str, Any]) -> str:
    """An event for people: local time, session, number, name, data."""
    time = datetime.fromisoformat(event["occurredAt"]).astimezone()
    data = json.dumps(event["data"], ensure_ascii=False, separators=(",", ":"))
    return f"{time:%H:%M:%S} {event['sessionId']} #{event['seq']} {event['event']} {data}"
