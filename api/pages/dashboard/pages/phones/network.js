/** What is asked of the loopback network, and what a phone's memory comes to. */

import { get, patch, post, withQuery } from "../../lib/http.js";

const at = (...parts) => ["/api/loopback", ...parts.map(encodeURIComponent)].join("/");

export const network = {
  phones: async () => (await get(at("phones"))).phones,
  make: (phone, name) => post(at("phones"), { phone, name }),
  scan: (phone, what) => post(at("phones", phone, "scan"), what),
  enter: (phone, code) => post(at("phones", phone, "enter-code"), { code }),
  unlink: (phone) => post(at("phones", phone, "unlink"), {}),
  autoRead: (phone, on) => patch(at("phones", phone), { autoRead: on }),
  inbox: async (phone) => (await get(at("phones", phone, "messages"))).messages,
  sent: async (phone) => (await get(at("phones", phone, "sent"))).messages,
  groups: async (phone) => (await get(at("phones", phone, "groups"))).groups,
  write: (phone, to, message, quote = null) => post(at("phones", phone, "messages"), { to, message, ...(quote && { quote }) }),
  read: (phone, id) => post(at("phones", phone, "messages", id, "read"), {}),
  react: (phone, messageId, emoji) => post(at("phones", phone, "reactions"), { messageId, emoji }),
  file: (phone, id) => withQuery(at("phones", phone, "messages", id, "media")),
};

/** Sessions by the number of the phone that they are linked to. */
export async function sessionsByPhone() {
  const { sessions } = await get("/api/sessions", { limit: 500 });
  return new Map(sessions.filter(({ phone, status }) => phone && status !== "logged_out").map((row) => [row.phone, row]));
}

/**
 * One phone and its chats, from what the network knows: {phone, chats: [{peer, name, group, last, messages}], gone}.
 * `open` is the peer whose chat is looked at: only its own inbox says what was written to it.
 */
export async function phoneWithChats(number, open) {
  const phones = await network.phones();
  const phone = phones.find((each) => each.phone === number);
  if (!phone) return { phone: null, chats: [] };
  const [inbox, sent, groups] = await Promise.all([network.inbox(number), network.sent(number), network.groups(number)]);
  const reader = readerOf(number, open, groups);
  const theirs = reader === null || !phones.some((each) => each.phone === reader) ? [] : await network.inbox(reader);
  return { phone, chats: chatsOf({ number, phones, groups, inbox, sent, theirs }) };
}

const readerOf = (number, open, groups) => {
  if (open === null || !open.includes("@")) return open;
  const group = groups.find(({ jid }) => jid === open);
  return group?.participants.find((each) => each.phone !== number)?.phone ?? null;
};

/** Every other phone and every group of one, the last used first, with the messages there oldest first. */
export function chatsOf({ number, phones, groups, inbox, sent, theirs }) {
  const byLid = new Map(phones.map((each) => [each.lid, each.phone]));
  const known = new Map(theirs.map((each) => [each.messageId, each]));
  const messages = [
    ...inbox.map((each) => ({ ...each, peer: each.chat, mine: each.fromMe, byCompanion: each.fromMe })),
    ...sent.map((each) => ({
      ...each,
      peer: byLid.get(each.to) ?? each.to,
      mine: true,
      from: number,
      text: known.get(each.messageId)?.text ?? null,
      type: known.get(each.messageId)?.type ?? null,
      about: known.get(each.messageId)?.about ?? null,
    })),
  ].sort((a, b) => a.timestamp - b.timestamp || b.mine - a.mine);
  const of = new Map();
  for (const message of messages) of.set(message.peer, [...(of.get(message.peer) ?? []), message]);
  const people = phones.filter(({ phone }) => phone !== number).map(({ phone, name }) => ({ peer: phone, name, group: false }));
  const circles = groups.map(({ jid, subject }) => ({ peer: jid, name: subject, group: true }));
  return [...people, ...circles]
    .map((chat) => ({ ...chat, messages: of.get(chat.peer) ?? [], last: of.get(chat.peer)?.at(-1)?.timestamp ?? 0 }))
    .sort((a, b) => b.last - a.last);
}

/** A number that no phone has yet. */
export function freeNumber(phones) {
  const taken = new Set(phones.map(({ phone }) => phone));
  let number = 628110000001;
  while (taken.has(String(number))) number++;
  return String(number);
}
