"""Cells, each a child process under supervision, and the pool that gives sessions their clients in them.

    DynamicSupervisor "cells"
    ├─ cell-1             shared by up to `sessions_per_cell` paired sessions
    ├─ cell-2             the warm spare
    └─ pairing-SESSION    of its own for a session that pairs, gone when that moves to a shared one

A cell that dies takes its sessions' clients with it: each session gets ClientLost, after all that was
received, and attaches again. One that has outgrown its memory hands its sessions over and ends; one that has
started its share of clients takes no more and ends when the last has left.
"""

from .cell import Cell, CellCrashed
from .config import CellConfig
from .pool import CellPool
from .stats import CellStats

__all__ = ["Cell", "CellConfig", "CellCrashed", "CellPool", "CellStats"]
