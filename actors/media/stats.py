"""What is counted of files on their way in: plain numbers, read by whoever wants to know."""

from collections import Counter

from attrs import define, field


@define(eq=False)
class MediaStats:
    """The numbers of all sessions together."""

    fetches: Counter[str] = field(factory=Counter)
    """URLs that were asked for, by what came of it: fetched, failed, forbidden."""
    downloads: Counter[str] = field(factory=Counter)
    """Files of messages, by what came of it: downloaded, gone, failed."""
