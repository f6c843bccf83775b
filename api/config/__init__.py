"""The operator's file, `supervisor.toml`, read into frozen values: every key checked, none ignored.

A missing key means its default, a missing file all defaults; an unknown or wrong key is refused with its path
and what was expected. Durations are seconds. What is secret, or belongs to the machine, may come from the
environment instead, which goes before the file: DATABASE_URL, TERZETTO_WHATSAPP_PROXY,
TERZETTO_WHATSAPP_CA_FILE, TERZETTO_WHATSAPP_ROOT_KEY, TERZETTO_KEYS_DSN, TERZETTO_ADMIN_PASSWORD, and
TERZETTO_SINK_NAME_URL for the sink of that name.
TERZETTO_ADMIN_KEY has no key in the file.
"""

from api.config.reading import ConfigError, listening, load, parse
from api.config.sections import (
    Api,
    Cells,
    Cluster,
    Config,
    Decoders,
    Media,
    NatsSink,
    RabbitMqSink,
    Retention,
    Sink,
    Storage,
    WhatsApp,
    keys_of,
)

__all__ = [
    "Api",
    "Cells",
    "Cluster",
    "Config",
    "ConfigError",
    "Decoders",
    "Media",
    "NatsSink",
    "RabbitMqSink",
    "Retention",
    "Sink",
    "Storage",
    "WhatsApp",
    "keys_of",
    "listening",
    "load",
    "parse",
]
