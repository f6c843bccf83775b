"""The command line. A wrong use exits with 2, a failure with 1, each saying why in one plain line.

What a command needs is imported when it runs: `--help` is quick, and looking at a gateway loads none.
"""
# ruff: noqa: PLC0415, T201

import argparse
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from api.config import Config

ROOT = Path(__file__).resolve().parent.parent
SIDE_BY_SIDE = ("-n", "auto", "--dist", "loadfile", "--no-loadscope-reorder")
"""How the tests are run: in as many processes as tests/conftest.py says, those of a file in one."""
ENVIRONMENT = (
    "Environment: DATABASE_URL, TERZETTO_ADMIN_KEY, TERZETTO_ADMIN_PASSWORD, TERZETTO_KEYS_DSN,"
    " TERZETTO_LOG=json, TERZETTO_LOG_LEVEL."
)


class UsageError(Exception):
    """What was asked for makes no sense; nothing was begun."""


class Failure(Exception):
    """The command could not do it."""


def main(arguments: Sequence[str]) -> int:
    """Run one command and give its exit code."""
    try:
        code = _run(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # The reader of our output went away, which is its right. What is left to flush goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except UsageError as error:
        return _say(error, 2)
    except Failure as error:
        return _say(error, 1)
    return code


def _say(error: Exception, code: int) -> int:
    print(f"terzetto: {error}", file=sys.stderr)
    return code


def _run(arguments: Sequence[str]) -> int:
    # These two hand all that follows to another program, whose options are not ours.
    match arguments:
        case ["test", *rest]:
            os.chdir(ROOT)
            _become("pytest", [*SIDE_BY_SIDE, *rest])
        case ["loopback", *rest]:
            _become("loopback", rest)
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.run
    return command(options)


def _become(module: str, arguments: Sequence[str]) -> NoReturn:
    """Go on as another program of this environment."""
    os.execv(sys.executable, [sys.executable, "-m", module, *arguments])  # noqa: S606


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="terzetto", description="A WhatsApp gateway for many numbers at once.", epilog=ENVIRONMENT
    )
    parser.add_argument("--version", action=_Version)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(
        name: str, run: Callable[[argparse.Namespace], int] | None, help_: str
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(name, help=help_, description=f"{help_[0].upper()}{help_[1:]}.")
        added.set_defaults(run=run)
        return added

    _serving(command("up", _up, "run the gateway"), data_home())
    sandbox = command("sandbox", _sandbox, "run the gateway with a WhatsApp-compatible network on loopback")
    _serving(sandbox, data_home() / "sandbox")
    doctor = command("doctor", _doctor, "look at an installation, and say what to do about it")
    _serving(doctor, data_home())
    doctor.add_argument("--offline", action="store_true", help="do not try to reach WhatsApp")
    doctor.add_argument("--json", action="store_true", help="all findings in JSON")
    backup = command("backup", _backup, "write the sessions' devices to standard output, as a tar")
    backup.add_argument(
        "--data", type=Path, default=data_home(), metavar="DIR", help="where they are (default: %(default)s)"
    )
    keys = command("keys", None, "the sessions' devices in a PostgreSQL that many gateways share")
    moving = keys.add_subparsers(title="commands", metavar="COMMAND", required=True).add_parser(
        "import",
        help="move the devices of a data directory there, whose gateway has stopped",
        description="Move the devices of a data directory there. Its gateway must have stopped; the files are"
        " kept in devices.imported.",
    )
    moving.set_defaults(run=_keys_import)
    _serving(moving, data_home())
    command("demo", _demo, "show in a minute what it does, on loopback alone")
    command("loopback", None, "run the loopback network by itself; options go to it: --data DIR")
    command("test", None, "run the tests, some side by side; options go to pytest: -n 0 runs them one by one")
    tree = command("tree", _tree, "print the supervision tree of a running gateway")
    _looking(tree)
    tree.add_argument("--watch", action="store_true", help="keep it live: over the terminal, or into a pipe")
    tree.add_argument("--json", action="store_true", help="as the API gives it")
    nodes = command("nodes", _nodes, "list the gateways that share a database, or have one leave")
    _looking(nodes)
    nodes.add_argument("--json", action="store_true", help="as the API gives it")
    nodes.add_argument(
        "--drain",
        metavar="NAME",
        help="have this one (or its id) hand over all it has and end, and wait for it",
    )
    nodes.add_argument("--yes", action="store_true", help="do not ask before")
    password = command("password", _password, "set a user's password anew, with a running gateway")
    _looking(password)
    password.add_argument("--user", default="admin", metavar="NAME", help="whose (default: %(default)s)")
    tail = command("tail", _tail, "follow the events of a running gateway")
    _looking(tail)
    tail.add_argument(
        "--session", action="append", metavar="ID", help="only this session's (may be repeated)"
    )
    tail.add_argument("--events", metavar="NAMES", help="only these, separated by commas")
    tail.add_argument("--after", metavar="CURSOR", help="begin after this cursor (a seq, with one session)")
    tail.add_argument("--json", action="store_true", help="one event in JSON a line")
    return parser


def _serving(parser: argparse.ArgumentParser, data: Path) -> None:
    parser.add_argument(
        "--data", type=Path, default=data, metavar="DIR", help="where its files are (default: %(default)s)"
    )
    parser.add_argument(
        "--listen", metavar="HOST:PORT", help="port 0 picks a free one (default: as configured)"
    )
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="the configuration (default: supervisor.toml beside terzetto)",
    )


def _looking(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", type=Path, metavar="DIR", help="its data directory (default: of the one started last)"
    )
    parser.add_argument("--url", help="its address; the key is then taken from TERZETTO_ADMIN_KEY")


class _Version(argparse.Action):
    """Prints the version."""

    def __init__(self, option_strings: Sequence[str], dest: str) -> None:
        super().__init__(option_strings, dest, nargs=0, help="print the version")

    def __call__(self, *_: object) -> NoReturn:
        from api.version import version

        print(f"terzetto {version()}")
        sys.exit(0)


# Commands


def _up(options: argparse.Namespace) -> int:
    config = _configuration(options)
    from api.gateway import serve

    return _serve(serve, config, options.data)


def _sandbox(options: argparse.Namespace) -> int:
    config = _configuration(options)
    from api.sandbox import run

    return _serve(run, config, options.data)


def _serve(program: Callable[["Config", Path, Any], Awaitable[None]], config: "Config", data: Path) -> int:
    """Run a program until it ends."""
    import trio

    from api import logs
    from api.stopping import until_signalled
    from runtime import SupervisionError
    from storage.errors import StorageError

    try:
        logs.configure()
    except ValueError as error:
        raise UsageError(f"TERZETTO_LOG_LEVEL: {error}") from None
    try:
        grace = config.cluster.drain if config.cluster.enabled else 0.0
        trio.run(until_signalled, partial(program, config, data), grace)
    except* (SupervisionError, StorageError, OSError) as group:
        raise Failure(_reason(group)) from None
    return 0


def _configuration(options: argparse.Namespace) -> "Config":
    """The configuration under the options of the command line."""
    from api.config import ConfigError, listening, load

    if options.config is not None and not options.config.is_file():
        raise UsageError(f"--config: there is no file {options.config}")
    try:
        config = load(options.config or ROOT / "supervisor.toml")
    except ConfigError as error:
        raise UsageError(error) from None
    if options.listen is None:
        return config
    try:
        return listening(config, options.listen)
    except ConfigError as error:
        raise UsageError(f"--listen: {error}") from None


def _reason(error: BaseException) -> str:
    """An error and what it came from, in one line: `api: could not start: Address already in use`."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    text = " ".join((error.strerror if isinstance(error, OSError) and error.strerror else str(error)).split())
    return f"{text}: {_reason(error.__cause__)}" if error.__cause__ else text


def _doctor(options: argparse.Namespace) -> int:
    from api.doctor.examination import examine, report

    def configuration() -> "Config | str":
        try:
            return _configuration(options)
        except UsageError as error:
            return str(error)

    return report(examine(configuration, options.data, offline=options.offline), as_json=options.json)


def _backup(options: argparse.Namespace) -> int:
    from api import backup

    if sys.stdout.isatty():
        raise UsageError("backup: standard output is a terminal; send it to a file: > devices.tar")
    try:
        count = backup.write(options.data, sys.stdout.buffer)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except (backup.BackupError, OSError) as error:
        raise Failure(error) from None
    print(f"terzetto: {count} devices", file=sys.stderr)
    return 0


def _keys_import(options: argparse.Namespace) -> int:
    from api import keystore

    config = _configuration(options)
    if not (dsn := config.cluster.keys_dsn or config.storage.dsn):
        raise UsageError("keys import: no PostgreSQL is configured that could take them")
    refused = False
    try:
        for each in keystore.import_devices(dsn, options.data):
            print(f"{each.session}: {each.outcome}{each.detail and f' ({each.detail})'}", flush=True)
            refused |= each.outcome == "refused"
    except BrokenPipeError:
        raise
    except (keystore.KeystoreError, OSError) as error:
        raise Failure(error) from None
    return int(refused)


def _demo(_: argparse.Namespace) -> int:
    from api import demo

    return demo.main()


def _tree(options: argparse.Namespace) -> int:
    from api import tree

    if options.watch:
        from api.watch import watch

        _look(lambda running: watch(running, as_json=options.json), options)
        return 0
    _look(lambda running: tree.show(running, as_json=options.json), options)
    return 0


def _nodes(options: argparse.Namespace) -> int:
    from api import nodelist

    if options.drain is None:
        _look(lambda running: nodelist.show(running, as_json=options.json), options)
        return 0
    try:
        _look(lambda running: nodelist.drained(running, options.drain, unasked=options.yes), options)
    except nodelist.NotDrainedError as error:
        raise Failure(error) from None
    return 0


def _tail(options: argparse.Namespace) -> int:
    import trio

    from api import tail

    asked = {
        "sessions": ",".join(options.session or ()),
        "events": options.events,
        "after": options.after,
    }
    query = {name: value for name, value in asked.items() if value}
    _look(lambda running: trio.run(tail.follow, running, query, options.json), options)
    return 0


def _password(options: argparse.Namespace) -> int:
    from api.newpassword import NotSetError, set_anew

    try:
        _look(lambda running: set_anew(running, options.user), options)
    except NotSetError as error:
        raise Failure(error) from None
    return 0


def _look(show: Callable[[Any], object], options: argparse.Namespace) -> None:
    from api.running import NotRunningError, Running, find

    try:
        if options.url:
            if not (key := os.environ.get("TERZETTO_ADMIN_KEY")):
                raise UsageError(
                    "--url: the gateway's admin key is missing; it is taken from TERZETTO_ADMIN_KEY"
                )
            running = Running(options.url, key)
        else:
            running = find([options.data] if options.data else [data_home(), data_home() / "sandbox"])
        show(running)
    except NotRunningError as error:
        raise Failure(error) from None


def data_home() -> Path:
    """Where a gateway keeps its files unless told otherwise."""
    home = os.environ.get("XDG_DATA_HOME")
    return (Path(home) if home else Path.home() / ".local" / "share") / "terzetto"
