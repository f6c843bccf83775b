"""One worker, spoken to directly: what files do to it, and what it is kept from."""

import subprocess
import sys
import zlib
from collections.abc import Iterator
from contextlib import suppress
from socket import socket

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actors.decoding import (
    Audio,
    Converted,
    DecodersConfig,
    Image,
    Portrait,
    Sticker,
    Thumbnail,
    TooLarge,
    Undecodable,
    Video,
    Voice,
)
from actors.decoding.jobs import Job
from actors.decoding.launch import MB, launch
from actors.decoding.wire import HEADER, reply_of, to_request
from tests.actors.decoding.media import SOUNDS, animation, clip, encoded, noise, picture, tone

CONFIG = DecodersConfig()
JOBS: list[Job] = [Image(), Thumbnail(), Portrait(), Sticker(), Video(), Video(gif=True), Audio(), Voice()]


class Worker:
    """A worker's other end, without a pool."""

    def __init__(self) -> None:
        self.process: subprocess.Popen[bytes]
        self.socket: socket
        self.process, self.socket = launch(
            memory=CONFIG.memory_mb * MB, timeout=20, max_pixels=CONFIG.max_pixels, max_seconds=600
        )
        self.stream = self.socket.makefile("rb")
        assert self.stream.read(HEADER.size) == HEADER.pack(0, 0)

    def convert(self, job: Job, data: bytes) -> Converted:
        for part in to_request(job, data):
            self.socket.sendall(part)
        head, body = HEADER.unpack(self.stream.read(HEADER.size))
        return reply_of(self.stream.read(head), self.stream.read(body), data)

    def close(self) -> int:
        self.stream.close()
        self.socket.close()
        return self.process.wait(10)


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    worker = Worker()
    yield worker
    assert worker.close() == 0


@pytest.fixture(scope="module")
def files() -> list[bytes]:
    made = [encoded(noise((24, 16)), name) for name in ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "AVIF")]
    made += [animation(name, frames=3, size=(24, 16)) for name in ("GIF", "WEBP", "PNG")]
    made += [tone(kind, seconds=0.2) for kind in SOUNDS]
    made += [clip(seconds=0.4, size=(32, 32)), clip("webm", "libvpx", sound="libopus", seconds=0.4)]
    made += [clip("mov", "libx265", seconds=0.4), clip("avi", "mpeg4", sound="libmp3lame", seconds=0.4)]
    return made


def test_every_file_is_something_to_some_job(worker: Worker, files: list[bytes]) -> None:
    for data in files:
        made = 0
        for job in JOBS:
            try:
                worker.convert(job, data)
                made += 1
            except Undecodable:
                pass
        assert made >= 2


@settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_no_damage_makes_a_worker_fail(worker: Worker, files: list[bytes], data: st.DataObject) -> None:
    """It answers, and whatever it refuses it refuses as what the file's fault is: no DecoderFailed."""
    damaged = bytearray(data.draw(st.sampled_from(range(len(files))).map(files.__getitem__)))
    for _ in range(data.draw(st.integers(0, 12))):
        at = data.draw(st.integers(0, len(damaged) - 1) | st.integers(0, min(200, len(damaged) - 1)))
        damaged[at] = data.draw(st.integers(0, 255))
    cut = data.draw(st.just(len(damaged)) | st.integers(1, len(damaged)))
    job = data.draw(st.sampled_from(JOBS))
    with suppress(Undecodable, TooLarge):
        worker.convert(job, bytes(damaged[:cut]))


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(min_size=1), job=st.sampled_from(JOBS))
def test_no_bytes_make_a_worker_fail(worker: Worker, data: bytes, job: Job) -> None:
    with suppress(Undecodable, TooLarge):
        worker.convert(job, data)


def chunk(kind: bytes, data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")


def png_bomb(side: int) -> bytes:
    """A small file of very many transparent pixels."""
    packer = zlib.compressobj(9)
    line = bytes(1 + side * 4)
    body = b"".join(packer.compress(line) for _ in range(side)) + packer.flush()
    header = side.to_bytes(4, "big") * 2 + bytes([8, 6, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def test_a_decompression_bomb_is_refused_by_its_header(worker: Worker) -> None:
    bomb = bytearray(png_bomb(100))
    bomb[16:24] = (50_000).to_bytes(4, "big") * 2
    bomb[29:33] = zlib.crc32(bomb[12:29]).to_bytes(4, "big")
    for job in (Image(), Sticker(), Thumbnail(), Video(gif=True)):
        with pytest.raises(TooLarge, match="50000000 pixels"):
            worker.convert(job, bytes(bomb))


def test_a_text_that_unfolds_without_end_is_refused(worker: Worker) -> None:
    data = encoded(picture((8, 8)), "PNG")
    bomb = chunk(b"zTXt", b"note\0\0" + zlib.compress(bytes(100 * MB), 9))
    with pytest.raises(Undecodable):
        worker.convert(Image(), data[:33] + bomb * 3 + data[33:])


def test_the_largest_picture_allowed_fits_into_the_memory_allowed(worker: Worker) -> None:
    result = worker.convert(Image(), png_bomb(7070))
    assert (result.width, result.height) == (4096, 4096)


CONFINED = """
import os, socket, subprocess, sys, threading, ctypes
from actors.decoding.confinement import confine
before = os.dup(1)
confine(memory=64 * 1024 * 1024, parent=os.getppid())
def refused(what):
    try:
        what()
    except (OSError, RuntimeError, MemoryError) as error:
        return True
    return False
found = {
    "read a file": refused(lambda: open("/etc/passwd")),
    "write a file": refused(lambda: open("/tmp/terzetto-confined", "w")),
    "list a directory": refused(lambda: os.listdir("/")),
    "open a socket": refused(lambda: socket.socket()),
    "start a process": refused(lambda: os.fork()),
    "become another program": refused(lambda: os.execv("/bin/true", ["true"])),
    "signal its parent": refused(lambda: os.kill(os.getppid(), 0)),
    "start a thread": refused(lambda: threading.Thread(target=print).start()),
    "take much memory": refused(lambda: bytearray(80 * 1024 * 1024)),
    "see the environment": not os.environ,
}
os.write(before, "\\n".join(what for what, kept in found.items() if not kept).encode())
os._exit(0)
"""


def test_a_confined_process_is_kept_from_everything() -> None:
    done = subprocess.run([sys.executable, "-c", CONFINED], capture_output=True, timeout=30, check=False)
    assert (done.returncode, done.stdout.decode(), done.stderr.decode()) == (0, "", "")


def test_a_worker_ends_when_its_socket_closes() -> None:
    assert Worker().close() == 0


@pytest.mark.parametrize("junk", [b"\xff" * 20, HEADER.pack(2, 0) + b"{}", HEADER.pack(3, 0) + b"[1]"])
def test_a_request_that_is_none_does_not_hang_a_worker(junk: bytes) -> None:
    worker = Worker()
    worker.socket.sendall(junk)
    worker.socket.shutdown(1)
    worker.stream.read()
    assert worker.close() in {0, 1}
