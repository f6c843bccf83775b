"""What the chaos came to: which promises were not kept, and how long sessions were away."""

import time
from collections import Counter

from attrs import frozen

from tests.nodes.gaps import Gap, percentile
from tests.nodes.troubles import Happened
from tests.nodes.witness import Login
from tests.whole.asking import Outcomes
from tests.whole.consumers import Told
from tests.whole.inbound import Inbound

__all__ = ["Findings"]

LATE = 2.0
"""Seconds around a trouble within which what is lost is lost by it."""

LONGEST = 10
"""Absences that are told of one by one."""


@frozen(kw_only=True)
class Findings:
    """All that there is to judge."""

    happened: list[Happened]
    logins: list[Login]
    trespasses: list[str]
    gaps: list[Gap]
    events: dict[str, tuple[int, int, int]]
    """By session: the first seq, the last, and how many."""
    consumers: list[Told]
    answers: Counter[str]
    """To requests to send, by status."""
    outcomes: Outcomes
    inbound: dict[str, Inbound]
    written: dict[str, dict[str, float]]
    """By session, when each message was written to it; Unix times."""
    balance: dict[str, int]
    """By node, how many sessions it has in the end."""

    @property
    def silent(self) -> int:
        """Messages that WhatsApp was told we have, and that are neither stored nor told as lost."""
        return sum(len(each.silent) for each in self.inbound.values())

    @property
    def unseen(self) -> list[str]:
        """By their keys, messages that WhatsApp took, and that the phones had for ones they knew."""
        return [key for key, (end, times, _) in self.outcomes.wrong.items() if (end, times) == ("sent", 0)]

    def broken(self) -> list[str]:
        """The promises that were not kept, a line for each time."""
        # Two losses that docs/limits.md tells of: what a killed client's process had acknowledged and not yet
        # on the disk, and what was sent while something came in from the same person.
        bound = 1 + len(self.happened) // 10
        return [
            *(f"two at once: {login}" for login in self.logins if login.overlap),
            *(f"not its owner's: {each}" for each in self.trespasses),
            *(
                f"events of {name} are not 1 to {last}, each once"
                for name, (first, last, count) in self.events.items()
                if (first, last) != (1, count)
            ),
            *(f"missing: {gap}" for each in self.consumers for gap in each.gaps),
            # Webhooks are told at least once, all others once.
            *(
                f"{each.name} was told {each.again} times again"
                for each in self.consumers
                if each.again and each.name != "webhook"
            ),
            *(
                f"asked again, answered otherwise: {key} {what}"
                for key, what in self.outcomes.changed.items()
            ),
            *(
                f"sent, and arrived otherwise: {key} {what}"
                for key, what in self.outcomes.wrong.items()
                if key not in self.unseen
            ),
            *([f"never seen: {self.unseen}, more than {bound}"] if len(self.unseen) > bound else []),
            *(
                f"told as lost and stored: {name} {each.told & each.stored}"
                for name, each in self.inbound.items()
                if each.told & each.stored
            ),
            *([f"lost in silence: {self.silent} messages, not {bound}"] if self.silent > bound else []),
        ]

    def told(self) -> str:
        """All of it in lines."""
        inbound = {
            name: sum(len(getattr(each, name)) for each in self.inbound.values())
            for name in ("delivered", "stored", "told", "silent")
        }
        twice = sum(each.overlap > 0 for each in self.logins)
        ends = dict(Counter(self.outcomes.ends.values()))
        lines = [
            *map(line, self.happened),
            f"{len(self.happened)} troubles: {dict(Counter(each.kind.value for each in self.happened))}",
            f"  logins: {len(self.logins)}, two at once {twice}, not the owner's {len(self.trespasses)}",
            f"  events: {sum(count for _, _, count in self.events.values())}",
            *(
                f"    {each.name}: {each.count} taken, {each.again} again, missing {len(each.gaps)}"
                for each in self.consumers
            ),
            f"  to send: {len(self.outcomes.ends)}, answers {dict(self.answers)}, ends {ends}",
            f"  sent and never seen: {self.unseen}",
            f"  inbound: {inbound}",
            *(f"    lost in silence: {what}" for what in self._silent_by_time()),
            "  seconds away:",
            *(f"    {name}: {_summary(seconds)}" for name, seconds in sorted(self._away().items())),
            *(
                f"    {gap.seconds:.1f} s from {_clock(gap.lost)}: {gap.phone}, lost by {gap.host}"
                for gap in sorted(self.gaps, key=lambda gap: -gap.seconds)[:LONGEST]
            ),
            f"  in the end: {self.balance}",
        ]
        return "\n".join(lines)

    def _silent_by_time(self) -> list[str]:
        """What was lost in silence, one session after the other, and what had just befallen which node."""
        found = []
        for name, each in sorted(self.inbound.items()):
            for at in sorted(self.written[name][message_id] for message_id in each.silent):
                then = [
                    f"{one.node} {one.kind}" for one in self.happened if one.begin - LATE <= at <= one.end
                ]
                found.append(f"{name} at {_clock(at)}: {', '.join(then)}")
        return found

    def _away(self) -> dict[str, list[float]]:
        """By what befell the node that lost the session last; without any it was handed over for balance."""
        away = {"all": [gap.seconds for gap in self.gaps]}
        for gap in self.gaps:
            causes = [
                each.kind.value
                for each in self.happened
                if each.host == gap.host and each.begin - LATE <= gap.lost <= each.end + LATE
            ]
            away.setdefault(causes[-1] if causes else "balance", []).append(gap.seconds)
        return away


def line(each: Happened) -> str:
    """One trouble."""
    at = _clock(each.begin)
    return (
        f"  {at} {each.node} {each.kind}, for {each.lasting:.1f} s, well after {each.end - each.begin:.1f} s"
    )


def _clock(at: float) -> str:
    return time.strftime("%H:%M:%S", time.gmtime(at)) + f"{at % 1:.3f}"[1:]


def _summary(seconds: list[float]) -> str:
    half, most, all_of_them = (percentile(seconds, share) for share in (0.5, 0.99, 1))
    return f"{len(seconds)}, p50 {half:.2f}, p99 {most:.2f}, longest {all_of_them:.2f}"
