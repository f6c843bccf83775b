"""Follow a gateway's events over its WebSocket, and miss none.

    TERZETTO_KEY=tz_… python docs/follow.py ws://127.0.0.1:8080/api/ws cursor.txt

Each event is printed as a line of JSON. The file keeps the cursor of the last event that was dealt with: the
program goes on after it, whether the connection broke, the gateway was restarted or the program itself. An
event is dealt with first and its cursor kept then, so one may come twice, and none is missed: whoever must do
something only once remembers the `eventId`.

It needs trio-websocket: pip install trio-websocket
"""

import json
import os
import sys
from pathlib import Path

import trio
from trio_websocket import ConnectionClosed, ConnectionRejected, HandshakeError, open_websocket_url

LARGEST = 16 * 1024 * 1024  # bytes of one event
AGAIN = 1.0  # seconds between two tries to connect


def handle(event: dict[str, object]) -> None:
    """Put here what is to be done with an event."""
    print(json.dumps(event, ensure_ascii=False), flush=True)


async def listen(url: str, key: str, kept: Path) -> None:
    """One connection, from the kept cursor (`0`: the beginning of the log) until it ends."""
    after = kept.read_text() if kept.exists() else "0"
    headers = [(b"x-api-key", key.encode())]
    async with open_websocket_url(
        f"{url}?after={after}", extra_headers=headers, max_message_size=LARGEST
    ) as socket:
        while True:
            event = json.loads(await socket.get_message())
            handle(event)
            keep(kept, event["cursor"])


def keep(kept: Path, cursor: str) -> None:
    """Replace the file at once, so that it never holds half a cursor."""
    new = kept.with_suffix(".new")
    new.write_text(cursor)
    new.replace(kept)


async def follow(url: str, key: str, kept: Path) -> None:
    """Listen, and come back whenever the connection ends: 1013 says that this program was too slow."""
    while True:
        try:
            await listen(url, key, kept)
        except ConnectionRejected as refused:
            if refused.status_code in {400, 401, 403}:  # no use in trying again
                sys.exit(f"refused with {refused.status_code}: {(refused.body or b'').decode()}")
            print(f"refused with {refused.status_code}", file=sys.stderr)
        except ConnectionClosed as closed:
            print(f"closed: {closed.reason}", file=sys.stderr)
        except (OSError, HandshakeError) as error:
            print(f"no connection: {error}", file=sys.stderr)
        await trio.sleep(AGAIN)


if __name__ == "__main__":
    trio.run(follow, sys.argv[1], os.environ["TERZETTO_KEY"], Path(sys.argv[2]))
