"""Network namespaces: a private one with a bridge and behind it one for each node, as on machines apart.

Nothing of it leaves the machine or outlives the process: namespaces are held by open files alone.
"""

import ctypes
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from attrs import define, field

from tests.nodes.ways import Part, Way

CLONE_NEWNET = 0x40000000
NETWORK, API_PORT = "10.77.0", 8080
HUB = f"{NETWORK}.1"


@contextmanager
def private_network() -> Iterator["Namespaces"]:
    """Move this thread, and what it starts, into a network of its own until the block ends.

    What nodes send to the bridge's address is for 127.0.0.1. Raises PermissionError for who is not root.
    """
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        _libc("unshare", CLONE_NEWNET)
        try:
            _run("ip", "link", "set", "lo", "up")
            _run("ip", "link", "add", "br0", "type", "bridge")
            _run("ip", "address", "add", f"{HUB}/24", "dev", "br0")
            _run("ip", "link", "set", "br0", "up")
            Path("/proc/sys/net/ipv4/conf/br0/route_localnet").write_text("1")
            to_here = ("--destination", HUB, "--jump", "DNAT", "--to-destination", "127.0.0.1")
            _run("iptables", "-t", "nat", "-A", "PREROUTING", "-i", "br0", "-p", "tcp", *to_here)
            yield Namespaces()
        finally:
            _libc("setns", home, CLONE_NEWNET)
    finally:
        os.close(home)


@define(eq=False)
class Namespaces:
    """The private network."""

    kind = "namespaces"
    hub = HUB

    @asynccontextmanager
    async def join(self, number: int, services: dict[Part, int]) -> AsyncIterator[Way]:
        """Make one more namespace behind the bridge."""
        namespace = _another()
        try:
            place = Place(number, services, f"/proc/{os.getpid()}/fd/{namespace}")
            place.connect()
            try:
                yield place
            finally:
                # By itself it goes with the namespace, which is some time after the last that held that.
                place.disconnect()
        finally:
            os.close(namespace)


@define(eq=False)
class Place:
    """One node's namespace."""

    number: int
    services: dict[Part, int]
    namespace: str
    host: str = field(init=False)
    listen: str = field(init=False)
    through: tuple[str, ...] = field(init=False)
    _link: str = field(init=False)
    """This end of the cable to it."""
    _cut: set[Part] = field(factory=set, init=False)

    def __attrs_post_init__(self) -> None:
        self.host = f"{NETWORK}.{self.number + 1}"
        self.listen = f"{self.host}:{API_PORT}"
        self._link = f"node{self.number}"
        self.through = ("nsenter", f"--net={self.namespace}")

    def connect(self) -> None:
        end = ("type", "veth", "peer", "name", "eth0", "netns", self.namespace)
        _run("ip", "link", "add", self._link, *end)
        _run("ip", "link", "set", self._link, "master", "br0", "up")
        for command in (
            ("ip", "link", "set", "lo", "up"),
            ("ip", "address", "add", f"{self.host}/24", "dev", "eth0"),
            ("ip", "link", "set", "eth0", "up"),
        ):
            _run(*self.through, *command)

    def disconnect(self) -> None:
        _run("ip", "link", "delete", self._link)

    def url(self) -> str:
        return f"http://{self.listen}"

    def service(self, part: Part) -> tuple[str, int]:
        return HUB, self.services[part]

    def opened(self, port: int) -> None:
        assert port == API_PORT

    def cut(self, part: Part) -> None:
        if part not in self._cut:
            self._cut.add(part)
            self._filter("--insert", part)

    def heal(self, part: Part) -> None:
        if part in self._cut:
            self._cut.remove(part)
            self._filter("--delete", part)

    def _filter(self, what: str, part: Part) -> None:
        """Drop, or no longer, what goes to a part and what comes from there."""
        if part is Part.NODES:
            others = f"{NETWORK}.2-{NETWORK}.254"
            out = ["-m", "iprange", "--dst-range", others]
            back = ["-m", "iprange", "--src-range", others]
        else:
            port = str(self.services[part])
            out = ["-d", HUB, "-p", "tcp", "--dport", port]
            back = ["-s", HUB, "-p", "tcp", "--sport", port]
        for chain, rule in (("OUTPUT", (*out, "-o", "eth0")), ("INPUT", (*back, "-i", "eth0"))):
            _run(*self.through, "iptables", "--wait", what, chain, *rule, "-j", "DROP")


def _another() -> int:
    """A new namespace, as an open file."""
    here = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        _libc("unshare", CLONE_NEWNET)
        try:
            return os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        finally:
            _libc("setns", here, CLONE_NEWNET)
    finally:
        os.close(here)


def _libc(name: str, *arguments: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def _run(*command: str) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise OSError(f"{' '.join(command)}: {done.stderr.strip()}")
