/** What changes by itself: WebSockets that come back where they were, and answers that are asked for anew. */

import { useEffect, useRef, useState } from "./vendor/preact.js";
import { get, orProblem, SIGNED_OUT, withQuery } from "./http.js";

const FIRST = 500; // ms before the second try, doubled each time
const LAST = 15000;
const REFUSED = 4401;
const EXPIRED = 1008;

/**
 * Hear a WebSocket of the gateway: `onMessage(message)` for each. `path()` is asked before every connection and may
 * say where to go on; null: not now. Connects anew when `watched` changes. Returns "connecting" or "live".
 */
export function useSocket({ path, onMessage, onClosed = () => {} }, watched = []) {
  const [state, setState] = useState("connecting");
  const latest = useRef({});
  latest.current = { path, onMessage, onClosed };
  useEffect(() => {
    let socket = null;
    let timer = null;
    let wait = FIRST;
    let over = false;

    const connect = () => {
      const where = latest.current.path();
      if (where === null) return;
      socket = new WebSocket(`${location.protocol.replace("http", "ws")}//${location.host}${where}`);
      socket.onopen = () => {
        wait = FIRST;
        setState("live");
      };
      socket.onmessage = ({ data }) => latest.current.onMessage(JSON.parse(data));
      socket.onclose = ({ code }) => {
        if (over) return;
        setState("connecting");
        if (code === REFUSED) window.dispatchEvent(new Event(SIGNED_OUT));
        else latest.current.onClosed(code);
        timer = setTimeout(connect, wait * (0.5 + Math.random() / 2));
        wait = Math.min(wait * 2, LAST);
      };
    };
    connect();
    return () => {
      over = true;
      clearTimeout(timer);
      if (socket) socket.onmessage = null;
      // Closed before it is open, the browser would complain.
      if (socket?.readyState === WebSocket.CONNECTING) socket.onopen = () => socket.close();
      else socket?.close();
    };
  }, watched);
  return state;
}

/**
 * The event log, live: `sessions` and `events` are lists of names (none: all), `after` a cursor to begin behind.
 * After a break it goes on behind the last event heard. With `off`, silence.
 */
export function useEvents({ sessions = [], events = [], after = null, off = false } = {}, onEvent) {
  const cursor = useRef(after);
  const path = () =>
    off ? null : withQuery("/api/ws", { sessions: sessions.join(","), events: events.join(","), after: cursor.current });
  const onClosed = (code) => {
    if (code === EXPIRED) cursor.current = null; // so old that it is no more
  };
  const onMessage = (event) => {
    cursor.current = event.cursor;
    onEvent(event);
  };
  const watched = [sessions.join(), events.join(), after, off];
  const before = useRef(watched.join());
  if (before.current !== watched.join()) {
    before.current = watched.join();
    cursor.current = after;
  }
  return useSocket({ path, onMessage, onClosed }, watched);
}

/**
 * What `load()` promises, asked again every `ms` while the page is seen (0: only on `reload`), and when `watched`
 * changes: {data, error, reload}. An error keeps the data there was.
 */
export function usePolled(load, ms = 0, watched = []) {
  const [found, setFound] = useState({ data: null, error: null });
  const latest = useRef(load);
  latest.current = load;
  const ask = useRef(null);
  useEffect(() => {
    let timer = null;
    let over = false;
    let round = 0;
    ask.current = async () => {
      clearTimeout(timer);
      const mine = ++round;
      const news = await orProblem(
        async () => ({ data: await latest.current(), error: null }),
        (error) => ({ error }),
      );
      if (over || mine !== round) return;
      setFound((before) => ({ ...before, ...news }));
      if (ms) timer = setTimeout(() => (document.hidden ? null : ask.current()), ms);
    };
    const seen = () => {
      if (!document.hidden) ask.current();
    };
    if (ms) document.addEventListener("visibilitychange", seen);
    setFound({ data: null, error: null });
    ask.current();
    return () => {
      over = true;
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", seen);
    };
  }, watched);
  return { ...found, reload: () => ask.current?.() };
}

/** A list that comes by pages: {rows, error, more, reload}; `more` is null at the end. `field` names the rows. */
export function usePages(path, query, field) {
  const key = JSON.stringify([path, query]);
  const [found, setFound] = useState({ key, rows: null, cursor: null, error: null });
  const load = (cursor, before) =>
    orProblem(
      async () => {
        const page = await get(path, { ...query, cursor });
        setFound({ key, rows: [...before, ...page[field]], cursor: page.cursor, error: null });
      },
      (error) => setFound({ key, rows: before.length ? before : null, cursor, error }),
    );
  const reload = () => load(null, []);
  useEffect(() => {
    reload();
  }, [key]);
  const current = found.key === key ? found : { rows: null, cursor: null, error: null };
  return {
    rows: current.rows,
    error: current.error,
    more: current.cursor ? () => load(current.cursor, current.rows ?? []) : null,
    reload,
  };
}

const FEW = 25;
const MOST = 500; // of a page of the API

/** The first rows of a list, live as with usePolled, and as many more as `more` is called for; null: there are none. */
export function useFirst(path, query = {}, ms = 3000) {
  const [limit, setLimit] = useState(FEW);
  const { data, error, reload } = usePolled(() => get(path, { ...query, limit }), ms, [path, JSON.stringify(query)]);
  useEffect(() => {
    if (limit > FEW) reload();
  }, [limit]);
  const more = data?.cursor && limit < MOST ? () => setLimit(Math.min(limit * 2, MOST)) : null;
  return { data, error, reload, more };
}
