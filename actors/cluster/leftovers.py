"""What a session's client had received here and nobody stored, when the session has gone to another node.

Its journal lies on this node's disk. All past what was stored in time is handed in, for the node that has
the session now; then the journal goes. So what a node had acknowledged to WhatsApp before it was killed,
stopped or cut off comes through as soon as the node is back.
"""

import logging
import shutil
from collections.abc import Mapping
from pathlib import Path

import trio

from actors.whatsapp.journal import Journal, JournalBusy
from storage.nodes import Ended, Nodes
from storage.rows import Leftover

__all__ = ["hand_in"]

log = logging.getLogger("cluster")

ALONE = 0
"""The epoch of a journal from before there were many nodes, which lies in its session's own folder."""


async def hand_in(nodes: Nodes, journals: Path, running: Mapping[str, int]) -> None:
    """Hand in what is left of all sessions' times here, but for those that run. Raises StorageError."""
    held = [each for each in await trio.to_thread.run_sync(_held, journals) if each not in running.items()]
    if not held:
        return
    for ended in await nodes.ended(held):
        folder = _folder(journals, ended.session_id, ended.epoch)
        if ended.after is not None:
            try:
                records = await trio.to_thread.run_sync(_records, folder, ended)
            except JournalBusy:  # its client is about to end
                continue
            await nodes.hand_in(ended, records)
            if records:
                log.info("leftovers_handed_in session=%s count=%s", ended.session_id, len(records))
        await trio.to_thread.run_sync(_remove, folder)


def _held(journals: Path) -> list[tuple[str, int]]:
    """All journals that are here, by session and epoch."""
    found = []
    for session in journals.iterdir() if journals.is_dir() else ():
        found += [(session.name, int(each.name)) for each in session.iterdir() if each.name.isdecimal()]
        if (session / "lock").exists():
            found.append((session.name, ALONE))
    return found


def _folder(journals: Path, session_id: str, epoch: int) -> Path:
    return journals / session_id if epoch == ALONE else journals / session_id / str(epoch)


def _records(folder: Path, ended: Ended) -> list[Leftover]:
    """Those past what was stored. Raises JournalBusy."""
    assert ended.after is not None
    journal = Journal.open(folder, ended.after)
    try:
        records = []
        while (record := journal.read()) is not None:
            records.append(
                Leftover(
                    session_id=ended.session_id,
                    epoch=ended.epoch,
                    seq=record.seq,
                    kind=record.kind,
                    at=record.at,
                    payload=record.payload,
                )
            )
        return records
    finally:
        journal.close()


def _remove(folder: Path) -> None:
    """A journal, but not those of other epochs that lie in its folder."""
    for path in folder.glob("[0-9]*.log"):
        path.unlink()
    (folder / "lock").unlink(missing_ok=True)
    if not any(folder.iterdir()):
        shutil.rmtree(folder)
