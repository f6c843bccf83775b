"""The unmodified client library in a process of its own, told what to do by JSON lines and answering so.

Arguments: the proxy's port, the root key to trust (hex), a file for the client's store. Trust in the TLS
authority comes from SSL_CERT_FILE, which must be in the environment this process was started with. A line in:
`{"call": id, "do": method, …}`; lines out are `{"call": id, "value" | "error": …}` and `{"event": kind, …}`.
"""

import json
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from google.protobuf.json_format import MessageToDict

from tests.loopback.library import trust  # first: it makes the library's import possible

# isort: split
from neonize import events
from neonize._binder import gocode
from neonize.client import NewClient, ProxySettings
from neonize.proto.Neonize_pb2 import JID, GroupParent, ReturnFunctionWithError
from neonize.proto.waE2E.WAWebProtobufsE2E_pb2 import DocumentMessage, ImageMessage, Message
from neonize.utils.enum import (
    BlocklistAction,
    ChatPresence,
    ChatPresenceMedia,
    MediaType,
    ParticipantChange,
    Presence,
    ReceiptType,
    VoteType,
)

_printing = threading.Lock()


def say(**line: Any) -> None:
    with _printing:
        sys.stdout.write("\n@" + json.dumps(line) + "\n")
        sys.stdout.flush()


def jid(text: str) -> JID:
    user, _, server = text.partition("@")
    return JID(User=user, Server=server or "s.whatsapp.net", Device=0, RawAgent=0, Integrator=0)


def address(of: JID) -> str:
    return f"{of.User}:{of.Device}@{of.Server}" if of.Device else f"{of.User}@{of.Server}"


def text_of(message: Message) -> Any:
    captions = message.documentMessage.caption or message.imageMessage.caption
    return message.extendedTextMessage.text or message.conversation or captions


def of_channel(info: Any) -> dict[str, Any]:
    return {"id": address(info.ID), **MessageToDict(info)}


class Program:
    """What a test may ask of the client."""

    def __init__(self, port: str, store: str) -> None:
        self.proxy = ProxySettings(f"http://127.0.0.1:{port}")
        self.client = NewClient(
            f"{store}?_foreign_keys=on&_journal_mode=WAL&_busy_timeout=5000&_txlock=immediate&_x=",
            uuid="test",
        )
        self.client._stop_finalizer.detach()
        self.client.qr(lambda _, code: say(event="qr", code=code.decode()))
        self.messages: dict[str, Message] = {}
        self.events: dict[str, Any] = {}
        for kind in (
            events.ConnectedEv,
            events.DisconnectedEv,
            events.LoggedOutEv,
            events.StreamReplacedEv,
            events.StreamErrorEv,
            events.TemporaryBanEv,
            events.ConnectFailureEv,
            events.ClientOutdatedEv,
            events.JoinedGroupEv,
            events.GroupInfoEv,
            events.PresenceEv,
            events.ChatPresenceEv,
            events.UndecryptableMessageEv,
            events.OfflineSyncPreviewEv,
            events.OfflineSyncCompletedEv,
            events.PictureEv,
            events.BlocklistEv,
            events.CallOfferEv,
            events.CallTerminateEv,
            events.NewsletterJoinEv,
            events.NewsletterLeaveEv,
            events.NewsletterMuteChangeEv,
            events.NewsletterLiveUpdateEV,
            events.HistorySyncEv,
            events.PrivacySettingsEv,
            events.CallAcceptEv,
            events.CallOfferNoticeEv,
        ):
            self.client.event(kind)(self._plain(kind.__name__))
        self.client.event(events.MessageEv)(self._message)
        self.client.event(events.ReceiptEv)(self._receipt)
        self.client.event(events.PairStatusEv)(lambda _, __: say(event="PairStatus"))

    @staticmethod
    def _plain(name: str) -> Callable[[Any, Any], None]:
        return lambda _, event: say(event=name, **MessageToDict(event))

    def _message(self, _: NewClient, event: Any) -> None:
        info, source = event.Info, event.Info.MessageSource
        self.messages[info.ID] = event.Message
        self.events[info.ID] = event
        say(
            event="Message",
            id=info.ID,
            sender=address(source.Sender),
            senderAlt=address(source.SenderAlt),
            chat=address(source.Chat),
            isGroup=source.IsGroup,
            fromMe=source.IsFromMe,
            category=info.Category,
            type=info.Type,
            pushName=info.Pushname,
            text=text_of(event.Message),
            timestamp=info.Timestamp,
            edit=info.Edit,
            viewOnce=event.IsViewOnce,
            content=MessageToDict(event.Message),
        )

    def _receipt(self, _: NewClient, event: Any) -> None:
        source = event.MessageSource
        say(
            event="Receipt",
            ids=list(event.MessageIDs),
            type=event.Type,
            sender=address(source.Sender),
            chat=address(source.Chat),
            fromMe=source.IsFromMe,
        )

    def connect(self) -> None:
        try:
            self.client.connect(self.proxy)
            say(event="connectReturned", error=None)
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is what the test wants to read
            say(event="connectReturned", error=str(error))

    # --- Calls ----------------------------------------------------------------------------------------------

    def do_connect(self) -> None:
        threading.Thread(target=self.connect, daemon=True).start()

    def do_pair_phone(self, phone: str) -> Any:
        return self.client.PairPhone(phone, show_push_notification=True)

    def do_send(self, to: str, text: str) -> dict[str, Any]:
        sent = self.client.send_message(jid(to), text)
        return {"id": sent.ID, "timestamp": sent.Timestamp}

    def do_flood(self, to: str, count: int, start: int = 0) -> list[str]:
        return [self.client.send_message(jid(to), f"n{n}").ID for n in range(start, start + count)]

    def do_read(self, chat: str, sender: str, ids: list[str]) -> None:
        self.client.mark_read(*ids, chat=jid(chat), sender=jid(sender), receipt=ReceiptType.READ)

    def do_force_receipts(self) -> None:
        self.client.set_force_activate_delivery_receipts(True)

    def do_profile_name(self, name: str) -> None:
        self.client.set_profile_name(name)

    def do_presence(self, available: bool) -> None:
        self.client.send_presence(Presence.AVAILABLE if available else Presence.UNAVAILABLE)

    def do_subscribe(self, to: str) -> None:
        self.client.subscribe_presence(jid(to))

    def do_typing(self, to: str) -> None:
        self.client.send_chat_presence(
            jid(to), ChatPresence.CHAT_PRESENCE_COMPOSING, ChatPresenceMedia.CHAT_PRESENCE_MEDIA_TEXT
        )

    def do_is_on_whatsapp(self, numbers: list[str]) -> list[dict[str, Any]]:
        return [
            {"query": found.Query, "isIn": found.IsIn, "jid": address(found.JID)}
            for found in self.client.is_on_whatsapp(*numbers)
        ]

    def do_create_group(self, subject: str, participants: list[str]) -> str:
        return address(self.client.create_group(subject, [jid(each) for each in participants]).JID)

    def do_group_info(self, group: str) -> Any:
        return MessageToDict(self.client.get_group_info(jid(group)))

    def do_joined_groups(self) -> list[str]:
        return [address(group.JID) for group in self.client.get_joined_groups()]

    def do_add_to_group(self, group: str, people: list[str]) -> None:
        self.client.update_group_participants(
            jid(group), [jid(each) for each in people], ParticipantChange.ADD
        )

    def do_remove_from_group(self, group: str, people: list[str]) -> None:
        self.client.update_group_participants(
            jid(group), [jid(each) for each in people], ParticipantChange.REMOVE
        )

    def do_group_name(self, group: str, name: str) -> None:
        self.client.set_group_name(jid(group), name)

    def do_group_topic(self, group: str, topic: str) -> None:
        self.client.set_group_topic(jid(group), "", "", topic)

    def do_invite_link(self, group: str) -> Any:
        return self.client.get_group_invite_link(jid(group))

    def do_join_link(self, link: str) -> str:
        return address(self.client.join_group_with_link(link))

    def do_leave_group(self, group: str) -> None:
        self.client.leave_group(jid(group))

    def do_document(self, to: str, data: str) -> Any:
        up = self.client.upload(data.encode(), MediaType.MediaDocument)
        document = DocumentMessage(
            URL=up.url,
            directPath=up.DirectPath,
            mediaKey=up.MediaKey,
            fileEncSHA256=up.FileEncSHA256,
            fileSHA256=up.FileSHA256,
            fileLength=up.FileLength,
            mimetype="text/plain",
            fileName="a.txt",
            caption="a file",
        )
        return self.client.send_message(jid(to), Message(documentMessage=document)).ID

    def do_download(self, message: str) -> Any:
        return self.client.download_any(self.messages[message]).decode()

    def do_react(self, chat: str, sender: str, message: str, emoji: str) -> str:
        made = self.client.build_reaction(jid(chat), jid(sender), message, emoji)
        return str(self.client.send_message(jid(chat), made).ID)

    def do_poll(self, to: str, question: str, options: list[str]) -> str:
        made = self.client.build_poll_vote_creation(question, options, VoteType.SINGLE)
        sent = self.client.send_message(jid(to), made)
        return str(sent.ID)

    def do_vote(self, poll: str, options: list[str]) -> str:
        info = self.events[poll].Info
        made = self.client.build_poll_vote(info, options)
        return str(self.client.send_message(info.MessageSource.Chat, made).ID)

    def do_read_vote(self, message: str) -> list[str]:
        raw = self.events[message].SerializeToString()
        answer = gocode.DecryptPollVote(self.client.uuid, raw, len(raw)).contents.get_bytes()
        model = ReturnFunctionWithError.FromString(answer)
        assert not model.Error, model.Error
        return [option.hex() for option in model.PollVoteMessage.selectedOptions]

    def do_chat_settings(self, chat: str) -> Any:
        return MessageToDict(self.client.chat_settings.get_chat_settings(jid(chat)))

    def do_full_name(self, of: str) -> Any:
        return self.client.contact.get_contact(jid(of)).FullName

    def do_create_community(self, name: str) -> str:
        parent = GroupParent(IsParent=True, DefaultMembershipApprovalMode="request_required")
        return address(self.client.create_group(name, [], group_parent=parent).JID)

    def do_link_group(self, community: str, group: str) -> None:
        self.client.link_group(jid(community), jid(group))

    def do_unlink_group(self, community: str, group: str) -> None:
        self.client.unlink_group(jid(community), jid(group))

    def do_sub_groups(self, community: str) -> list[str]:
        return [address(each.JID) for each in self.client.get_sub_groups(jid(community))]

    def do_linked_participants(self, community: str) -> list[str]:
        # The library's own function takes the answer for one of another type.
        raw = jid(community).SerializeToString()
        answer = gocode.GetLinkedGroupsParticipants(self.client.uuid, raw, len(raw))
        model = ReturnFunctionWithError.FromString(answer)
        assert not model.Error, model.Error
        return [address(each) for each in model.GetLinkedGroupsParticipants.JIDS]

    def do_participants(self, group: str, people: list[str], change: str) -> Any:
        done = self.client.update_group_participants(
            jid(group), [jid(each) for each in people], ParticipantChange[change]
        )
        return [MessageToDict(each) for each in done]

    def do_requests(self, group: str) -> list[str]:
        return [address(each.Participant) for each in self.client.get_group_request_participants(jid(group))]

    def do_join_invited(self, group: str, inviter: str, code: str, expiration: int) -> None:
        self.client.join_group_with_invite(jid(group), jid(inviter), code, expiration)

    def do_revoke_link(self, group: str) -> Any:
        return self.client.get_group_invite_link(jid(group), revoke=True)

    def do_channel_image(self, channel: str, data: str) -> Any:
        up = self.client.upload_newsletter(data.encode(), MediaType.MediaImage)
        image = ImageMessage(
            URL=up.url,
            directPath=up.DirectPath,
            fileSHA256=up.FileSHA256,
            fileLength=up.FileLength,
            mimetype="image/png",
            caption="an image for all",
        )
        return self.client.send_message(jid(channel), Message(imageMessage=image)).ID

    def do_edit(self, chat: str, message: str, text: str) -> Any:
        return self.client.edit_message(jid(chat), message, Message(conversation=text)).ID

    def do_watch_channel(self, channel: str) -> None:
        self.client.newsletter_subscribe_live_updates(jid(channel))

    def do_view_posts(self, channel: str, ids: list[int]) -> None:
        self.client.newsletter_mark_viewed(jid(channel), ids)

    def do_channel_by_invite(self, invite: str) -> Any:
        return of_channel(self.client.get_newsletter_info_with_invite(invite))

    def do_verified_name(self, number: str) -> Any:
        (found,) = self.client.is_on_whatsapp(number)
        return found.VerifiedName.Details.verifiedName

    def do_block(self, person: str) -> None:
        self.client.update_blocklist(jid(person), BlocklistAction.BLOCK)

    def do_set_status(self, text: str) -> None:
        self.client.set_status_message(text)

    def do_user_info(self, person: str) -> Any:
        return [MessageToDict(each) for each in self.client.get_user_info(jid(person))]

    def do_reject_call(self, caller: str, which: str) -> None:
        self.client.reject_call(jid(caller), which)

    def do_create_channel(self, name: str, description: str) -> Any:
        return address(self.client.create_newsletter(name, description, b"").ID)

    def do_follow(self, channel: str) -> None:
        self.client.follow_newsletter(jid(channel))

    def do_unfollow(self, channel: str) -> None:
        self.client.unfollow_newsletter(jid(channel))

    def do_mute_channel(self, channel: str) -> None:
        self.client.newsletter_toggle_mute(jid(channel), mute=True)

    def do_channels(self) -> Any:
        return [MessageToDict(each) for each in self.client.get_subscribed_newletters()]

    def do_channel(self, channel: str) -> Any:
        return MessageToDict(self.client.get_newsletter_info(jid(channel)))

    def do_react_to_post(self, channel: str, server_id: int, reaction: str) -> None:
        self.client.newsletter_send_reaction(jid(channel), server_id, reaction, "")

    def do_posts(self, channel: str) -> Any:
        return [MessageToDict(each) for each in self.client.get_newsletter_messages(jid(channel), 10, 0)]

    def do_group_photo(self, group: str, jpeg: str) -> Any:
        return self.client.set_group_photo(jid(group), bytes.fromhex(jpeg))

    def do_picture(self, of: str) -> Any:
        return MessageToDict(self.client.get_profile_picture(jid(of)))

    def do_privacy(self) -> Any:
        return MessageToDict(self.client.get_privacy_settings())

    def do_blocklist(self) -> Any:
        return MessageToDict(self.client.get_blocklist())

    def do_logout(self) -> None:
        self.client.logout()

    def do_disconnect(self) -> None:
        self.client.disconnect()

    def do_push_name(self, of: str) -> Any:
        return self.client.contact.get_contact(jid(of)).PushName


def main() -> None:
    port, root, store = sys.argv[1:]
    trust(bytes.fromhex(root))
    program = Program(port, store)
    say(event="ready")

    def perform(line: dict[str, Any]) -> None:
        call, method = line.pop("call"), line.pop("do")
        try:
            say(call=call, value=getattr(program, f"do_{method}")(**line))
        except Exception as error:  # noqa: BLE001 - the test decides what it means
            say(call=call, error=f"{type(error).__name__}: {error}")

    pool = ThreadPoolExecutor(8)
    for line in sys.stdin:
        pool.submit(perform, json.loads(line))
    os._exit(0)  # the library's threads would keep the interpreter for ever


if __name__ == "__main__":
    main()
