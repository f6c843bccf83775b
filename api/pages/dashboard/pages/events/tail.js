/** The end of the log as it is shown: so many rows, drawn some times a second, and what waits while it is held. */

import { useEffect, useRef, useState } from "../../lib/vendor/preact.js";
import { useEvents } from "../../lib/live.js";

export const SHOWN = 500;
export const WAITING = 5000; // events that wait in memory; beyond, they are read from the log again
const REST = 100; // ms between two drawings: every one moves all that is seen, and nobody reads faster
const PRESENT = 5000; // ms: whoever reads events so young has caught up

/** Rows are the newest first. It is told of events one by one and changes in place. */
class Tail {
  rows = [];
  waiting = [];
  full = false; // more wait than are kept: nothing is listened to
  held = false;
  last = null; // the last event's cursor
  #fresh = [];
  #room;

  /** From a point in the past it is read by pieces of SHOWN, since nobody could read what rushes by. */
  constructor(fromPast) {
    this.#room = fromPast ? SHOWN : Infinity;
  }

  take(event) {
    if (this.full) return; // on its way when it became full: asked for again
    this.last = event.cursor;
    if (this.held) {
      this.waiting.push(event);
      this.full = this.waiting.length >= WAITING;
      return;
    }
    if (Date.now() - Date.parse(event.occurredAt) < PRESENT) this.#room = Infinity;
    this.#show([event]);
    if (this.#room === 0) this.held = true;
  }

  hold() {
    this.held = true;
  }

  /** Show the next of what waits, and go on listening after the last of it. */
  release() {
    const next = this.waiting.splice(0, SHOWN);
    if (this.#room !== Infinity) this.#room = SHOWN;
    this.#show(next);
    if (this.waiting.length > 0) return;
    this.full = false;
    this.held = this.#room === 0;
  }

  /** What came since the last time is now among the rows. */
  draw() {
    this.rows = [...this.#fresh.reverse(), ...this.rows].slice(0, SHOWN);
    this.#fresh = [];
  }

  #show(events) {
    this.#fresh.push(...events);
    if (this.#fresh.length > SHOWN) this.#fresh.splice(0, this.#fresh.length - SHOWN); // a page that is not seen draws nothing
    this.#room -= events.length;
  }
}

/**
 * Follow the log: {rows, held, waiting, full, state, hold, release}. `after` is a cursor, "0" its beginning, null now.
 */
export function useTail({ session, events, after }) {
  const key = JSON.stringify([session, events, after]);
  const current = useRef({ key: null });
  if (current.current.key !== key) current.current = { key, tail: new Tail(after !== null), point: after };
  const { tail, point } = current.current;
  const frame = useRef(null);
  const over = useRef(false);
  const [, setDrawn] = useState(0);
  const draw = () => {
    frame.current = null;
    if (over.current) return;
    current.current.tail.draw();
    setDrawn((times) => times + 1);
  };
  const soon = () => {
    frame.current ??= setTimeout(() => requestAnimationFrame(draw), REST);
  };
  const hear = (event) => {
    current.current.tail.take(event);
    soon();
  };
  const state = useEvents({ sessions: session ? [session] : [], events, after: point, off: tail.full }, hear);
  useEffect(
    () => () => {
      over.current = true;
    },
    [],
  );
  return {
    rows: tail.rows,
    held: tail.held,
    waiting: tail.waiting.length,
    full: tail.full,
    state,
    hold: () => {
      tail.hold();
      soon();
    },
    release: () => {
      if (tail.full) current.current.point = tail.last;
      tail.release();
      soon();
    },
  };
}
