"""A message's intent as the JSON it is stored as: the content with its kind's name, and the options."""

from typing import Any

from attrs import field, frozen
from cattrs.preconf.json import make_converter
from cattrs.strategies import configure_tagged_union

from actors.outgoing.content import Content, Options
from storage.rows import Json

_converter = make_converter(omit_if_default=True)
configure_tagged_union(Content, _converter, tag_name="kind_of_content")


@frozen(kw_only=True)
class Intent:
    """What a message is to be."""

    to: str
    """A JID, or a phone number that is not looked up yet."""
    content: Content
    options: Options = field(factory=Options)


def to_json(intent: Intent) -> Json:
    stored: Any = _converter.unstructure(intent, Intent)
    return dict(stored)


def from_json(stored: Json) -> Intent:
    """Raises what cattrs raises for what `to_json` did not make."""
    return _converter.structure(stored, Intent)
