"""Where sessions go: evenly by memory, a little at a time, and to nobody who has no room."""

from hypothesis import given
from hypothesis import strategies as st

from actors.cluster.placement import STEP, Member, Move, Plan, plan, spread

GB = 1 << 30


def member(id_: str, sessions: int, *, total: int = 4 * GB, used: int = GB, draining: bool = False) -> Member:
    return Member(id=id_, sessions=sessions, memory=used, memory_total=total, draining=draining)


def test_free_sessions_are_taken_up_to_the_share_and_a_few_at_once() -> None:
    assert plan("a", [member("a", 0)], 10) == Plan(take=10)
    assert plan("a", [member("a", 0), member("b", 0)], 10) == Plan(take=5)
    assert plan("a", [member("a", 4), member("b", 0)], 7) == Plan(take=2)
    assert plan("a", [member("a", 0)], 1000) == Plan(take=STEP)


def test_a_larger_machine_gets_more() -> None:
    members = [member("a", 0, total=6 * GB), member("b", 0, total=2 * GB)]
    assert (plan("a", members, 8).take, plan("b", members, 8).take) == (6, 2)


def test_what_is_above_its_share_by_little_stays() -> None:
    assert plan("a", [member("a", 6), member("b", 4)], 0) == Plan()
    assert plan("a", [member("a", 55), member("b", 45)], 0) == Plan()
    assert plan("a", [member("a", 60), member("b", 40)], 0) == Plan(moves=(Move(10, "b"),))


def test_what_is_moved_goes_where_most_is_missing_and_nothing_while_some_are_free() -> None:
    members = [member("a", 30), member("b", 8), member("c", 1)]
    assert plan("a", members, 0) == Plan(moves=(Move(12, "c"),))
    assert plan("a", members, 3).moves == ()


def test_who_is_short_of_memory_or_drained_gets_nothing() -> None:
    full, leaving = member("b", 0, used=4 * GB), member("c", 0, draining=True)
    members = [member("a", 10), full, leaving]
    assert plan("a", members, 0) == Plan()
    assert plan("b", members, 5) == Plan()
    assert plan("c", members, 5) == Plan()
    assert plan("a", members, 5) == Plan(take=5)


def test_a_node_that_is_not_registered_does_nothing() -> None:
    assert plan("x", [member("a", 9)], 3) == Plan()


def test_a_node_that_has_not_told_its_memory_counts_as_the_smallest() -> None:
    members = [member("a", 0, total=6 * GB), member("b", 0, total=2 * GB), member("c", 0, total=0, used=0)]
    assert plan("c", members, 10).take == 2


def test_a_drained_nodes_sessions_are_spread_over_the_others() -> None:
    members = [member("a", 4), member("b", 3), member("c", 0), member("d", 0, draining=True)]
    places = spread(5, "a", members)
    assert (places.count("b"), places.count("c")) == (1, 4)
    assert spread(5, "a", [member("a", 4)]) == []


@given(
    st.lists(st.tuples(st.integers(0, 300), st.integers(1, 64)), min_size=1, max_size=6), st.integers(0, 300)
)
def test_everybody_planning_for_itself_ends_in_balance_and_rests(
    nodes: list[tuple[int, int]], free: int
) -> None:
    """Each round all plan from the same table: all free ones are taken, and then no more moves."""
    sessions = {str(number): held for number, (held, _) in enumerate(nodes)}
    memory = {str(number): size * GB for number, (_, size) in enumerate(nodes)}
    total = sum(sessions.values()) + free
    for _ in range(200):
        members = [member(each, sessions[each], total=memory[each], used=0) for each in sessions]
        plans = {each: plan(each, members, free) for each in sessions}
        if all(each == Plan() for each in plans.values()):
            break
        for each, planned in plans.items():
            taken = min(planned.take, free)
            sessions[each] += taken
            free -= taken
            for move in planned.moves:
                sessions[each] -= move.count
                sessions[move.to] += move.count
    else:
        raise AssertionError(f"no rest: {sessions}, {free} free")
    assert free == 0
    assert sum(sessions.values()) == total
    for each, held in sessions.items():
        share = total * memory[each] / sum(memory.values())
        assert held <= share * 1.1 + 3
