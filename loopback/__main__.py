"""`python -m loopback --data DIR`: the whole network in one process, on 127.0.0.1 only.

Once it is ready, `DIR/network.json` tells other processes where it is and how to trust it, and the same is
printed as one line. It ends on SIGTERM and SIGINT, and with `--parent` when its standard input ends.
"""

import argparse
import json
import logging
import os
import secrets
import signal
import sys
from functools import partial
from pathlib import Path

import hypercorn.trio
import trio
from hypercorn.config import Config
from quart_trio import QuartTrio

from loopback.control import control
from loopback.network import Network
from loopback.wire.authority import Authority
from loopback.wire.certificate import Root
from loopback.wire.keyfile import keep
from loopback.wire.proxy import serve_proxy


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="loopback", description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="directory the network lives in")
    parser.add_argument("--proxy-port", type=int, default=0, help="for clients; 0 takes a free one")
    parser.add_argument("--control-port", type=int, default=0, help="for the control API; 0 takes a free one")
    parser.add_argument("--parent", action="store_true", help="end when standard input does")
    parser.add_argument("--quiet", action="store_true", help="log warnings only")
    return parser.parse_args()


async def _run(arguments: argparse.Namespace) -> None:
    data: Path = arguments.data
    network = Network(data)
    authority, root = Authority.open(data), Root.open(data)
    # The same over restarts, so that those who hold on to it need not be told.
    token = keep(data / "token", lambda: secrets.token_urlsafe(32).encode()).decode()
    config = Config()
    config.bind = [f"127.0.0.1:{arguments.control_port}"]
    config.include_server_header = False
    config.accesslog = config.errorlog = None
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(network.run)
            serve = partial(
                serve_proxy,
                ca=authority,
                root=root,
                on_link=network.serve_link,
                on_http=network.serve_http,
                gate=network.gate,
                port=arguments.proxy_port,
            )
            proxy_port: int = await nursery.start(serve)
            control_url: str = await nursery.start(_serve_control, control(network, token), config)
            _announce(
                data / "network.json",
                {
                    "proxy": f"http://127.0.0.1:{proxy_port}",
                    "caFile": str(authority.pem.resolve()),
                    "rootKey": root.public.hex(),
                    "control": control_url,
                    "token": token,
                    "pid": os.getpid(),
                },
            )
            await _asked_to_end(parent=arguments.parent)
            nursery.cancel_scope.cancel()
    finally:
        network.close()


async def _serve_control(
    app: QuartTrio, config: Config, *, task_status: trio.TaskStatus[str] = trio.TASK_STATUS_IGNORED
) -> None:
    """Serve the API for ever; the task is started with its address.

    One connection that upgrades to WebSocket and talks nonsense ends hypercorn's server as a whole
    (pgjones/hypercorn#225). It is begun again on the same port then, and the network goes on meanwhile.
    """
    serve = partial(hypercorn.trio.serve, app, config, shutdown_trigger=trio.sleep_forever)
    while True:
        try:
            async with trio.open_nursery() as nursery:
                (address,) = await nursery.start(serve)
                task_status.started(address)
                task_status = trio.TASK_STATUS_IGNORED
                config.bind = [address.removeprefix("http://")]
        except ExceptionGroup:
            logging.getLogger("loopback").exception("control_failed")


def _announce(path: Path, where: dict[str, str | int]) -> None:
    """Write it for other processes, whole and only for this user, and print it."""
    half = path.with_suffix(".new")
    with open(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:  # noqa: PTH123
        json.dump(where, file)
    half.replace(path)
    sys.stdout.write(json.dumps(where) + "\n")
    sys.stdout.flush()


async def _asked_to_end(*, parent: bool) -> None:
    """Return when a signal, or the parent's end, says so."""
    async with trio.open_nursery() as nursery:

        async def until_signal() -> None:
            with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
                async for _ in signals:
                    nursery.cancel_scope.cancel()

        async def until_parent_left() -> None:
            async with trio.lowlevel.FdStream(os.dup(sys.stdin.fileno())) as stdin:
                async for _ in stdin:
                    pass
            nursery.cancel_scope.cancel()

        nursery.start_soon(until_signal)
        if parent:
            nursery.start_soon(until_parent_left)


def main() -> None:
    """Run until asked to end."""
    arguments = _arguments()
    level = logging.WARNING if arguments.quiet else logging.INFO
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    trio.run(_run, arguments)


if __name__ == "__main__":
    main()
