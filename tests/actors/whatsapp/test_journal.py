"""The journal loses nothing written whole, never gives a number twice, and lets go of what is stored."""

import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.whatsapp.journal import HEADER, SEGMENT_BYTES, Journal, JournalBusy, Record


def drain(journal: Journal) -> list[Record]:
    found = []
    while (record := journal.read()) is not None:
        found.append(record)
    return found


def segments(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.log"))


def test_what_was_appended_is_read_in_order(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    assert [journal.append(17, f"{n}".encode()) for n in range(5)] == [1, 2, 3, 4, 5]
    assert [(record.seq, record.kind, record.payload) for record in drain(journal)] == [
        (n + 1, 17, f"{n}".encode()) for n in range(5)
    ]
    assert journal.read() is None


def test_what_was_not_acknowledged_is_read_again_after_reopening(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    for n in range(10):
        journal.append(1, bytes([n]))
    drain(journal)
    journal.acknowledge(4)
    journal.close()
    journal = Journal.open(tmp_path, after=4)
    assert [record.seq for record in drain(journal)] == [5, 6, 7, 8, 9, 10]
    assert journal.append(1, b"") == 11


def test_numbers_go_on_from_the_database_when_the_files_are_gone(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path, after=500)
    assert journal.append(1, b"") == 501


def test_what_was_seen_and_not_stored_is_read_again_and_its_numbers_are_not_given_anew(
    tmp_path: Path,
) -> None:
    journal = Journal.open(tmp_path)
    for letter in (b"a", b"b", b"c"):
        journal.append(1, letter * 50_000)
    journal.close()
    journal = Journal.open(tmp_path, after=1, seen=5)
    assert [record.seq for record in drain(journal)] == [2, 3]
    assert journal.append(1, b"d") == 6


def test_numbers_go_on_from_the_files_when_the_database_is_behind(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    for _ in range(3):
        journal.append(1, b"")
    journal.close()
    assert Journal.open(tmp_path, after=1).append(1, b"") == 4


@pytest.mark.parametrize("cut", [1, 99, 100, HEADER.size + 99])
def test_a_torn_tail_is_cut_off_and_written_over(tmp_path: Path, cut: int) -> None:
    journal = Journal.open(tmp_path)
    journal.append(1, b"whole")
    journal.append(1, b"x" * 100)
    journal.append(1, b"y" * 100)
    (segment,) = segments(tmp_path)
    whole = segment.read_bytes()
    journal.close()
    segment.write_bytes(whole[:-cut])
    journal = Journal.open(tmp_path)
    assert [record.payload for record in drain(journal)] == [b"whole", b"x" * 100]
    assert journal.append(1, b"z") == 3
    journal.close()
    assert [record.payload[:1] for record in drain(Journal.open(tmp_path))] == [b"w", b"x", b"z"]


def test_damage_in_the_middle_costs_its_own_segment_only(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    big = bytes(SEGMENT_BYTES // 2 + 1)
    for _ in range(6):
        journal.append(1, big)
    journal.close()
    first, second, _ = segments(tmp_path)
    data = bytearray(second.read_bytes())
    data[HEADER.size] ^= 1
    second.write_bytes(data)
    journal = Journal.open(tmp_path)
    assert [record.seq for record in drain(journal)] == [1, 2, 5, 6]
    assert first.exists()


def test_segments_go_once_they_are_acknowledged(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    for _ in range(50):
        journal.append(1, bytes(100_000))
    assert len(segments(tmp_path)) == 5
    held = journal.held
    journal.acknowledge(30)
    assert len(segments(tmp_path)) == 3
    assert journal.held < held
    drain(journal)
    journal.acknowledge(50)
    assert segments(tmp_path) == []
    assert journal.held == 0
    assert journal.append(1, b"") == 51


def test_a_journal_that_was_stored_wholly_leaves_nothing_behind(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    journal.append(1, b"private")
    journal.acknowledge(1)
    journal.close()
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]


def test_an_acknowledgement_beyond_the_end_does_not_swallow_what_comes_later(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    journal.append(1, b"a")
    journal.acknowledge(1000)
    journal.append(1, b"b")
    journal.close()
    assert [record.payload for record in drain(Journal.open(tmp_path, after=1))] == [b"b"]


def test_reading_counts_what_is_outstanding(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    for _ in range(4):
        journal.append(1, b"")
    journal.read()
    journal.read()
    assert journal.outstanding == 2
    journal.acknowledge(1)
    assert journal.outstanding == 1


def test_two_processes_never_share_a_journal(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    program = (
        "import sys; from pathlib import Path; from actors.whatsapp.journal import Journal, JournalBusy\n"
        "try: Journal.open(Path(sys.argv[1]))\n"
        "except JournalBusy: print('busy')\n"
        "else: print('open')"
    )

    def other() -> str:
        done = subprocess.run(
            [sys.executable, "-c", program, str(tmp_path)], check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    assert other() == "busy"
    with pytest.raises(JournalBusy):
        Journal.open(tmp_path)
    journal.close()
    assert other() == "open"


@contextmanager
def file_size_limit(limit: int) -> Iterator[None]:
    """Every write beyond it fails, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_what_the_disk_refuses_is_kept_read_and_written_later(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    journal.append(1, b"a" * 1000)
    with file_size_limit(1200):
        journal.append(1, b"b" * 1000)
        assert journal.trouble is not None
        journal.append(1, b"c")
    assert [record.payload[:1] for record in drain(journal)] == [b"a", b"b", b"c"]
    journal.append(1, b"d")
    assert journal.trouble is None
    journal.close()
    assert [record.payload[:1] for record in drain(Journal.open(tmp_path))] == [b"a", b"b", b"c", b"d"]


def test_after_closing_records_are_dropped(tmp_path: Path) -> None:
    journal = Journal.open(tmp_path)
    journal.close()
    journal.append(1, b"late")
    assert journal.read() is None
    journal.acknowledge(1)
    journal.close()


steps = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(0, 60_000)),
        st.tuples(st.just("read"), st.integers(1, 5)),
        st.tuples(st.just("acknowledge"), st.integers(0, 5)),
        st.tuples(st.just("crash"), st.integers(0, 40)),
    ),
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(steps)
def test_whatever_happens_all_that_was_whole_and_not_stored_comes_again(steps: list[tuple[str, int]]) -> None:
    """A model: `kept` is what must come out, `stored` what the database has."""
    directory = Path(tempfile.mkdtemp())
    try:
        journal = Journal.open(directory)
        kept: dict[int, bytes] = {}
        stored = read = 0
        for step, number in steps:
            match step:
                case "append":
                    payload = bytes([number % 251]) * number
                    seq = journal.append(1, payload)
                    assert seq == max(kept, default=stored) + 1
                    kept[seq] = payload
                case "read":
                    for _ in range(number):
                        record = journal.read()
                        expected = min((seq for seq in kept if seq > read), default=None)
                        assert (None if record is None else record.seq) == expected
                        if record is not None:
                            assert record.payload == kept[record.seq]
                            read = record.seq
                case "acknowledge":
                    stored = max(stored, min(read, stored + number))
                    journal.acknowledge(stored)
                case "crash":
                    # The process dies in the middle of one more record.
                    torn = Record(1, max(kept, default=stored) + 1, 0, b"torn" * 10).encode()[:number]
                    journal.close()
                    if logs := segments(directory):
                        with logs[-1].open("ab") as file:
                            file.write(torn)
                    journal = Journal.open(directory, stored)
                    read = stored
            kept = {seq: payload for seq, payload in kept.items() if seq > stored}
        journal.close()
    finally:
        shutil.rmtree(directory)
