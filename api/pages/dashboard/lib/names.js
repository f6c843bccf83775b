/** Names that the API goes by, where one can be chosen. */

/** Events. Channels have some of their own. */
export const EVENTS = [
  "messages.upsert", "messages.update", "messages.edited", "messages.revoked", "messages.reaction", "messages.media",
  "messages.undecryptable", "messages.lost", "poll.vote", "event.response", "session.status", "session.qr",
  "session.paired", "account.health", "account.update", "presence.update", "chat.presence", "groups.upsert",
  "groups.update", "group-participants.update", "contacts.update", "call", "history.sync", "newsletter.join",
  "newsletter.leave", "newsletter.mute", "newsletter.update",
];

/** What a message may be. */
export const MESSAGE_TYPES = [
  "text", "image", "video", "video_note", "gif", "audio", "voice", "document",
  "sticker", "album", "location", "contact", "poll", "poll_vote", "event", "reaction",
  "pin", "group_invite", "buttons", "list", "choice", "interactive", "revoked", "other",
];
