"""Records become events with the library's quirks taken out; nothing makes decoding raise."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.whatsapp import kinds
from actors.whatsapp.decode import decode
from actors.whatsapp.events import (
    ChannelJoined,
    ChannelLeft,
    ChannelMuted,
    ChatPresence,
    GroupChanged,
    Identified,
    JournalFull,
    LoggedOut,
    LoopEnded,
    MessageArrived,
    OldCounter,
    OtherEvent,
    Paired,
    PairingRefused,
    PictureChanged,
    PresenceChanged,
    PrivacyChanged,
    QrCode,
    ReceiptArrived,
    ReceiptKind,
    TemporaryBan,
    Unreadable,
)
from actors.whatsapp.jid import to_proto
from actors.whatsapp.proto import e2e, neonize

CODES = {name: code for code, name in kinds.EVENT_CODES.items()}
NOBODY = neonize.JID(User="", Server="", Device=0, RawAgent=0, Integrator=0, IsEmpty=True)
ANNA, ANNA_LID = "6281200000001@s.whatsapp.net", "100000000000001@lid"
GROUP = "120363000000000001@g.us"


def source(
    chat: str, sender: str, *, alt: str | None = None, recipient: str | None = None, **flags: bool
) -> Any:
    return neonize.MessageSource(
        Chat=to_proto(chat),
        Sender=to_proto(sender),
        IsFromMe=flags.get("from_me", False),
        IsGroup=flags.get("group", False),
        SenderAlt=to_proto(alt) if alt else NOBODY,
        RecipientAlt=to_proto(recipient) if recipient else NOBODY,
        BroadcastListOwner=NOBODY,
    )


def message(where: Any) -> bytes:
    info = neonize.MessageInfo(
        MessageSource=where,
        ID="3A1",
        ServerID=0,
        Type="text",
        Pushname="Anna",
        Timestamp=1_795_359_944_123,
        Category="",
        Multicast=False,
        MediaType="",
        Edit="",
    )
    found = neonize.Message(
        Info=info,
        Message=e2e.Message(conversation="hello"),
        UnavailableRequestID="",
        RetryCount=0,
        **dict.fromkeys(
            (
                "IsEphemeral",
                "IsViewOnce",
                "IsViewOnceV2",
                "IsViewOnceV2Extension",
                "IsDocumentWithCaption",
                "IsLottieSticker",
                "IsEdit",
            ),
            False,
        ),
    )
    return bytes(found.SerializeToString())


@given(st.integers(0, 255), st.binary(max_size=200))
def test_no_payload_makes_decoding_raise(kind: int, payload: bytes) -> None:
    decode(kind, payload)


@pytest.mark.parametrize("name", sorted(CODES))
def test_an_empty_payload_is_read_or_said_to_be_unreadable(name: str) -> None:
    event = decode(CODES[name], b"")
    required = [field for field in getattr(neonize, name).DESCRIPTOR.fields if field.is_required]
    assert isinstance(event, Unreadable) is bool(required)


def test_a_message_has_both_addresses_and_seconds() -> None:
    event = decode(17, message(source(ANNA_LID, "100000000000001:7@lid", alt=ANNA)))
    assert isinstance(event, MessageArrived)
    assert (event.chat, event.chat_alt) == (ANNA_LID, ANNA)
    assert (event.sender, event.sender_alt, event.sender_device) == (ANNA_LID, ANNA, 7)
    assert event.timestamp == 1_795_359_944.123
    assert event.message.conversation == "hello"


def test_a_message_of_our_own_other_device_names_the_recipients_other_address() -> None:
    event = decode(17, message(source(ANNA_LID, "999@lid", recipient=ANNA, from_me=True)))
    assert isinstance(event, MessageArrived)
    assert (event.chat, event.chat_alt, event.from_me) == (ANNA_LID, ANNA, True)


def test_a_group_has_no_other_address_but_its_senders_have() -> None:
    event = decode(17, message(source(GROUP, ANNA_LID, alt=ANNA, group=True)))
    assert isinstance(event, MessageArrived)
    assert (event.chat, event.chat_alt, event.sender_alt, event.is_group) == (GROUP, None, ANNA, True)


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("DELIVERED", ReceiptKind.DELIVERED),
        ("READ", ReceiptKind.READ),
        ("PLAYED", ReceiptKind.PLAYED),
        ("SERVER_ERROR", ReceiptKind.PLAYED_SELF),  # neonize's encoding of played-self
    ],
)
def test_receipts_mean_what_whatsapp_said(sent: str, meant: ReceiptKind) -> None:
    receipt = neonize.Receipt(
        MessageSource=source(ANNA_LID, ANNA_LID),
        MessageIDs=["a", "b"],
        Timestamp=1_795_359_944,
        Type=getattr(neonize.Receipt, sent),
    )
    event = decode(18, receipt.SerializeToString())
    assert isinstance(event, ReceiptArrived)
    assert (event.kind, event.ids, event.timestamp) == (meant, ("a", "b"), 1_795_359_944.0)


def test_every_kind_of_receipt_is_known() -> None:
    for kind in neonize.Receipt.ReceiptType.values():
        receipt = neonize.Receipt(MessageSource=source(GROUP, ANNA_LID), Timestamp=1, Type=kind)
        assert isinstance(decode(18, receipt.SerializeToString()), ReceiptArrived)


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        (
            "Ignoring message 3EB0 from 100000000000001:3@lid: received message with old counter 1, 0",
            OldCounter("3EB0", ANNA_LID, ANNA_LID),
        ),
        (
            f"Ignoring message 3EB0 from 100000000000001@lid in {GROUP}: failed to decrypt: old counter",
            OldCounter("3EB0", ANNA_LID, GROUP),
        ),
    ],
)
def test_the_line_about_an_old_counter_names_the_message(line: str, meant: OldCounter) -> None:
    assert decode(kinds.OLD_COUNTER, line.encode()) == meant


def test_the_cells_own_records_are_read() -> None:
    assert decode(kinds.QR_CODE, b"https://wa.me/x") == QrCode("https://wa.me/x")
    assert decode(kinds.LOOP_ENDED, b"failed to dial") == LoopEnded("failed to dial")
    assert decode(kinds.JOURNAL_FULL, b"67108864") == JournalFull(67_108_864)
    assert isinstance(decode(kinds.JOURNAL_FULL, b"much"), Unreadable)


def test_a_qr_code_stays_out_of_representations() -> None:
    assert "wa.me" not in repr(decode(kinds.QR_CODE, b"https://wa.me/x"))


def test_pairing_says_which_device_this_is() -> None:
    status = neonize.PairStatus(
        ID=to_proto("6281200000001:7@s.whatsapp.net"), BusinessName="", Platform="android", Status=2
    )
    assert decode(2, status.SerializeToString()) == Paired("6281200000001:7@s.whatsapp.net", "", "android")
    status.Status = neonize.PairStatus.ERROR
    status.Error = "invalid device signature"
    assert isinstance(decode(2, status.SerializeToString()), PairingRefused)


def test_the_device_is_identified_by_both_addresses() -> None:
    device = neonize.Device(
        JID=to_proto("6281200000001:7@s.whatsapp.net"),
        LID=to_proto("100000000000001:7@lid"),
        Platform="android",
        BussinessName="",
        PushName="Anna",
        Initialized=True,
    )
    event = decode(0, device.SerializeToString())
    assert event == Identified("6281200000001:7@s.whatsapp.net", ANNA_LID, "Anna", "", "android")


def test_the_end_of_a_login_has_words_for_its_reason() -> None:
    logged_out = neonize.LoggedOut(OnConnect=True, Reason=neonize.MAIN_DEVICE_GONE)
    assert decode(6, logged_out.SerializeToString()) == LoggedOut(on_connect=True, reason="main_device_gone")
    ban = neonize.TemporaryBan(Code=2, Expire=3600)
    assert decode(8, ban.SerializeToString()) == TemporaryBan("blocked_by_users", 3600.0)


def test_gos_zero_time_is_no_time() -> None:
    presence = neonize.Presence(From=to_proto(ANNA), Unavailable=True, LastSeen=-62_135_596_800)
    assert decode(20, presence.SerializeToString()) == PresenceChanged(ANNA, online=False, last_seen=None)


def test_typing_in_a_group_names_who_types() -> None:
    typing = neonize.ChatPresence(MessageSource=source(GROUP, ANNA_LID, group=True), State=1, Media=2)
    event = decode(19, typing.SerializeToString())
    assert isinstance(event, ChatPresence)
    assert (event.chat, event.sender, event.composing, event.audio) == (GROUP, ANNA_LID, True, True)


def test_a_group_change_names_only_what_changed() -> None:
    change = neonize.GroupInfoEvent(
        JID=to_proto(GROUP),
        Notify="Anna",
        Timestamp=1_795_359_944,
        PrevParticipantsVersionID="",
        ParticipantVersionID="",
        JoinReason="",
        Join=[to_proto(ANNA_LID)],
        Name=neonize.GroupName(Name="New", NameSetAt=1, NameSetBy=NOBODY),
    )
    event = decode(22, change.SerializeToString())
    assert isinstance(event, GroupChanged)
    assert (event.join, event.subject, event.description, event.locked) == ((ANNA_LID,), "New", None, None)


def test_an_event_without_a_class_keeps_its_payload() -> None:
    payload = neonize.OfflineSyncPreview(
        Total=1, AppDataChanges=0, Message=1, Notifications=0, Receipts=0
    ).SerializeToString()
    assert decode(26, payload) == OtherEvent("OfflineSyncPreview", payload)


CHANNEL = "120363000000000002@newsletter"


def test_a_channel_s_words_that_the_library_does_not_know_leave_the_rest_readable() -> None:
    text = neonize.NewsletterText(Text="Toko news", ID="1", UpdateTime=1)
    thread = neonize.NewsletterThreadMetadata(
        CreationTime=1790000000,
        InviteCode="abc",
        Name=text,
        Description=text,
        SubscriberCount=7,
        VerificationState=neonize.NewsletterThreadMetadata.VERIFIED,
        Preview=neonize.ProfilePictureInfo(DirectPath="/v/1.jpg"),
        Settings=neonize.NewsletterSetting(ReactionCodes=neonize.NewsletterReactionSettings()),
    )
    metadata = neonize.NewsletterMetadata(
        ID=to_proto(CHANNEL), State=neonize.WrappedNewsletterState(), ThreadMeta=thread
    )
    metadata.ViewerMeta.Mute = neonize.ON
    joined = neonize.NewsletterJoin(NewsletterMetadata=metadata)
    event = decode(CODES["NewsletterJoin"], joined.SerializePartialToString())
    assert isinstance(event, ChannelJoined)
    channel = event.channel
    assert (channel.jid, channel.name, channel.subscribers, channel.verified) == (
        CHANNEL,
        "Toko news",
        7,
        True,
    )
    assert channel.picture == "https://pps.whatsapp.net/v/1.jpg"
    assert (channel.muted, channel.role, channel.state, channel.reactions) == (True, None, None, None)


def test_leaving_and_muting_a_channel() -> None:
    left = neonize.NewsletterLeave(ID=to_proto(CHANNEL), Role=neonize.GUEST)
    assert decode(CODES["NewsletterLeave"], left.SerializeToString()) == ChannelLeft(CHANNEL, "guest")
    muted = neonize.NewsletterMuteChange(ID=to_proto(CHANNEL), Mute=neonize.OFF)
    decoded = decode(CODES["NewsletterMuteChange"], muted.SerializeToString())
    assert decoded == ChannelMuted(CHANNEL, muted=False)


def test_of_privacy_only_what_changed_is_told() -> None:
    names = ("GroupAdd", "LastSeen", "Status", "Profile", "ReadReceipts", "Online", "CallAdd")
    flags = {f"{name}Changed": name in {"LastSeen", "CallAdd"} for name in names}
    changed = neonize.privacySettingsEvent(NewSettings=neonize.PrivacySettings(), **flags)
    decoded = decode(CODES["privacySettingsEvent"], changed.SerializePartialToString())
    assert decoded == PrivacyChanged(("lastSeen", "callAdd"))


def test_who_changed_a_person_s_picture_is_that_person() -> None:
    def picture(of: str, by: str) -> Any:
        changed = neonize.Picture(JID=to_proto(of), Author=to_proto(by), Timestamp=1, Remove=False)
        return decode(CODES["Picture"], changed.SerializeToString())

    assert picture(ANNA, ANNA_LID) == PictureChanged(ANNA, ANNA_LID, 1.0, removed=False, jid_alt=ANNA_LID)
    assert picture(GROUP, ANNA_LID).jid_alt is None
    assert picture(ANNA, ANNA).jid_alt is None
