"""Makes a WhatsApp message of an intent when its turn comes: uploads files, looks up what it is about."""

from collections.abc import Awaitable, Callable
from typing import Any, assert_never

import trio
from attrs import define, evolve, field, frozen

from actors.errors import MediaNotFound, MessageNotFound, NotSupported
from actors.outgoing import cards, changes, files, forwards, menus, polls, texts
from actors.outgoing.content import (
    AlbumHeader,
    Buttons,
    Contacts,
    Content,
    Edit,
    EventInvitation,
    Forward,
    ListMenu,
    Location,
    Media,
    Options,
    Pin,
    Poll,
    PollVote,
    Reaction,
    Revoke,
    StatusText,
    Text,
)
from actors.outgoing.context import Context, put_context, put_secret
from actors.outgoing.describe import described
from actors.outgoing.draft import Also, Draft, nothing
from actors.outgoing.intent import Intent
from actors.outgoing.target import Target, target_of
from actors.outgoing.uploads import Uploads
from actors.session.content import plain_content
from actors.session.outcomes import session_error
from actors.whatsapp.client import Client, SendResult
from actors.whatsapp.errors import CellError
from actors.whatsapp.wrapping import media_part
from storage.media import MediaFile, MediaStore
from storage.reads import Reads
from storage.rows import Json, MessageStatus

_GROUP = "@g.us"
_HIDDEN = "@lid"


@frozen(kw_only=True)
class Composed:
    """A message ready to be given to WhatsApp, and what its row says of it."""

    message: Any = field(repr=False)
    """A `waE2E.Message`."""
    type: str
    text: str | None = field(repr=False)
    payload: Json = field(repr=False)
    media_id: str | None = None
    then: Callable[[SendResult], Also] = nothing
    """What else is so once WhatsApp has it: an edit changes the message that it edits."""


@define(eq=False)
class Composer:
    """Composes the messages of one session."""

    session_id: str
    reads: Reads
    media: MediaStore
    settled: Callable[[], Awaitable[None]] = trio.lowlevel.checkpoint
    """Waits until all that WhatsApp has been given is stored with its id: the header of an album, say."""
    uploads: Uploads = field(factory=Uploads)

    async def compose(self, intent: Intent, *, chat: str, own_jid: str, client: Client) -> Composed:
        """The message to send to `chat`, a JID.

        Raises SessionErrors, MessageNotFound, MessageUnsuitable, MediaNotFound and NotSupported among them,
        and DatabaseUnavailable. Nothing was sent then.
        """
        asking = _Asking(self, chat, own_jid, client)
        try:
            draft = await asking.draft(intent.content)
            context = await asking.context(intent.options)
        except CellError as error:
            raise session_error(self.session_id, error) from error
        put_context(draft.message, context, chat)
        put_secret(draft.message)
        said = plain_content(draft.message)
        kind, text, _ = described(intent)
        if isinstance(intent.content, Forward):
            kind, text = said.kind, said.text
        return Composed(
            message=draft.message,
            type=kind,
            text=text,
            payload=said.json,
            media_id=draft.media_id,
            then=draft.then,
        )


@frozen
class _Asking:
    """What composing one message asks of the database and of WhatsApp."""

    composer: Composer
    chat: str
    own_jid: str
    client: Client

    async def draft(self, content: Content) -> Draft:
        match content:
            case Text():
                return Draft(message=texts.text_message(content, await self._card(content)))
            case StatusText():
                return Draft(message=texts.status_message(content))
            case Media():
                return await self._file(content)
            case AlbumHeader():
                return Draft(message=files.album_message(content))
            case Location():
                return Draft(message=cards.location_message(content))
            case Contacts():
                return Draft(message=cards.contacts_message(content))
            case EventInvitation():
                return Draft(message=cards.event_message(content))
            case Poll():
                return Draft(message=polls.poll_message(content))
            case Buttons():
                return Draft(message=menus.buttons_message(content))
            case ListMenu():
                return Draft(message=menus.list_message(content))
            case PollVote() | Reaction() | Forward() | Edit() | Revoke() | Pin():
                return await self._about(content)
            case _:
                assert_never(content)

    async def _about(self, content: PollVote | Reaction | Forward | Edit | Revoke | Pin) -> Draft:
        target = await self.target(content.message_id)
        match content:
            case PollVote(options=options):
                return await self._vote(target, options)
            case Reaction(emoji=emoji):
                self._not_in_a_channel("reactions")
                return changes.reaction(target, emoji, chat=self.chat, own_jid=self.own_jid)
            case Forward():
                if media_part(target.message) is not None:
                    self._not_in_a_channel("files")
                return Draft(message=forwards.forward_message(target), media_id=target.row.media_id)
            case Edit(text=text):
                return changes.edit(target, text, chat=self.chat)
            case Revoke():
                return changes.revoke(target, chat=self.chat, own_jid=self.own_jid)
            case Pin(seconds=seconds):
                self._not_in_a_channel("pins")
                return changes.pin(target, seconds, chat=self.chat)
            case _:
                assert_never(content)

    async def target(self, message_id: str) -> Target:
        """The stored message of this id, ours or WhatsApp's. Raises MessageNotFound, MessageUnsuitable."""
        composer = self.composer
        row = await composer.reads.message(composer.session_id, message_id)
        if row is not None and row.status is MessageStatus.SENDING:
            await composer.settled()
            row = await composer.reads.message(composer.session_id, message_id)
        if row is None:
            raise MessageNotFound(message_id=message_id)
        author = self.own_jid if row.from_me else row.sender
        if row.chat.endswith(_GROUP):  # where nearly all know each other by their hidden addresses
            author = await self.client.lid_of(author) or author
        return target_of(row, author)

    async def _vote(self, poll: Target, options: tuple[str, ...]) -> Draft:
        """A vote, in which all are named by their hidden addresses if the poll's author has one.

        Its key is made of the addresses, and whoever reads it has to guess which.
        """
        poll = evolve(poll, author=await self.client.lid_of(poll.author) or poll.author)
        chat, voter = self.chat, self.own_jid
        if poll.author.endswith(_HIDDEN):
            voter = await self.client.lid_of(voter) or voter
            chat = chat if poll.in_group else await self.client.lid_of(chat) or chat
        return polls.vote(poll, options, chat=chat, voter=voter, own_jid=self.own_jid)

    async def context(self, options: Options) -> Context:
        quoted = options.quoted_message_id
        mentions = options.mentions
        if options.mention_all:
            if not self.chat.endswith(_GROUP):
                raise NotSupported(reason="Everyone can be mentioned in a group only.")
            group = await self.client.group_info(self.chat)
            mentions = tuple(dict.fromkeys((*mentions, *(member.jid for member in group.members))))
        return Context(
            quoted=None if quoted is None else await self.target(quoted),
            mentions=mentions,
            everyone=options.mention_all,
            forwarded=options.forwarded,
            ephemeral_seconds=options.ephemeral_seconds,
        )

    async def _file(self, content: Media) -> Draft:
        self._not_in_a_channel("files")
        album = None if content.album_id is None else await self.target(content.album_id)
        file = await self._stored(content.media_id)
        kind = files.upload_kind(content.kind)
        uploaded = self.composer.uploads.get(file.id, kind)
        if uploaded is None:
            uploaded = await self.client.upload(await self._bytes(file), kind)
            self.composer.uploads.keep(file.id, kind, uploaded)
        message = files.file_message(content, file, uploaded)
        if album is not None:
            files.put_in_album(message, album, self.chat)
        return Draft(message=message, media_id=file.id)

    async def _card(self, content: Text) -> bytes | None:
        """The picture on a link's card; a card can do without one."""
        if content.preview is None or content.preview.thumbnail is None:
            return None
        return await self._bytes(await self._stored(content.preview.thumbnail))

    async def _stored(self, media_id: str) -> MediaFile:
        composer = self.composer
        file = await composer.media.get(composer.session_id, media_id)
        if file is None:
            raise MediaNotFound(media_id=media_id)
        return file

    async def _bytes(self, file: MediaFile) -> bytes:
        try:
            return await self.composer.media.content(file)
        except LookupError:
            raise MediaNotFound(media_id=file.id) from None

    def _not_in_a_channel(self, what: str) -> None:
        if self.chat.endswith(changes.NEWSLETTER):
            raise NotSupported(reason=f"The client library cannot send {what} to a channel.")
