"""What a journal holds past what was stored in time is handed in once, and nothing else is touched."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from attrs import define, field

from actors.cluster.leftovers import hand_in
from actors.whatsapp.journal import Journal
from storage.errors import DatabaseUnavailable
from storage.nodes import Ended, Nodes
from storage.rows import Leftover


@define
class Table:
    """What the database would say, and what it was given."""

    over: dict[tuple[str, int], int | None] = field(factory=dict)
    given: list[tuple[str, int, int, bytes]] = field(factory=list)
    away: bool = False

    async def ended(self, held: Collection[tuple[str, int]]) -> list[Ended]:
        return [Ended(*each, self.over[each]) for each in held if each in self.over]

    async def hand_in(self, ended: Ended, records: Sequence[Leftover]) -> None:
        if self.away:
            raise DatabaseUnavailable("away")
        assert all((each.session_id, each.epoch) == (ended.session_id, ended.epoch) for each in records)
        self.given += [(each.session_id, each.epoch, each.seq, each.payload) for each in records]

    @property
    def nodes(self) -> Nodes:
        return cast("Nodes", cast("Any", self))


def journal(folder: Path, count: int, *, seen: int = 0) -> None:
    written = Journal.open(folder, seen=seen)
    for number in range(count):
        written.append(3, bytes([number]))
    written.close()


async def test_all_past_what_was_stored_is_handed_in_and_the_journal_goes(tmp_path: Path) -> None:
    journal(tmp_path / "s1" / "4", 3, seen=10)
    table = Table({("s1", 4): 11})
    await hand_in(table.nodes, tmp_path, {})
    assert table.given == [("s1", 4, 12, b"\1"), ("s1", 4, 13, b"\2")]
    assert not (tmp_path / "s1" / "4").exists()
    await hand_in(table.nodes, tmp_path, {})
    assert len(table.given) == 2


async def test_what_runs_and_what_is_not_over_stays(tmp_path: Path) -> None:
    for epoch in (4, 5):
        journal(tmp_path / "s1" / str(epoch), 1)
    journal(tmp_path / "s2" / "1", 1)
    table = Table({("s1", 4): 0, ("s1", 5): 0})
    await hand_in(table.nodes, tmp_path, {"s1": 5})
    assert [each[:2] for each in table.given] == [("s1", 4)]
    assert [path.name for path in sorted(tmp_path.glob("*/*"))] == ["5", "1"]


async def test_a_journal_from_before_there_were_many_nodes_is_left_over_too(tmp_path: Path) -> None:
    journal(tmp_path / "s1", 2)
    journal(tmp_path / "s1" / "1", 1)
    table = Table({("s1", 0): 1})
    await hand_in(table.nodes, tmp_path, {"s1": 1})
    assert table.given == [("s1", 0, 2, b"\1")]
    assert [path.name for path in (tmp_path / "s1").iterdir()] == ["1"]


async def test_a_journal_that_a_client_still_has_waits(tmp_path: Path) -> None:
    journal(tmp_path / "s1" / "4", 1)
    table = Table({("s1", 4): 0})
    busy = Journal.open(tmp_path / "s1" / "4")
    await hand_in(table.nodes, tmp_path, {})
    assert table.given == []
    busy.close()
    await hand_in(table.nodes, tmp_path, {})
    assert len(table.given) == 1


async def test_nothing_goes_while_it_cannot_be_handed_in(tmp_path: Path) -> None:
    journal(tmp_path / "s1" / "4", 1)
    table = Table({("s1", 4): 0}, away=True)
    with pytest.raises(DatabaseUnavailable):
        await hand_in(table.nodes, tmp_path, {})
    table.away = False
    await hand_in(table.nodes, tmp_path, {})
    assert len(table.given) == 1


async def test_what_nobody_wants_any_more_is_removed(tmp_path: Path) -> None:
    journal(tmp_path / "gone" / "2", 1)
    table = Table({("gone", 2): None})
    await hand_in(table.nodes, tmp_path, {})
    assert table.given == []
    assert not (tmp_path / "gone" / "2").exists()
