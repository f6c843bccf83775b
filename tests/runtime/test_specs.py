"""Specs, flags, back-offs and mailboxes are checked when built, and name the field and the value."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from functools import partial
from typing import Any

import attrs
import pytest

from runtime import (
    BRUTAL,
    Actor,
    AutoShutdown,
    Backoff,
    ChildSpec,
    ChildType,
    DeadLetters,
    DynamicSupervisor,
    InvalidSpec,
    Mailbox,
    Overflow,
    Restart,
    SupervisionError,
    Supervisor,
)


async def child() -> None:
    raise AssertionError("never started")


spec = partial(ChildSpec, "a", child)

WRONG: list[tuple[Callable[..., Any], dict[str, Any], str]] = [
    (spec, {"restart": "permanent"}, "restart"),
    (spec, {"type": "worker"}, "type"),
    (spec, {"shutdown": -1}, "shutdown"),
    (spec, {"shutdown": math.nan}, "shutdown"),
    (spec, {"shutdown": None}, "shutdown"),
    (spec, {"significant": True}, "significant"),
    (spec, {"significant": 1}, "significant"),
    (spec, {"backoff": 1.0}, "backoff"),
    (spec, {"start_timeout": 0}, "start_timeout"),
    (spec, {"mailbox": Mailbox()}, "mailbox"),
    (partial(ChildSpec, start=child), {"id": ""}, "id"),
    (partial(ChildSpec, start=child), {"id": 7}, "id"),
    (partial(ChildSpec, "a"), {"start": None}, "start"),
    (Supervisor, {"strategy": "one_for_one"}, "strategy"),
    (Supervisor, {"intensity": -1}, "intensity"),
    (Supervisor, {"intensity": 1.5}, "intensity"),
    (Supervisor, {"period": 0}, "period"),
    (Supervisor, {"auto_shutdown": True}, "auto_shutdown"),
    (Supervisor, {"id": ""}, "id"),
    (Supervisor, {"rng": 4}, "rng"),
    (Supervisor, {"dead_letters": []}, "dead_letters"),
    (Supervisor, {"children": [child]}, "spec"),
    (Supervisor, {"children": [spec(), spec()]}, "id"),
    (Supervisor, {"children": [spec(restart=Restart.TRANSIENT, significant=True)]}, "significant"),
    (DynamicSupervisor, {"max_children": -1}, "max_children"),
    (DynamicSupervisor, {"template": child}, "spec"),
    (Backoff, {"min": -1, "max": 1}, "min"),
    (Backoff, {"min": 2, "max": 1}, "max"),
    (Backoff, {"min": 1, "max": 2, "factor": 0.5}, "factor"),
    (Backoff, {"min": 1, "max": 2, "jitter": -0.1}, "jitter"),
    (Backoff, {"min": 1, "max": 2, "reset_after": -1}, "reset_after"),
    (Backoff, {"min": 1, "max": 2, "max_failures": 0.5}, "max_failures"),
    (Backoff, {"min": 1, "max": 2, "on_exhausted": "give_up"}, "on_exhausted"),
    (Mailbox, {"capacity": 0}, "capacity"),
    (Mailbox, {"capacity": True}, "capacity"),
    (Mailbox, {"overflow": "block"}, "overflow"),
    (DeadLetters, {"capacity": -1}, "capacity"),
]


@pytest.mark.parametrize(("make", "arguments", "field"), WRONG)
def test_a_wrong_argument_is_refused_by_field_and_value(
    make: Callable[..., Any], arguments: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidSpec) as caught:
        make(**arguments)
    assert caught.value.field == field
    assert isinstance(caught.value, SupervisionError)
    if field in arguments and field != "max":
        assert caught.value.value is arguments[field]


def test_defaults_follow_the_type() -> None:
    worker, supervisor = spec(), spec(type=ChildType.SUPERVISOR)
    assert (worker.restart, worker.shutdown, worker.start_timeout) == (Restart.PERMANENT, 5.0, 30.0)
    assert supervisor.shutdown == math.inf
    assert spec(type=ChildType.SUPERVISOR, shutdown=BRUTAL).shutdown is BRUTAL


def test_specs_are_frozen() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        spec().id = "b"  # type: ignore[misc]


def test_a_significant_child_is_fine_where_a_supervisor_may_end_by_itself() -> None:
    significant = spec(restart=Restart.TEMPORARY, significant=True)
    supervisor = Supervisor([significant], auto_shutdown=AutoShutdown.ANY_SIGNIFICANT)
    assert supervisor.get_childspec("a") is significant


def test_a_mailbox_factory_must_make_a_mailbox() -> None:
    with pytest.raises(InvalidSpec, match="mailbox"):
        Supervisor([ChildSpec("a", Actor, mailbox=dict)])  # type: ignore[arg-type]
    supervisor = Supervisor([ChildSpec("a", Actor, mailbox=partial(Mailbox, 3, Overflow.REJECT))])
    assert supervisor.ref("a").id == "a"


def test_backoff_grows_by_its_factor_up_to_max() -> None:
    backoff, rng = Backoff(1.0, 10.0, factor=3.0, jitter=0.0), random.Random(1)
    assert [backoff.delay(k, rng) for k in (0, 1, 2, 3, 9999)] == [1.0, 3.0, 9.0, 10.0, 10.0]


def test_backoff_is_lengthened_by_at_most_its_jitter() -> None:
    backoff, rng = Backoff(1.0, 10.0, jitter=0.5), random.Random(1)
    waits = [backoff.delay(5, rng) for _ in range(1000)]
    assert min(waits) >= 10.0
    assert 14.9 < max(waits) <= 15.0


def test_backoff_is_the_same_for_the_same_seed() -> None:
    backoff = Backoff(1.0, 10.0)
    first, second = random.Random(7), random.Random(7)
    assert [backoff.delay(k, first) for k in range(5)] == [backoff.delay(k, second) for k in range(5)]
