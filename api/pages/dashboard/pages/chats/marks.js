/** What the log tells about messages and their rows do not: reactions, votes, and that they were edited. */

import { get } from "../../lib/http.js";

const TOLD = ["messages.reaction", "messages.edited", "poll.vote"];
const PAGE = 500;
const PAGES = 4;

export class Marks {
  #reactions = new Map(); // message → who → emoji
  #votes = new Map(); // poll → who → options
  #edited = new Set();
  #told = new Map();

  /** Take in an event; whether it was one of those. */
  hear(event, data) {
    if (event === "messages.reaction") {
      const { key, text } = data.reaction;
      put(this.#reactions, data.key.id, key.fromMe ? "" : (key.participant ?? key.remoteJid), text || null);
    } else if (event === "poll.vote") {
      put(this.#votes, data.key.id, data.voter, data.options?.length ? data.options : null);
    } else if (event === "messages.edited") {
      this.#edited.add(data.key.id);
    } else return false;
    this.#told.set(data.key.id, this.told(data.key.id) + 1);
    return true;
  }

  /** Read what the log has of a session, up to a bound. */
  async recall(session) {
    let after = null;
    for (let page = 0; page < PAGES; page += 1) {
      const { events, cursor } = await get("/api/events", { sessions: session, events: TOLD.join(","), limit: PAGE, after });
      for (const { event, data } of events) this.hear(event, data);
      if (events.length < PAGE) return;
      after = cursor;
    }
  }

  /** [[who, emoji]]; who is "" for the account itself. */
  reactions(id) {
    return [...(this.#reactions.get(id) ?? [])];
  }

  /** How many voted for each option: Map. */
  votes(id) {
    const counted = new Map();
    for (const options of this.#votes.get(id)?.values() ?? []) for (const each of options) counted.set(each, (counted.get(each) ?? 0) + 1);
    return counted;
  }

  /** How often something was told of a message: another number, other marks. */
  told(id) {
    return this.#told.get(id) ?? 0;
  }

  edited(id) {
    return this.#edited.has(id);
  }
}

function put(all, id, who, value) {
  const of = all.get(id) ?? new Map();
  all.set(id, of);
  if (value === null) of.delete(who);
  else of.set(who, value);
}
