"""All that deals with files, put together as the configuration says.

media           one_for_one
└─ decoders     look into files and convert them, in processes of their own
"""

from typing import Self

import attrs
from attrs import define

from actors.decoding import Decoders, DecodersConfig
from actors.egress import Egress
from actors.media.download import Downloader
from actors.media.fetch import Fetcher
from actors.media.intake import Intake
from actors.media.room import Room
from api.config import Config
from api.stats import Stats
from runtime import ChildSpec, Ref, Supervisor
from storage.media import MediaStore
from storage.reads import Reads


@define(eq=False, kw_only=True)
class Filing:
    """The parts, and the supervisor of those that live."""

    store: MediaStore
    intake: Intake
    downloader: Downloader
    uploads: Room
    """For the bodies of requests."""
    supervisor: Supervisor

    @classmethod
    def of(cls, config: Config, stats: Stats, *, store: MediaStore, writer: Ref, reads: Reads) -> Self:
        media, tree = config.media, config.supervision.media
        memory = media.memory_mb << 20
        decoders = Decoders(DecodersConfig(**attrs.asdict(config.decoders)), stats.decoders)
        fetcher = Fetcher(
            egress=Egress(allow_private=media.allow_private, allow_networks=media.allow_networks),
            connections=media.fetches,
            connect_timeout=media.connect_timeout,
            idle_timeout=media.idle_timeout,
            total_timeout=media.fetch_timeout,
            stats=stats.media,
        )
        return cls(
            store=store,
            intake=Intake(
                store=store,
                fetcher=fetcher,
                decoders=decoders,
                limits=media.limits,
                retention=media.retention,
                room=Room(memory),
            ),
            downloader=Downloader(
                store=store,
                writer=writer,
                reads=reads,
                limit=media.limits.largest,
                retention=media.retention,
                room=Room(memory),
                stats=stats.media,
            ),
            uploads=Room(memory),
            supervisor=Supervisor(
                [ChildSpec("decoders", decoders.run, shutdown=tree.shutdown, backoff=tree.backoff.policy())],
                id="media",
                intensity=config.supervision.root.intensity,
                period=config.supervision.root.period,
            ),
        )
