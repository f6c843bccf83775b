"""Everything that can be sent, each kind at a path of its own; and many at once."""

from functools import partial

import trio
from attrs import evolve
from outcome import Error, Outcome, acapture
from quart import Blueprint

from actors.session.messages import Queued, Send, SendMany
from api.access import Scope
from api.drafts import (
    AnyStory,
    AudioDraft,
    BatchDraft,
    ButtonsDraft,
    ContactDraft,
    DocumentDraft,
    Draft,
    EventDraft,
    ForwardDraft,
    ImageDraft,
    ListDraft,
    LocationDraft,
    PollDraft,
    PollVoteDraft,
    ReactionDraft,
    StickerDraft,
    TextDraft,
    VideoDraft,
    VoiceDraft,
)
from api.operation import Answer, operation
from api.sent import BatchStartedView, QueuedView, SentView, answer_of, batch_view
from api.services import services
from api.submission import ABOUT, FILES, request_for, submit, waiting
from storage.ids import new_id

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


@_send("/messages/batch", body=BatchDraft, errors=FILES, answers={202: BatchStartedView}, derive=None)
async def send_batch(session_id: str, body: BatchDraft) -> Answer:
    """Queue up to 1,000 messages at once: all of them, or none when one of them cannot be."""
    batch_id = new_id("batch")
    requests = await _requests(session_id, body.items)
    sends = tuple(evolve(each, queued=True, batch_id=batch_id) for each in requests)
    queued: tuple[Queued, ...] = (
        await services()
        .sessions.ref(session_id)
        .call(SendMany(batch_id=batch_id, sends=sends), timeout=_STORING)
    )
    return waiting(batch_view(batch_id, queued))


async def _requests(session_id: str, drafts: tuple[Draft, ...]) -> list[Send]:
    """What is asked for each draft, in their order; raises what went wrong with the first that cannot be."""
    found: dict[int, Outcome[Send]] = {}
    limiter = trio.CapacityLimiter(_AT_ONCE)

    async def prepare(number: int, draft: Draft) -> None:
        async with limiter:
            found[number] = await acapture(request_for, session_id, draft)
            if isinstance(found[number], Error):
                nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        for number, draft in enumerate(drafts):
            nursery.start_soon(prepare, number, draft)
    return [found[number].unwrap() for number in sorted(found)]
