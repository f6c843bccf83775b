"""Any story of deaths, failing starts, operations and time goes as the plain model tells it.

    MODEL_EXAMPLES=2000 [MODEL_SEED=N] pytest -s tests/runtime/test_model.py

tells so many stories (80 without) and prints the seed with which the same ones come again.
"""

from __future__ import annotations

import math
import os
import random
from typing import Any

import pytest
import trio
from hypothesis import HealthCheck, event, example, given, seed, settings
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from runtime import (
    Backoff,
    ChildSpec,
    OnExhausted,
    Restart,
    RestartIntensityExceeded,
    State,
    Strategy,
    SupervisionError,
    Supervisor,
)
from tests.runtime.model import MAX, MAX_FAILURES, MIN, Model, Refused
from tests.runtime.stage import Stage, running, states

EXAMPLES = int(os.environ.get("MODEL_EXAMPLES", "80"))
SEED = int(os.environ.get("MODEL_SEED") or random.randrange(2**32))
IDS = "abcde"
PERIOD = 3.0
BACKOFF = Backoff(MIN, MAX, jitter=0.0, max_failures=MAX_FAILURES, on_exhausted=OnExhausted.GIVE_UP)

some_id = st.sampled_from(IDS)
kinds = st.tuples(st.sampled_from(Restart), st.booleans())
steps = st.one_of(
    st.tuples(st.just("die"), st.sets(some_id, min_size=1), st.booleans()),
    st.tuples(st.just("kill"), some_id),
    st.tuples(st.sampled_from(["terminate", "restart", "delete", "start"]), some_id),
    st.tuples(st.just("fail starts"), some_id, st.integers(1, 3)),
    st.tuples(st.just("pass"), st.sampled_from([0.5, 1.5, 9.0])),
)


@pytest.fixture(scope="module", autouse=True)
def told() -> None:
    print(f"\n{EXAMPLES} stories, MODEL_SEED={SEED}")  # noqa: T201 - shown when one fails, or with -s


@example(  # two recoveries that are due at one instant
    strategy=Strategy.REST_FOR_ONE,
    intensity=100,
    kinds={id_: (Restart.PERMANENT, id_ == "a") for id_ in IDS},
    story=[("die", {"a"}, False), ("restart", "b"), ("die", {"b"}, False), ("pass", 1.5)],
)
@seed(SEED)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    strategy=st.sampled_from(Strategy),
    intensity=st.sampled_from([1, 3, 100]),
    kinds=st.fixed_dictionaries(dict.fromkeys(IDS, kinds)),
    story=st.lists(steps, max_size=15),
)
def test_a_supervisor_does_what_the_model_says(
    strategy: Strategy,
    intensity: int,
    kinds: dict[str, tuple[Restart, bool]],
    story: list[tuple[Any, ...]],
) -> None:
    trio.run(play, strategy, intensity, kinds, story, clock=MockClock(autojump_threshold=0))


async def play(
    strategy: Strategy, intensity: int, kinds: dict[str, tuple[Restart, bool]], story: list[tuple[Any, ...]]
) -> None:
    stage = Stage()
    model = Model(strategy, intensity, PERIOD)
    supervisor = Supervisor(strategy=strategy, intensity=intensity, period=PERIOD)

    def spec(id_: str) -> ChildSpec:
        restart, backs_off = kinds[id_]
        return stage.spec(id_, restart=restart, backoff=BACKOFF if backs_off else None)

    async with running(supervisor) as performance:
        for step in [("start", id_) for id_ in IDS[:3]] + story:
            model.journal.clear()
            stage.journal.clear()
            exact = True
            match step:
                case ("fail starts", str(id_), int(times)):
                    model.failing[id_] = times
                    stage.next_starts[id_] = [RuntimeError(id_) for _ in range(times)]
                case ("pass", float(seconds)):
                    await trio.sleep(seconds)
                    model.pass_time(seconds)
                    exact = strategy is not Strategy.ONE_FOR_ONE
                case ("die", set(ids), bool(abnormal)):
                    alive = {id_ for id_ in ids if states(supervisor).get(id_) is State.RUNNING}
                    for id_ in alive:
                        stage.say(id_, RuntimeError(id_) if abnormal else None)
                    await wait_all_tasks_blocked()
                    model.die(alive, abnormal)
                    exact = len(alive) < 2
                case ("kill", str(id_)):
                    if states(supervisor).get(id_) is State.RUNNING:
                        await supervisor.kill_child(id_)
                        model.die({id_}, abnormal=True)
                case (str(operation), str(id_)):
                    expected = refusal(model, operation, id_, kinds[id_])
                    method = getattr(supervisor, f"{operation}_child")
                    refused = None
                    try:
                        await method(spec(id_) if operation == "start" else id_)
                    except SupervisionError as error:
                        refused = type(error).__name__
                    assert refused == expected
            await wait_all_tasks_blocked()
            check(model, supervisor, stage, exact=exact)
            if model.over:
                event("the supervisor gave up")
                assert isinstance(performance.error, RestartIntensityExceeded)
                assert performance.error.period == PERIOD < math.inf
                break
        else:
            assert not performance.over.is_set()
            stage.journal.clear()
            await supervisor.stop()
            assert stage.journal == [
                f"-{child.id}" for child in reversed(model.children) if child.state == "running"
            ]


def refusal(model: Model, operation: str, id_: str, kind: tuple[Restart, bool]) -> str | None:
    """Does it with the model; the error's name, if it shall be refused."""
    try:
        if operation == "start":
            model.start(id_, *kind)
        else:
            getattr(model, operation)(id_)
    except Refused as refused:
        return str(refused)
    return None


def check(model: Model, supervisor: Supervisor, stage: Stage, *, exact: bool) -> None:
    """The journals agree, to the order where there is one; so do the states, unless all is over."""
    if exact:
        assert stage.journal == model.journal
    elif not model.over:
        assert sorted(stage.journal) == sorted(model.journal)
    if not model.over:
        assert {id_: state.value for id_, state in states(supervisor).items()} == model.states()
