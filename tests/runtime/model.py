"""A plain model of a supervisor: what shall happen to children that die, told without a loop or a task."""

from __future__ import annotations

from attrs import Factory, define

from runtime import Restart, Strategy

MIN, MAX = 1.0, 4.0
"""The model's back-off doubles from MIN to MAX seconds, and a life of MAX seconds ends a row of failures."""
MAX_FAILURES = 2


class Refused(Exception):
    """An operation that shall be refused with the error of that name."""


@define(eq=False)
class Child:
    id: str
    restart: Restart
    backs_off: bool
    state: str = "stopped"
    failures: int = 0
    began: float = 0.0
    due: float = 0.0
    row: int = 0
    """Which recovery it waits with."""


@define(eq=False)
class Model:
    """The children in start order; `journal` is what they shall have done."""

    strategy: Strategy
    intensity: int
    period: float
    now: float = 0.0
    over: bool = False
    children: list[Child] = Factory(list)
    failing: dict[str, int] = Factory(dict)
    """How many of the next starts of a child shall fail."""
    journal: list[str] = Factory(list)
    _restarts: list[float] = Factory(list)
    _rows: int = 0

    def states(self) -> dict[str, str]:
        return {} if self.over else {child.id: child.state for child in self.children}

    def find(self, id_: str) -> Child:
        for child in self.children:
            if child.id == id_:
                return child
        raise Refused("ChildNotFound")

    # Operations

    def start(self, id_: str, restart: Restart, backs_off: bool) -> None:
        for child in self.children:
            if child.id == id_:
                alive = child.state in {"running", "backing_off"}
                raise Refused("AlreadyStarted" if alive else "AlreadyPresent")
        child = Child(id_, restart, backs_off)
        self.children.append(child)
        if not self._starts(child):
            self.children.remove(child)
            raise Refused("StartFailed")

    def terminate(self, id_: str) -> None:
        child = self.find(id_)
        self._end(child)
        if child.state != "ended":
            child.state = "stopped"
        if child.restart is Restart.TEMPORARY:
            self.children.remove(child)

    def restart(self, id_: str) -> None:
        child = self.find(id_)
        if child.state == "running":
            raise Refused("ChildRunning")
        child.failures = 0
        child.state = "stopped"
        if not self._starts(child):
            raise Refused("StartFailed")

    def delete(self, id_: str) -> None:
        child = self.find(id_)
        if child.state == "running":
            raise Refused("ChildRunning")
        self.children.remove(child)

    # Events

    def die(self, ids: set[str], abnormal: bool) -> None:
        """These running children end in one step."""
        dead = [child for child in self.children if child.id in ids]
        for child in dead:
            self._end(child)
            wanted = child.restart is Restart.PERMANENT or (child.restart is Restart.TRANSIENT and abnormal)
            child.state = "dead" if wanted else "ended"
            if child.restart is Restart.TEMPORARY:
                self.children.remove(child)
        while not self.over:
            waiting = [child for child in dead if child.state == "dead"]
            if not waiting:
                break
            self._recover(waiting[0], self.now - waiting[0].began)

    def pass_time(self, seconds: float) -> None:
        end = self.now + seconds
        while not self.over:
            due = [child for child in self.children if child.state == "backing_off" and child.due <= end]
            if not due:
                break
            first = min(due, key=lambda child: child.due)
            self.now = first.due
            self._start_row([child for child in due if child.row == first.row])
        self.now = end

    # Recovery

    def _recover(self, failed: Child, alive: float) -> None:
        wait = 0.0
        if failed.backs_off:
            if alive >= MAX:
                failed.failures = 0
            if failed.failures == MAX_FAILURES:
                failed.failures += 1
                failed.state = "failed"
                return
            wait = min(MAX, MIN * 2**failed.failures)
        else:
            self._restarts = [at for at in [*self._restarts, self.now] if self.now - at <= self.period]
            if len(self._restarts) > self.intensity:
                for child in reversed(self.children):
                    self._end(child)
                self.over = True
                return
        failed.failures += 1
        covered = [
            child for child in self._covered(failed) if child.state in {"running", "dead", "backing_off"}
        ]
        due = max([self.now + wait, *(child.due for child in covered if child.state == "backing_off")])
        for child in reversed(covered):
            self._end(child)
            if child.restart is Restart.TEMPORARY:
                self.children.remove(child)
        self._rows += 1
        row = [child for child in covered if child.restart is not Restart.TEMPORARY]
        for child in row:
            child.state, child.due, child.row = "backing_off", due, self._rows
        if due <= self.now:
            self._start_row(row)

    def _covered(self, failed: Child) -> list[Child]:
        match self.strategy:
            case Strategy.ONE_FOR_ONE:
                return [failed]
            case Strategy.ONE_FOR_ALL:
                return self.children
            case Strategy.REST_FOR_ONE:
                return self.children[self.children.index(failed) :]

    def _start_row(self, row: list[Child]) -> None:
        for child in row:
            child.state = "dead"
        for child in row:
            if not self._starts(child):
                child.state = "dead"
                self._recover(child, 0.0)
                if child.state != "failed":
                    return

    def _starts(self, child: Child) -> bool:
        if self.failing.get(child.id, 0) > 0:
            self.failing[child.id] -= 1
            self.journal.append(f"!{child.id}")
            return False
        self.journal.append(f"+{child.id}")
        child.state, child.began = "running", self.now
        return True

    def _end(self, child: Child) -> None:
        if child.state == "running":
            self.journal.append(f"-{child.id}")
            child.state = "dead"
