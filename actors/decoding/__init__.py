"""Media files are hostile input: all that parses them runs in worker processes without rights, in here.

    Decoders (a task under supervision)
    ├─ worker       kept warm
    └─ worker …     started on demand, up to `workers`; each replaced after `max_jobs` files

A worker's memory, processor time and time are bounded; it can open no file and no socket, and takes one file
at a time. One that dies, or goes beyond a limit, takes only its own file with it: that `convert` raises
DecoderFailed, and the next file gets a fresh worker. The gateway itself only looks at some bytes (`sniff`).
"""

from .config import DecodersConfig
from .errors import Busy, DecoderFailed, DecodingError, TooLarge, Undecodable
from .jobs import Audio, Converted, Document, Image, Job, Portrait, Sticker, Thumbnail, Video, Voice
from .pool import Decoders
from .sniff import sniff
from .stats import DecoderStats

__all__ = [
    "Audio",
    "Busy",
    "Converted",
    "DecoderFailed",
    "DecoderStats",
    "Decoders",
    "DecodersConfig",
    "DecodingError",
    "Document",
    "Image",
    "Job",
    "Portrait",
    "Sticker",
    "Thumbnail",
    "TooLarge",
    "Undecodable",
    "Video",
    "Voice",
    "sniff",
]
