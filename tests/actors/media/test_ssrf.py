"""Neither a URL, nor what its host's name leads to, nor its server's answer takes us where we must not go."""

import gzip
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import trio

from actors.egress import Egress, UrlForbidden
from actors.media.errors import MediaError, MediaFetchFailed, MediaTooLarge
from actors.media.fetch import Fetched, Fetcher
from tests.actors.media.hostile import (
    OPENED,
    Names,
    Server,
    Stream,
    answer,
    moved,
    repeating,
    saying,
    serving,
)

Script = Callable[[Server, Stream], Awaitable[None]]
LIMIT = 1 << 20

# {port}: of a server on 127.0.0.1 that nobody may reach.
LOOPBACK = (
    "http://127.0.0.1:{port}/",
    "http://127.1:{port}/",
    "http://127.0.1:{port}/",
    "http://127.255.255.254:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f000001:{port}/",
    "http://0x7f.0.0.1:{port}/",
    "http://0X7F.1:{port}/",
    "http://017700000001:{port}/",
    "http://0177.0.0.1:{port}/",
    "http://0:{port}/",
    "http://0.0.0.0:{port}/",
    "http://127.0.0.1.:{port}/",
    "http://[::1]:{port}/",
    "http://[0:0:0:0:0:0:0:1]:{port}/",
    "http://[::]:{port}/",
    "http://[::127.0.0.1]:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://[::ffff:7f00:1]:{port}/",
    "http://[0:0:0:0:0:ffff:127.0.0.1]:{port}/",
    "http://[64:ff9b::127.0.0.1]:{port}/",
    "http://[64:ff9b::7f00:1]:{port}/",
    "http://[2002:7f00:1::]:{port}/",
    "http://[2002:7f00:0001::1]:{port}/",
    "http://①②⑦.⓪.⓪.①:{port}/",
    "http://127。0。0。1:{port}/",
    "http://127.0.0.1:{port}#@example.com/",
    "http://localhost:{port}/",
    "http://LOCALHOST:{port}/",
    "http://localhost.:{port}/",
    "http://ip6-loopback:{port}/",
    "http://inside.example:{port}/",
    "http://inside6.example:{port}/",
    "http://mapped.example:{port}/",
)
ELSEWHERE = (
    "http://169.254.169.254/latest/meta-data/",
    "http://169.254.170.2/v2/credentials",
    "http://0xA9FEA9FE/",
    "http://2852039166/",
    "http://[::ffff:169.254.169.254]/",
    "http://[fd00:ec2::254]/",
    "http://[fe80::a9fe:a9fe]/",
    "http://100.100.100.200/",
    "http://168.63.129.16/",
    "http://192.0.0.192/",
    "http://metadata.google.internal/",
    "http://metadata.google.internal./",
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://172.31.255.255/",
    "http://192.168.1.1/",
    "http://100.64.0.1/",
    "http://198.18.0.1/",
    "http://192.0.2.1/",
    "http://224.0.0.1/",
    "http://255.255.255.255/",
    "http://240.0.0.1/",
    "http://[fc00::1]/",
    "http://[fe80::1%lo]/",
    "http://[fec0::1]/",
    "http://[ff02::1]/",
    "http://[2001::7f00:1]/",
    "http://[2001:db8::1]/",
    "http://[2002:0a00:1::1]/",
    "http://[64:ff9b:1::a00:1]/",
    "http://[100::1]/",
    "http://private.example/",
)
MALFORMED = (
    "http://user@example.com/",
    "http://user:password@127.0.0.1/",
    "http://example.com@127.0.0.1/",
    "http://@example.com/",
    "file:///etc/passwd",
    "ftp://127.0.0.1/x",
    "gopher://127.0.0.1:25/_MAIL",
    "dict://127.0.0.1:11211/stat",
    "ldap://127.0.0.1/",
    "jar:http://127.0.0.1!/x",
    "data:text/html;base64,PHNjcmlwdD4=",
    "javascript:alert(1)",
    "unix:/var/run/docker.sock",
    "http:///etc/passwd",
    "http://",
    "//127.0.0.1/",
    "http://[::1",
    "http://127.0.0.1:99999/",
    "http://127.0.0.1:port/",
    "",
)
NAMES = {
    "127.0.0.1": [["127.0.0.1"]],  # with a dot at its end it is a name
    "localhost": [["127.0.0.1", "::1"]],
    "ip6-loopback": [["::1"]],
    "inside.example": [["127.0.0.1"]],
    "inside6.example": [["::1", "127.0.0.1"]],
    "mapped.example": [["::ffff:127.0.0.1"]],
    "private.example": [["10.0.0.1", "192.168.0.1", "fd00::1"]],
    "metadata.google.internal": [["169.254.169.254"]],
}


@pytest.fixture
async def names() -> Names:
    """No name of these tests is looked up outside."""
    resolver = Names({name: [list(each) for each in known] for name, known in NAMES.items()})
    trio.socket.set_custom_hostname_resolver(resolver)
    return resolver


@pytest.fixture
async def trap(names: Names) -> AsyncIterator[Server]:
    """A server on 127.0.0.1; who reaches it has gone too far."""
    async with serving(saying(answer(b"secret")), "127.0.0.1") as server:
        yield server
    assert server.connections == 0


def fetcher(**times: float) -> Fetcher:
    defaults = {"connect_timeout": 5.0, "idle_timeout": 5.0, "total_timeout": 10.0}
    return Fetcher(Egress(allow_networks=[f"{OPENED}/32"]), **defaults | times)  # type: ignore[arg-type]


async def fetch(url: str, *, cut: bool = False) -> Fetched:
    return await fetcher().fetch(url, limit=LIMIT, cut=cut)


async def refused(script: Script, **times: float) -> tuple[MediaError, Server]:
    """What a fetch from a server with this script fails with."""
    async with serving(script, OPENED) as server:
        with pytest.raises(MediaError) as error:
            await fetcher(**times).fetch(f"{server.url}/file.png", limit=LIMIT)
    return error.value, server


def is_so(error: MediaError, other: MediaError) -> bool:
    """Whether two errors say the same."""
    return (type(error), str(error)) == (type(other), str(other))


# --- Where to --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", LOOPBACK)
async def test_no_way_of_writing_it_leads_to_this_machine(url: str, trap: Server) -> None:
    with pytest.raises(UrlForbidden) as refusal:
        await fetch(url.format(port=trap.port))
    assert "127" not in str(refusal.value)


@pytest.mark.parametrize("url", ELSEWHERE)
async def test_no_address_that_is_not_of_the_public_internet_is_connected_to(url: str, names: Names) -> None:
    with pytest.raises(UrlForbidden):
        await fetch(url)


@pytest.mark.parametrize("url", MALFORMED)
async def test_what_is_no_plain_http_url_is_refused(url: str, names: Names) -> None:
    with pytest.raises(UrlForbidden):
        await fetch(url)
    assert names.asked == []


async def test_a_name_is_looked_up_once_and_that_answer_is_connected_to(names: Names, trap: Server) -> None:
    async with serving(saying(answer(b"ok")), OPENED) as server:
        names.answers["rebound.example"] = [[OPENED], ["127.0.0.1"]]
        fetched = await fetch(f"http://rebound.example:{server.port}/")
        assert fetched.data == b"ok"
        assert names.asked == ["rebound.example"]
        assert b"Host: rebound.example" in server.requests[0]
        with pytest.raises(UrlForbidden):
            await fetch(f"http://rebound.example:{trap.port}/")


async def test_of_many_addresses_a_permitted_one_is_taken(names: Names, trap: Server) -> None:
    async with serving(saying(answer(b"ok")), OPENED) as server:
        names.answers["mixed.example"] = [["127.0.0.1", "10.0.0.1", OPENED]]
        assert (await fetch(f"http://mixed.example:{server.port}/")).data == b"ok"


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1:{port}/",
        "//127.0.0.1:{port}/",
        "http://localhost:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "http://0x7f.1:{port}/",
        "http://169.254.169.254/latest/",
        "http://user:password@example.com/",
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
    ],
)
async def test_a_redirect_goes_no_further_than_a_url_may(target: str, trap: Server) -> None:
    script = saying(moved(target.format(port=trap.port)))
    async with serving(script, OPENED) as server:
        with pytest.raises(UrlForbidden):
            await fetch(server.url)
        assert server.connections == 1


@pytest.mark.parametrize(
    "status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"]
)
async def test_a_redirect_is_followed_and_relative_to_where_it_came_from(status: str) -> None:
    async def script(server: Server, stream: Stream) -> None:
        there = server.requests[-1].startswith(b"GET /there/b?c=d HTTP/1.1\r\n")
        await server.send(stream, answer(b"ok") if there else moved("b?c=d", status))

    async with serving(script, OPENED) as server:
        fetched = await fetch(f"{server.url}/there/a")
        assert (fetched.data, fetched.url) == (b"ok", f"{server.url}/there/b?c=d")


async def test_redirects_end_after_five() -> None:
    error, server = await refused(saying(moved("/again")))
    assert is_so(error, MediaFetchFailed("more than 5 redirects"))
    assert server.connections == 6


async def test_a_redirect_to_a_name_that_was_rebound_meanwhile_is_judged_anew(
    names: Names, trap: Server
) -> None:
    names.answers["turning.example"] = [[OPENED], ["127.0.0.1"]]
    async with serving(saying(moved("/again")), OPENED) as server:
        with pytest.raises(UrlForbidden):
            await fetch(f"http://turning.example:{server.port}/")


# --- How much, and how long ------------------------------------------------------------------------------


async def test_a_declared_length_beyond_the_limit_is_not_waited_for() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
    error, _ = await refused(saying(head % (LIMIT + 1), then_hang=True))
    assert is_so(error, MediaTooLarge(f"{LIMIT} bytes"))


@pytest.mark.parametrize("length", ["-1", "1e9", "9" * 5000, "5, 6", "0x10"])
async def test_a_length_that_is_none_is_no_answer(length: str) -> None:
    error, _ = await refused(saying(f"HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\nhello".encode()))
    assert isinstance(error, MediaFetchFailed | MediaTooLarge)


ENDLESS = {
    "closed": (b"HTTP/1.0 200 OK\r\n\r\n", b"x" * 65536),
    "chunked": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"10000\r\n" + b"x" * 65536 + b"\r\n",
    ),
}


@pytest.mark.parametrize("kind", ENDLESS)
async def test_an_endless_body_is_read_to_the_limit_and_no_further(kind: str) -> None:
    error, server = await refused(repeating(*ENDLESS[kind]))
    assert is_so(error, MediaTooLarge(f"{LIMIT} bytes"))
    assert server.sent < LIMIT + (16 << 20)  # what fits into the system's buffers


async def test_of_a_page_the_first_part_is_enough() -> None:
    async with serving(repeating(*ENDLESS["closed"]), OPENED) as server:
        assert (await fetch(server.url, cut=True)).data == b"x" * LIMIT


@pytest.mark.parametrize(
    "script",
    [
        saying(b"", then_hang=True),
        saying(b"HTTP/1.1 200", then_hang=True),
        saying(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx", then_hang=True),
    ],
)
async def test_a_server_that_falls_silent_is_left(script: Script) -> None:
    error, _ = await refused(script, idle_timeout=0.1)
    assert is_so(error, MediaFetchFailed("no answer in time"))


@pytest.mark.parametrize(
    ("head", "piece"),
    [
        (b"HTTP/1.0 200 OK\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\n", b"a: b\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
)
async def test_a_server_that_drips_for_ever_is_left(head: bytes, piece: bytes) -> None:
    error, _ = await refused(repeating(head, piece, every=0.01), total_timeout=0.3)
    assert is_so(error, MediaFetchFailed("it took too long"))


async def test_so_many_fetches_and_no_more_go_on_at_once() -> None:
    few = Fetcher(Egress(allow_networks=[f"{OPENED}/32"]), connections=2, total_timeout=0.3)
    async with serving(saying(b"", then_hang=True), OPENED) as server, trio.open_nursery() as nursery:

        async def one() -> None:
            with pytest.raises(MediaFetchFailed):
                await few.fetch(server.url, limit=LIMIT)

        for _ in range(5):
            nursery.start_soon(one)
        while server.connections < 2:
            await trio.sleep(0.01)
        await trio.sleep(0.05)
        assert server.connections == 2


def packed(coding: str, data: bytes) -> bytes:
    return answer(data, f"Content-Encoding: {coding}")


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "GZIP", "deflate"])
async def test_what_unpacks_to_too_much_is_refused_at_the_limit(coding: str) -> None:
    zeros = bytes(200 << 20)
    body = zlib.compress(zeros, 1) if coding == "deflate" else gzip.compress(zeros, 1, mtime=0)
    error, _ = await refused(saying(packed(coding, body)))
    assert is_so(error, MediaTooLarge(f"{LIMIT} bytes"))


async def test_what_was_packed_though_nobody_asked_is_unpacked() -> None:
    async with serving(saying(packed("gzip", gzip.compress(b"hello", mtime=0))), OPENED) as server:
        assert (await fetch(server.url)).data == b"hello"
        assert b"accept-encoding: identity" in server.requests[0].lower()


@pytest.mark.parametrize(
    "given",
    [
        packed("gzip", b"hello"),
        packed("gzip", gzip.compress(b"hello", mtime=0)[:-12] + b"\0" * 12),
        packed("br", b"hello"),
        packed("gzip, gzip", gzip.compress(gzip.compress(b"hello", mtime=0), mtime=0)),
        answer(b"", "Content-Type: image/png"),
        answer(b"", status="204 No Content"),
        answer(b"no", status="404 Not Found"),
        answer(b"no", status="500 Internal"),
        answer(b"", status="302 Found"),
        answer(b"hello", status="206 Partial Content"),
        b"hello there\r\n\r\n",
        b"220 mail.example.com ESMTP\r\n",
        b"-ERR unknown command 'GET'\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 50_000,
        b"",
    ],
)
async def test_no_proper_answer_is_no_file_and_the_reason_says_nothing_of_it(given: bytes) -> None:
    error, _ = await refused(saying(given))
    assert isinstance(error, MediaFetchFailed)
    assert not {"hello", "mail", "ERR", OPENED} & set(error.reason.replace("'", " ").split())


async def test_a_fetch_that_is_cancelled_leaves_the_next_unharmed() -> None:
    async with serving(saying(b"", then_hang=True), OPENED) as silent:
        one = fetcher()
        for _ in range(20):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(lambda: one.fetch(silent.url, limit=LIMIT))
                await trio.sleep(0.002)
                nursery.cancel_scope.cancel()
        async with serving(saying(answer(b"ok")), OPENED) as server:
            assert (await one.fetch(server.url, limit=LIMIT)).data == b"ok"
