/** What is being sent from here and is not among the stored messages yet; what could not be sent stays, to be tried again. */

import { useState } from "../../lib/vendor/preact.js";
import { ofSession, orProblem, send } from "../../lib/http.js";

const PICTURES = /^image\/(jpeg|png|webp|gif)$/;

/** As what a file is sent: the last part of the route. */
export function kindOf({ type }) {
  if (PICTURES.test(type)) return "image";
  if (type.startsWith("video/")) return "video";
  return type.startsWith("audio/") ? "audio" : "document";
}

/**
 * `{waiting, add, again, discard}`. An item is {ref, to, text, file, kind, quoted, problem}; `problem` null: under way.
 * `onSent()` is called when one was taken, or nobody knows.
 */
export function useOutbox(session, onSent) {
  const [waiting, setWaiting] = useState([]);
  const drop = (item) => setWaiting((all) => all.filter((each) => each.ref !== item.ref));
  const put = (item) => setWaiting((all) => [...all.filter((each) => each.ref !== item.ref), item]);

  const attempt = async (item) => {
    put({ ...item, problem: null });
    await orProblem(
      async () => {
        await send("POST", ofSession(session, "messages", item.kind), { ...bodyOf(item), headers: { "idempotency-key": item.key } });
        drop(item);
      },
      (problem) => put({ ...item, problem }),
    );
    onSent();
  };
  return {
    waiting,
    add: (item) => attempt({ ...item, ref: crypto.randomUUID(), key: crypto.randomUUID() }),
    // An answer that never came may come now: the same key. After a refusal it is a new request.
    again: (item, kind = item.kind) => attempt({ ...item, kind, key: item.problem.status === 0 && kind === item.kind ? item.key : crypto.randomUUID() }),
    discard: drop,
  };
}

function bodyOf({ ref, to, text, file, kind, quoted }) {
  const about = { to, clientRef: ref, quotedMessageId: quoted?.messageId };
  if (!file) return { json: { ...about, message: text } };
  const form = new FormData();
  const fields = { ...about, caption: kind === "audio" ? null : text, fileName: kind === "document" ? file.name : null };
  for (const [name, value] of Object.entries(fields)) if (value) form.append(name, value);
  form.append("file", file);
  return { form };
}
