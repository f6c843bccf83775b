/** The list of sessions, live: pages that were loaded, and what was heard of their sessions since. */

import { useEffect, useRef, useState } from "../../lib/vendor/preact.js";
import { get, orProblem } from "../../lib/http.js";
import { useEvents } from "../../lib/live.js";
import { can, useMe } from "../../lib/me.js";
import { useAgain } from "./again.js";

const PAGE = 100;
const MOST = 500; // what one request may ask for
const GATHERED = 200; // ms: events that come together are shown together
const RELOADED = 1500; // ms at least between two looks for sessions that are new in the list
const POLLED = 5000; // ms, for who may not listen to events

const NOTHING = { rows: null, cursor: null, error: null };

/** {rows, error, more, reload, state}: `more` is null at the end; `state` as useEvents has it, or "polled". */
export function useSessions({ q, status }) {
  const listens = can(useMe(), "read");
  const [found, setFound] = useState(NOTHING);
  const latest = useRef(NOTHING);
  const round = useRef(0);
  const due = useRef(null);
  const show = (next) => {
    latest.current = next;
    setFound(next);
  };

  /** Load `wanted` rows: anew, or behind those that are there. */
  const load = async (wanted, behind = false) => {
    const mine = ++round.current;
    let cursor = behind ? latest.current.cursor : null;
    const added = [];
    const pages = async () => {
      do {
        const page = await get("/api/sessions", { q, status, cursor, limit: Math.min(wanted - added.length, MOST) });
        added.push(...page.sessions);
        cursor = page.cursor;
      } while (cursor && added.length < wanted);
      return null;
    };
    const error = await orProblem(pages, (problem) => problem);
    if (mine !== round.current) return;
    if (error) show({ ...latest.current, error });
    else show({ rows: behind ? [...latest.current.rows, ...added] : added, cursor, error });
  };
  const reload = () => load(Math.max(PAGE, latest.current.rows?.length ?? 0));
  const again = useRef(reload);
  again.current = reload;

  useEffect(() => {
    show(NOTHING);
    load(PAGE);
    const timer = listens ? null : setInterval(() => document.hidden || again.current(), POLLED);
    return () => {
      round.current++;
      clearInterval(timer);
      clearTimeout(due.current);
      due.current = null;
    };
  }, [q, status, listens]);

  const heard = useGathered((events) => {
    const { rows, cursor } = latest.current;
    if (rows === null) return;
    const news = newsOf(events);
    const known = new Set(rows.map(({ id }) => id));
    const left = rows.map((row) => (news.has(row.id) ? { ...row, ...news.get(row.id) } : row));
    show({ ...latest.current, rows: status ? left.filter((row) => row.status === status) : left });
    const shown = ([id, said]) => !known.has(id) && (!status || said.status === status) && (!cursor || id < rows.at(-1).id);
    if ([...news].some(shown)) due.current ??= setTimeout(() => ((due.current = null), again.current()), RELOADED);
  });
  const state = useEvents({ events: ["session.status", "session.paired"], off: !listens }, heard);
  useAgain(reload, [state]); // the rows may be from before the first event that is heard
  return {
    rows: found.rows,
    error: found.error,
    more: found.cursor ? () => load(PAGE, true) : null,
    reload,
    state: listens ? state : "polled",
  };
}

/** What events say of each session's row. */
function newsOf(events) {
  const news = new Map();
  for (const { sessionId, event, data, occurredAt } of events) {
    const said =
      event === "session.paired"
        ? { phone: data.phone, jid: data.jid, lid: data.lid }
        : { status: data.status, statusSince: occurredAt, lastError: data.reason };
    news.set(sessionId, { ...news.get(sessionId), ...said });
  }
  return news;
}

/** Hand over what comes within a moment as one list. */
function useGathered(take) {
  const latest = useRef(take);
  latest.current = take;
  const waiting = useRef({ list: [], timer: null });
  useEffect(() => () => clearTimeout(waiting.current.timer), []);
  return (one) => {
    const now = waiting.current;
    now.list.push(one);
    now.timer ??= setTimeout(() => {
      const { list } = now;
      Object.assign(now, { list: [], timer: null });
      latest.current(list);
    }, GATHERED);
  };
}
