"""The symmetric ratchet: a chain of keys, one a message, which only runs forward.

Messages that arrive out of order find the keys that were skipped for them, up to a limit.
"""

from typing import Self

import attrs

from loopback.signal.cipher import mac
from loopback.signal.errors import DuplicateError, TooFarAheadError

MAX_AHEAD = 2000
"""How far one message may run the chain forward; libsignal's limit."""
MAX_SKIPPED = 2000
"""How many keys of messages not yet arrived are kept; the oldest go first."""


@attrs.frozen
class Chain:
    """A value: a step returns a new chain, so a step made for a message that proves false costs nothing."""

    key: bytes = attrs.field(repr=False)
    counter: int = 0
    """The number of the message that the key is for."""
    skipped: dict[int, bytes] = attrs.field(factory=dict, repr=False)
    """Seeds of message keys by counter, in the order skipped."""

    def next(self) -> tuple[Self, bytes]:
        """The chain after its current message, and the 32 byte seed of that message's keys."""
        advanced = attrs.evolve(self, key=mac(self.key, b"\x02"), counter=self.counter + 1)
        return advanced, mac(self.key, b"\x01")

    def take(self, counter: int) -> tuple[Self, bytes]:
        """The chain without the seed for that message, and the seed.

        Raises DuplicateError when it was taken before, and TooFarAheadError beyond MAX_AHEAD.
        """
        if counter < self.counter:
            if counter not in self.skipped:
                raise DuplicateError(counter)
            rest = {n: seed for n, seed in self.skipped.items() if n != counter}
            return attrs.evolve(self, skipped=rest), self.skipped[counter]
        if counter - self.counter > MAX_AHEAD:
            raise TooFarAheadError(counter, self.counter)
        chain, skipped = attrs.evolve(self, skipped={}), dict(self.skipped)
        while chain.counter < counter:
            skipped[chain.counter] = mac(chain.key, b"\x01")
            chain, _ = chain.next()
        for oldest in list(skipped)[: max(0, len(skipped) - MAX_SKIPPED)]:
            del skipped[oldest]
        chain, seed = chain.next()
        return attrs.evolve(chain, skipped=skipped), seed
