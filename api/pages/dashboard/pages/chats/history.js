/** The messages of one chat: page by page upward, and live. */

import { useEffect, useRef, useState } from "../../lib/vendor/preact.js";
import { get, ofSession, orProblem, quietly } from "../../lib/http.js";
import { useEvents } from "../../lib/live.js";
import { Marks } from "./marks.js";

const PAGE = 50;
const NEWER = 200; // messages of a page on the way from now to the point that is asked for
const NEWER_PAGES = 3;
const PAUSE = 300; // ms between two looks at what is new
const EVENTS = ["messages.upsert", "messages.update", "messages.edited", "messages.revoked", "messages.media", "messages.reaction", "poll.vote"];
const CHANGED = new Set(["messages.edited", "messages.revoked", "messages.media"]);

/**
 * `{rows, marks, error, older, newest, refresh, state}`: rows oldest first, null at first; `older()` loads more and is
 * null at the beginning; `newest` false: later ones are left out. `at` are Unix seconds to begin from; null: now.
 * `addresses` are all of the chat; `onName(jid, name)` hears what people call themselves.
 */
export function useHistory({ session, jid, addresses, at, onName }) {
  const [found, setFound] = useState(NOTHING);
  const [marks] = useState(() => new Marks());
  const [, setSeen] = useState(0); // another look at the marks
  const known = useRef(found);
  const timer = useRef(null);
  const path = ofSession(session, "chats", jid, "messages");
  const change = (next) => {
    known.current = { ...known.current, ...next };
    setFound(known.current);
  };

  const begin = async () => {
    const [before, after] = await Promise.all([
      get(path, { limit: PAGE, until: at && moment(at + 1) }),
      at ? later(path, moment(at + 1)) : { messages: [], whole: true },
    ]);
    const messages = after.whole ? [...after.messages, ...before.messages] : before.messages;
    change({ rows: messages, cursor: before.cursor, newest: after.whole, error: null });
  };

  /** Take in what is newer than all that is there. */
  const refresh = async () => {
    timer.current = null;
    if (known.current.rows === null || !known.current.newest) return;
    const have = new Set(known.current.rows.map((row) => row.id));
    const fresh = [];
    let cursor = null;
    do {
      const page = await get(path, { limit: PAGE, cursor });
      fresh.push(...page.messages);
      cursor = page.messages.some((row) => have.has(row.id)) ? null : page.cursor;
    } while (cursor !== null);
    const anew = new Set(fresh.map((row) => row.id));
    change({ rows: [...fresh, ...known.current.rows.filter((row) => !anew.has(row.id))] });
  };
  const soon = () => {
    timer.current ??= setTimeout(() => quietly(refresh()), PAUSE);
  };

  const replace = async (id) => {
    const row = await get(ofSession(session, "messages", id));
    change({ rows: known.current.rows.map((each) => (each.id === row.id ? row : each)) });
  };

  const hear = ({ event, data }) => {
    const rows = known.current.rows;
    if (rows === null || ![data.key?.remoteJid, data.key?.remoteJidAlt].some((each) => addresses.includes(each))) return;
    if (event === "messages.upsert") onName(data.key.participant ?? data.key.remoteJid, data.key.fromMe ? null : data.pushName);
    if (marks.hear(event, data)) setSeen((times) => times + 1);
    const mine = rows.find((row) => row.messageId === data.key.id || row.id === data.key.id);
    if (mine === undefined) soon();
    else if (event === "messages.update") {
      const next = { ...mine, messageId: data.key.id, status: data.status, error: data.error ?? null };
      change({ rows: rows.map((row) => (row === mine ? next : row)) });
    } else if (CHANGED.has(event)) quietly(replace(mine.id));
  };
  const state = useEvents({ sessions: [session], events: EVENTS }, hear);

  const load = (loading) => orProblem(loading, (error) => change({ error }));
  useEffect(() => {
    change(NOTHING);
    load(begin);
    quietly(marks.recall(session).then(() => setSeen((times) => times + 1)));
    return () => clearTimeout(timer.current);
  }, [path, at]);
  useEffect(() => {
    if (state === "live") soon(); // what came between the first page and the connection
  }, [state]);

  const older = () =>
    load(async () => {
      const page = await get(path, { limit: PAGE, cursor: known.current.cursor });
      change({ rows: [...known.current.rows, ...page.messages], cursor: page.cursor });
    });
  return {
    rows: found.rows && [...found.rows].reverse(),
    error: found.error,
    newest: found.newest,
    older: found.cursor ? older : null,
    retry: () => load(begin),
    refresh: () => quietly(refresh()),
    marks,
    state,
  };
}

const NOTHING = { rows: null, cursor: null, newest: true, error: null };

const moment = (seconds) => new Date(seconds * 1000).toISOString();

/** All since then, unless that is too much: {messages, whole}. */
async function later(path, since) {
  const messages = [];
  let cursor = null;
  for (let page = 0; page < NEWER_PAGES; page += 1) {
    const found = await get(path, { limit: NEWER, since, cursor });
    messages.push(...found.messages);
    cursor = found.cursor;
    if (cursor === null) return { messages, whole: true };
  }
  return { messages: [], whole: false };
}
