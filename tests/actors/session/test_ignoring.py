"""Which events a session does not want to hear of."""

from typing import Any

import pytest

from actors.session.ignoring import Ignored
from actors.session.settings import CallRejection, SessionConfig, settings_of
from actors.whatsapp.events import ChannelUpdated, ChatPresence, ClientEvent, PresenceChanged
from tests.actors.session.test_arrival import from_ben

BEN, BEN_LID = from_ben(None).chat_alt, from_ben(None).chat
GROUP, CHANNEL = "120363000000000001@g.us", "120363000000000002@newsletter"


def said(chat: str, *, alt: str | None = None) -> ClientEvent:
    return from_ben(None, chat=chat, chat_alt=alt, is_group=chat.endswith("@g.us"))


def typing(chat: str, sender: str, alt: str | None) -> ClientEvent:
    group = chat.endswith("@g.us")
    return ChatPresence(chat, sender, alt, is_group=group, composing=True, audio=False)


@pytest.mark.parametrize(
    ("wish", "event", "covered"),
    [
        ({}, said(GROUP), False),
        ({"groups": True}, said(GROUP), True),
        ({"groups": True}, typing(GROUP, str(BEN_LID), BEN), True),
        ({"groups": True}, said(str(BEN_LID), alt=BEN), False),
        ({"channels": True}, said(CHANNEL), True),
        ({"channels": True}, ChannelUpdated(CHANNEL, 0.0, ()), True),
        ({"groups": True}, said(CHANNEL), False),
        ({"status": True}, said("status@broadcast"), True),
        ({"status": True}, said("12345@broadcast"), False),
        ({"broadcasts": True}, said("12345@broadcast"), True),
        ({"broadcasts": True}, said("status@broadcast"), False),
        ({"chats": [BEN]}, said(str(BEN_LID), alt=BEN), True),
        ({"chats": [BEN_LID]}, said(str(BEN_LID), alt=BEN), True),
        ({"chats": [BEN]}, typing(str(BEN_LID), str(BEN_LID), BEN), True),
        ({"chats": [BEN]}, typing(GROUP, str(BEN_LID), BEN), False),  # what he does in a group is the group's
        ({"chats": [GROUP]}, said(GROUP), True),
        ({"chats": [BEN]}, PresenceChanged(str(BEN), online=True, last_seen=None), False),  # was asked for
    ],
)
def test_a_chat_is_ignored_by_its_kind_or_by_either_of_its_names(
    wish: dict[str, Any], event: ClientEvent, covered: bool
) -> None:
    assert Ignored(**wish).covers(event) is covered


def test_settings_are_read_as_they_are_stored(tmp_path: Any) -> None:
    config = SessionConfig(data=tmp_path)
    plain = settings_of({}, config)
    assert (plain.auto_reject_calls, plain.ignored, plain.limits) == (None, Ignored(), config.limits)
    stored = {
        "limits": {"newChatsPerDay": 5},
        "ignore": {"status": True, "chats": [GROUP]},
        "autoRejectCalls": {"message": "Please write."},
    }
    chosen = settings_of(stored, config)
    assert chosen.limits.new_chats_per_day == 5
    assert chosen.ignored == Ignored(status=True, chats=[GROUP])
    assert chosen.auto_reject_calls == CallRejection(message="Please write.")
    assert settings_of({"autoRejectCalls": True}, config).auto_reject_calls == CallRejection()
