"""Files that lie on WhatsApp's media host already: one that goes to many is uploaded once."""

import time
from collections import OrderedDict
from collections.abc import Callable

from attrs import define, field

from actors.whatsapp.client import MediaKind, Uploaded

_Which = tuple[str, MediaKind]


@define(eq=False)
class Uploads:
    """What one account uploaded of late, for so many seconds, and so many files at most.

    WhatsApp keeps a file for weeks. The limit is short because a message that is sent later than that should
    not name a file that is about to go.
    """

    lifetime: float = 3600.0
    limit: int = 200
    clock: Callable[[], float] = time.monotonic
    _known: OrderedDict[_Which, tuple[Uploaded, float]] = field(factory=OrderedDict, init=False)

    def get(self, media_id: str, kind: MediaKind) -> Uploaded | None:
        found = self._known.get((media_id, kind))
        if found is None or self.clock() - found[1] > self.lifetime:
            return None
        return found[0]

    def keep(self, media_id: str, kind: MediaKind, uploaded: Uploaded) -> None:
        self._known[media_id, kind] = (uploaded, self.clock())
        self._known.move_to_end((media_id, kind))
        while len(self._known) > self.limit:
            self._known.popitem(last=False)
