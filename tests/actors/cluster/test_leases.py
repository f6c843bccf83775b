"""However the steps of a few nodes fall out, one of them acts for a session, and writes under an epoch.

    LEASES_DEEP=1 pytest -s tests/actors/cluster/test_leases.py

explores larger settings too, which takes minutes. Each rule of the protocol is shown to be needed: without it
there is a story in which two nodes act or write, which is what a failure here prints as well.
"""

from __future__ import annotations

import os
from typing import Any

import attrs
import pytest

from tests.actors.cluster.explorer import Explorer
from tests.actors.cluster.leases import Leases, Rules, Setting
from tests.actors.cluster.world import World

SETTINGS = [
    Setting(slow_clocks=1, delays=True, crashes=True),
    Setting(writes=True, delays=True, crashes=True),
    Setting(hands_over=True, crashes=True),
    Setting(crashes=True, delays=True, pauses=True),
    Setting(sessions=2),
]
DEEP = [
    Setting(delays=True, slow_clocks=2, crashes=True, pauses=True),
    Setting(delays=True, hands_over=True, crashes=True, pauses=True),
    Setting(delays=True, hands_over=True, slow_clocks=1),
    Setting(delays=True, hands_over=True, writes=True, crashes=True),
    Setting(delays=True, sessions=2, crashes=True, pauses=True),
    Setting(delays=True, sessions=2, hands_over=True),
    Setting(delays=True, stragglers=True, crashes=True),
    Setting(delays=True, machines=3, crashes=True),
]

REGISTERED = "is registered in place of its earlier id,"
TWO_ACT = "gateway A and gateway B act"
BROKEN: dict[str, tuple[Setting, str]] = {
    "fenced": (Setting(writes=True), "written to under an older epoch"),
    "claims_raise_epochs": (Setting(writes=True), "two gateways wrote to session 0 under one epoch"),
    "reaps_expired_only": (Setting(), TWO_ACT),
    "counts_from_sending": (Setting(), TWO_ACT),
    "drift": (Setting(slow_clocks=1), TWO_ACT),
    "margin": (Setting(slow_clocks=1), TWO_ACT),
    "timers": (Setting(), TWO_ACT),
    "absolute_timers": (Setting(pauses=True), TWO_ACT),
    "starts_until_deadline": (Setting(slow_clocks=1), TWO_ACT),
    "stops_before_giving": (Setting(hands_over=True), TWO_ACT),
    "kills_what_hangs": (Setting(hands_over=True, pauses=True), TWO_ACT),
    "stops_before_registering": (Setting(), TWO_ACT),
    "never_restarts_given": (Setting(hands_over=True), TWO_ACT),
}


def named(setting: Setting) -> str:
    """By what differs from the plainest."""
    plain, this = attrs.asdict(Setting()), attrs.asdict(setting)
    return ",".join(f"{name}={value}" for name, value in this.items() if value != plain[name])


def check(setting: Setting) -> None:
    explorer: Explorer[World] = Explorer(Leases(setting))
    story = explorer.find_wrong() or explorer.find_dead_end()
    print(f"{len(explorer.origin)} states, {explorer.steps} steps")  # noqa: T201 - with -s
    assert story is None, story


@pytest.mark.parametrize("setting", SETTINGS, ids=named)
def test_one_node_at_a_time_acts_and_all_can_be_well_again(setting: Setting) -> None:
    check(setting)


@pytest.mark.skipif("LEASES_DEEP" not in os.environ, reason="takes minutes")
@pytest.mark.parametrize("setting", DEEP, ids=named)
def test_so_it_is_in_larger_settings(setting: Setting) -> None:
    check(setting)


@pytest.mark.parametrize("rule", BROKEN)
def test_each_rule_is_needed(rule: str) -> None:
    setting, wrong = BROKEN[rule]
    broken: dict[str, Any] = {rule: 0.0 if rule in {"drift", "margin"} else False}
    story = Explorer(Leases(setting, Rules(**broken))).find_wrong()
    assert story is not None
    assert wrong in story.splitlines()[0]


def test_every_rule_is_broken_once() -> None:
    assert BROKEN.keys() == {rule.name for rule in attrs.fields(Rules)}


def test_a_story_is_told_step_by_step_under_the_names_of_its_beginning() -> None:
    """The shortest of what happens when a session is started again whose handing over is still on its way."""
    story = Explorer(Leases(Setting(hands_over=True), Rules(never_restarts_given=False))).find_wrong()
    assert story is not None
    told = [line.strip() for line in story.splitlines()]
    assert told[0] == "gateway A and gateway B act for session 0:"
    assert "8. gateway A is told what it has" in told
    assert told[9:12] == [
        "9. gateway A stops session 0 and hands it over to gateway B's id",
        "10. gateway A looks at what it was told",
        "11. session 0 is handed over to gateway B's id",
    ]


def test_where_the_databases_clock_jumps_two_may_act_but_never_write() -> None:
    """The one assumption that only fencing survives: a step of that clock beyond margin and drift."""

    class Writing(Leases):
        def wrong(self, world: World) -> str | None:
            return world.wrong

    acting = Explorer(Leases(Setting(jumps=True))).find_wrong()
    assert acting is not None
    assert acting.startswith(TWO_ACT)
    assert Explorer(Writing(Setting(jumps=True, writes=True))).find_wrong() is None


def test_a_dead_end_is_found() -> None:
    """Were no row ever deleted, what a crashed gateway had would be a dead node's for good."""

    class Unreaped(Leases):
        def orderly(self, world: World) -> Any:
            for step, after in super().orderly(world):
                if "is reaped" not in step and REGISTERED not in step:
                    yield step, after

        def troubles(self, world: World) -> Any:
            for step, after in super().orderly(world):
                if REGISTERED in step:
                    yield step, after

    explorer = Explorer(Unreaped(Setting(crashes=True)))
    assert explorer.find_wrong() is None
    story = explorer.find_dead_end()
    assert story is not None
    assert story.startswith("a dead end:")
