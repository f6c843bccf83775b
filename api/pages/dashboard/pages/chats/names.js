/** What people and chats are called. */

import { useCallback, useEffect, useState } from "../../lib/vendor/preact.js";
import { get, ofSession, quietly } from "../../lib/http.js";

const MOST = 500; // people of a session whose names are asked for

/** An address as a person reads it: a number with its plus, or what stands before the @. */
export function shownJid(jid) {
  const [user, server] = (jid ?? "").split("@");
  return server === "s.whatsapp.net" && /^\d+$/.test(user) ? `+${user}` : user;
}

/**
 * `{names, nameOf, note}`: the names of people by either address; `names` is another Map when there are others. `note(jid, name)` keeps one that came along with an event,
 * where no better one is known.
 */
export function useNames(session) {
  const [names, setNames] = useState(new Map());
  useEffect(() => {
    let over = false;
    const asked = quietly(get(ofSession(session, "contacts"), { limit: MOST })); // without names there are numbers
    asked.then((found) => found && !over && setNames((before) => new Map([...before, ...found.contacts.flatMap(named)])));
    return () => {
      over = true;
    };
  }, [session]);
  const note = useCallback((jid, name) => {
    if (jid && name) setNames((before) => (before.has(jid) ? before : new Map(before).set(jid, name)));
  }, []);
  return { names, nameOf: (jid) => names.get(jid) ?? shownJid(jid), note };
}

function named({ jid, alt, name, businessName, pushName }) {
  const called = name ?? businessName ?? pushName;
  return called ? [jid, alt].filter(Boolean).map((each) => [each, called]) : [];
}
