"""Everything that can be sent, each kind at a path of its own; and many at once."""

from collections import defaultdict
from functools import partial

import trio
from attrs import define, evolve, field
from quart import Blueprint, Response

from actors.session.messages import Send, SendMany
from api.answers import answer
from api.attachments import Attachment
from api.caller import Scope
from api.converter import unstructure
from api.draft import Draft
from api.drafts import (
    AnyStory,
    BatchDraft,
    ButtonsDraft,
    ContactDraft,
    EventDraft,
    ForwardDraft,
    ListDraft,
    LocationDraft,
    PollDraft,
    PollVoteDraft,
    ReactionDraft,
    TextDraft,
)
from api.media_drafts import AudioDraft, DocumentDraft, ImageDraft, StickerDraft, VideoDraft, VoiceDraft
from api.operation import Answer, operation
from api.refusals import ItemRefused
from api.sent import BatchStartedView, QueuedView, SentView, answer_of, batch_view
from api.services import services
from api.submission import ABOUT, FILES, obtained, request_for, submit, waiting
from storage.ids import new_id
from storage.media import MediaFile
from storage.rows import Message

routes = Blueprint("sending", __name__)

_AT_ONCE = 8  # files of a batch on their way in
_STORING = 30.0  # seconds for all messages of a batch

_send = partial(
    operation,
    routes,
    "POST",
    scope=Scope.SEND,
    answers={200: SentView, 202: QueuedView},
    derive=answer_of,
    tag="messages",
)

Done = SentView | Answer


@_send("/messages/text", body=TextDraft, errors=FILES)
async def send_text(session_id: str, body: TextDraft) -> Done:
    """Send a text; answered once WhatsApp's server has acknowledged it.

    When the client goes away meanwhile, a message that its session has begun to send is sent all the same.
    """
    return await submit(session_id, await request_for(session_id, body))


@_send("/messages/image", body=ImageDraft, errors=FILES)
async def send_image(session_id: str, body: ImageDraft) -> Done:
    """Send a picture."""
    return await submit(session_id, await request_for(session_id, body))


@_send("/messages/video", body=VideoDraft, errors=FILES)
async def send_video(session_id: str, body: VideoDraft) -> Done:
    """Send a video, one that plays like a GIF, or a round video message."""
    return await submit(session_id, await request_for(session_id, body))


@_send("/messages/audio", body=AudioDraft, errors=FILES)
async def send_audio(session_id: str, body: AudioDraft) -> Done:
    """Send an audio file; with `ptt` as a voice note."""
    return await submit(session_id, await request_for(session_id, body))


@_send("/messages/voice", body=VoiceDraft, errors=FILES)
async def send_voice(session_id: str, body: VoiceDraft) -> Done:
    """Send a voice note: whatever it comes as is converted, and its waveform drawn."""
    return await submit(session_id, await request_for(session_id, body))


@_send("/messages/document", body=DocumentDraft, errors=FILES)
async def send_document(session_id: str, body: DocumentDraft) -> Done:
    """Send any file, as it is."""
    return await submit(session_id, await request_for(session_id, body))


@_send("/messages/sticker", body=StickerDraft, errors=FILES)
async def send_sticker(session_id: str, body: StickerDraft) -> Done:
    """Send a picture, also a moving one, as a sticker."""
    return await submit(session_id, await request_for(session_id, body))


@_send("/messages/location", body=LocationDraft, errors=ABOUT)
async def send_location(session_id: str, body: LocationDraft) -> Done:
    """Send a place."""
    return await submit(session_id, await request_for(session_id, body))


@_send("/messages/contact", body=ContactDraft, errors=ABOUT)
async def send_contact(session_id: str, body: ContactDraft) -> Done:
    """Send address cards."""
    return await submit(session_id, await request_for(session_id, body))


@_send("/messages/poll", body=PollDraft, errors=ABOUT)
async def send_poll(session_id: str, body: PollDraft) -> Done:
    """Ask a question; votes come as `poll.vote` events."""
    return await submit(session_id, await request_for(session_id, body))


@_send("/messages/poll-vote", body=PollVoteDraft, errors=ABOUT)
async def vote(session_id: str, body: PollVoteDraft) -> Done:
    """Vote in a poll that was received or sent."""
    return await submit(session_id, await request_for(session_id, body))


@_send("/messages/event", body=EventDraft, errors=ABOUT)
async def send_event(session_id: str, body: EventDraft) -> Done:
    """Invite to an event."""
    return await submit(session_id, await request_for(session_id, body))


@_send("/messages/buttons", body=ButtonsDraft, errors=ABOUT)
async def send_buttons(session_id: str, body: ButtonsDraft) -> Done:
    """Send a text with buttons. Whether a phone shows them is up to WhatsApp."""
    return await submit(session_id, await request_for(session_id, body))


@_send("/messages/list", body=ListDraft, errors=ABOUT)
async def send_list(session_id: str, body: ListDraft) -> Done:
    """Send a text with a list to choose from. Whether a phone shows it is up to WhatsApp."""
    return await submit(session_id, await request_for(session_id, body))


@_send("/messages/reaction", body=ReactionDraft, errors=ABOUT)
async def react(session_id: str, body: ReactionDraft) -> Done:
    """React to a message with an emoji; with an empty one take the reaction back."""
    return await submit(session_id, await request_for(session_id, body))


@_send("/messages/forward", body=ForwardDraft, errors=ABOUT)
async def forward(session_id: str, body: ForwardDraft) -> Done:
    """Send a stored message on; its file goes along without being uploaded again."""
    return await submit(session_id, await request_for(session_id, body))


@_send("/messages/status", body=AnyStory, errors=FILES)
async def post_story(session_id: str, body: AnyStory) -> Done:
    """Post a text, a picture or a video among the account's stories."""
    return await submit(session_id, await request_for(session_id, body))


async def _batch_answer(message: Message) -> Response:
    """The answer to the request that stored this message's batch and was left unanswered."""
    batch_id = str(message.batch_id)
    batch = await services().reads.queue.batch(message.session_id, batch_id)
    total = 1 if batch is None else batch.total
    return answer(unstructure(batch_view(batch_id, total)), 202)


@_send(
    "/messages/batch", body=BatchDraft, errors=FILES, answers={202: BatchStartedView}, derive=_batch_answer
)
async def send_batch(session_id: str, body: BatchDraft) -> Answer:
    """Queue up to 1,000 messages at once: all of them, or none when one of them cannot be."""
    batch_id = new_id("batch")
    requests = await _requests(session_id, body.items)
    sends = tuple(evolve(each, queued=True, batch_id=batch_id) for each in requests)
    asked = SendMany(batch_id=batch_id, sends=sends)
    queued = await services().sessions.ref(session_id).call(asked, timeout=_STORING)
    return waiting(batch_view(batch_id, len(sends), queued))


async def _requests(session_id: str, drafts: tuple[Draft, ...]) -> list[Send]:
    """What is asked for each draft, in their order. Raises ItemRefused for one that cannot be."""
    requests: dict[int, Send] = {}
    refused: list[ItemRefused] = []
    limiter, files = trio.CapacityLimiter(_AT_ONCE), _Files()

    async def prepare(number: int, draft: Draft) -> None:
        async with limiter:
            try:
                requests[number] = await request_for(session_id, draft, files.obtained)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is this item's
                refused.append(ItemRefused(number, error))
                nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        for number, draft in enumerate(drafts):
            nursery.start_soon(prepare, number, draft)
    if refused:
        raise refused[0] from refused[0].error
    return [requests[number] for number in range(len(drafts))]


@define(eq=False)
class _Files:
    """The files of a batch, each taken in once, however many of its messages carry it."""

    _taken: dict[tuple[object, ...], MediaFile] = field(factory=dict, init=False)
    _locks: dict[tuple[object, ...], trio.Lock] = field(factory=lambda: defaultdict(trio.Lock), init=False)

    async def obtained(self, session_id: str, attachment: Attachment) -> MediaFile:
        """As `submission.obtained`."""
        source = (attachment.url, attachment.data, attachment.media_id)
        which = (attachment.kind, attachment.file_name, attachment.mime_type, *source)
        async with self._locks[which]:
            if which not in self._taken:
                self._taken[which] = await obtained(session_id, attachment)
            return self._taken[which]
