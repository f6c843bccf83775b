"""pywhats, a client library by other hands, in a process of its own; it speaks as `client_program` does.

Argument: a file for the session. Proxy and trusted authority come from HTTPS_PROXY and SSL_CERT_FILE.
"""

import asyncio
import json
import os
import sys
from typing import Any

from pywhats import Client  # type: ignore[import-untyped]
from pywhats.events import JID  # type: ignore[import-untyped]


def say(**line: Any) -> None:
    sys.stdout.write("\n@" + json.dumps(line) + "\n")
    sys.stdout.flush()


def jid(text: str) -> JID:
    user, _, server = text.partition("@")
    return JID(user, server or "s.whatsapp.net")


def address(of: JID) -> str:
    return f"{of.user}@{of.server}"


class Program:
    """What a test may ask of the client."""

    def __init__(self, session: str) -> None:
        self.client = Client(session)
        self.messages: dict[str, Any] = {}
        for name in ("connected", "paired", "disconnected", "logged_out", "decrypt_error"):
            self.client.on(name)(self._plain(name))
        self.client.on("qr")(self._qr)
        self.client.on("message")(self._message)
        self.client.on("reaction")(self._about("reaction"))
        self.client.on("message_edit")(self._about("edit"))
        self.client.on("message_revoke")(self._about("revoke"))
        self.client.on("receipt")(self._plain("receipt"))
        self.client.on("history_sync")(self._plain("history"))

    @staticmethod
    def _plain(name: str) -> Any:
        async def tell(*what: Any) -> None:
            say(event=name, what=[str(each) for each in what])

        return tell

    async def _qr(self, code: str) -> None:
        say(event="qr", code=code)

    async def _message(self, message: Any) -> None:
        self.messages[message.id] = message
        say(
            event="message",
            id=message.id,
            chat=address(message.chat),
            sender=address(message.sender),
            text=message.text,
            media=message.media is not None,
        )

    @staticmethod
    def _about(name: str) -> Any:
        async def tell(event: Any) -> None:
            say(event=name, message=event.message_id, text=getattr(event, "text", ""))

        return tell

    async def do_connect(self) -> None:
        self.connecting = asyncio.ensure_future(self._connect())

    async def _connect(self) -> None:
        try:
            await self.client.connect()
        except Exception as error:  # noqa: BLE001 - it is what the test wants to read
            say(event="failed", why=repr(error))

    async def do_send(self, to: str, text: str) -> str:
        return str((await self.client.send_text(jid(to), text)).id)

    async def do_send_to_group(self, group: str, text: str) -> str:
        info = await self.client.get_group_info(jid(group))
        people = [participant.jid for participant in info.participants]
        return str((await self.client.send_group_text(jid(group), text, people)).id)

    async def do_image(self, to: str, data: str) -> str:
        return str((await self.client.send_image(jid(to), data.encode(), caption="a picture")).id)

    async def do_download(self, message: str) -> str:
        return str((await self.client.download_media(self.messages[message].media)).decode())


async def main() -> None:
    program = Program(sys.argv[1])
    say(event="ready")
    running: set[asyncio.Task[None]] = set()

    async def perform(line: dict[str, Any]) -> None:
        call, method = line.pop("call"), line.pop("do")
        try:
            say(call=call, value=await getattr(program, f"do_{method}")(**line))
        except Exception as error:  # noqa: BLE001 - the test decides what it means
            say(call=call, error=f"{type(error).__name__}: {error}")

    while line := await asyncio.to_thread(sys.stdin.readline):
        task = asyncio.ensure_future(perform(json.loads(line)))
        running.add(task)
        task.add_done_callback(running.discard)
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(main())
