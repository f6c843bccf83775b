/** The chats of a session, the last active first, and what a search finds among them and their messages. */

import { html, useEffect, useRef, useState } from "../../lib/vendor/preact.js";
import { get, ofSession, orProblem } from "../../lib/http.js";
import { useEvents } from "../../lib/live.js";
import { count, time } from "../../lib/format.js";
import { go, href } from "../../lib/route.js";
import { useWords } from "../../lib/words.js";
import { Button } from "../../parts/button.js";
import { Dialog } from "../../parts/dialog.js";
import { Field, Form } from "../../parts/form.js";
import { Empty, Failure, More, Spinner } from "../../parts/page.js";
import { Found } from "./found.js";
import { words } from "../chats.words.js";

const TELL = ["messages.upsert", "messages.update", "messages.edited", "messages.revoked", "groups.update"];
const PAUSE = 1500; // ms between two looks while much is going on

/** `{chats, error, more, reload}` of a session, live; `q` is looked for in names. */
export function useChats(session, q) {
  const [found, setFound] = useState({ chats: null, cursor: null, error: null });
  const known = useRef(found);
  const timer = useRef(null);
  const over = useRef(false);
  const change = (next) => {
    if (over.current) return;
    known.current = { ...known.current, ...next };
    setFound(known.current);
  };
  const asking = (work) => orProblem(work, (error) => change({ error }));
  const round = useRef(0);
  const reload = () =>
    asking(async () => {
      clearTimeout(timer.current);
      timer.current = null;
      const mine = ++round.current;
      const page = await get(ofSession(session, "chats"), { q });
      if (mine !== round.current) return;
      const fresh = new Set(page.chats.map((chat) => chat.jid));
      const rest = known.current.shown === q ? (known.current.chats ?? []).filter((chat) => !fresh.has(chat.jid)) : [];
      const grown = rest.length > 0; // pages were asked for beyond the first: its cursor still leads on
      change({ chats: [...page.chats, ...rest], cursor: grown ? known.current.cursor : page.cursor, error: null, shown: q });
    });
  const more = () =>
    asking(async () => {
      const page = await get(ofSession(session, "chats"), { q, cursor: known.current.cursor });
      const have = new Set(known.current.chats.map((chat) => chat.jid));
      change({ chats: [...known.current.chats, ...page.chats.filter((chat) => !have.has(chat.jid))], cursor: page.cursor });
    });
  const state = useEvents({ sessions: [session], events: TELL }, () => {
    timer.current ??= setTimeout(reload, PAUSE);
  });
  useEffect(() => {
    over.current = false;
    reload();
    return () => {
      over.current = true;
      clearTimeout(timer.current);
    };
  }, [session, q, state === "live"]);
  return { ...found, reload, more: found.cursor ? more : null };
}

export function List({ session, list, current, q, nameOf }) {
  const t = useWords(words);
  if (list.chats === null) return list.error ? html`<${Failure} problem=${list.error} retry=${list.reload} />` : html`<${Spinner} />`;
  const none = list.chats.length === 0;
  return html`
    ${list.error && html`<${Failure} problem=${list.error} retry=${list.reload} />`}
    ${q && !none && html`<h2>${t("chatsFound")}</h2>`}
    ${none && !q && html`<${Empty} title=${t("noChats")}>${t("noChatsText")}<//>`}
    <ul class="rows">${list.chats.map((chat) => html`<li key=${chat.jid}><${Chat} session=${session} chat=${chat} name=${chat.name ?? nameOf(chat.jid)} current=${current} /></li>`)}</ul>
    <${More} onMore=${list.more} />
    ${q && html`<h2>${t("messagesFound")}</h2><${Found} session=${session} q=${q} nameOf=${nameOf} />`}
  `;
}

function Chat({ session, chat, name, current }) {
  const t = useWords(words);
  const last = chat.lastMessage;
  const here = current !== null && (chat.jid === current || chat.alt === current);
  return html`<a class="chat" href=${href("chats", session, chat.jid)} aria-current=${here ? "page" : null}>
    <b dir="auto">${name}</b>
    <time datetime=${chat.lastMessageAt}>${time(chat.lastMessageAt)}</time>
    <span class="last" dir="auto">${last && summary(t, last)}</span>
    ${chat.unreadCount > 0 && html`<span class="unread"><span aria-hidden="true">${count(chat.unreadCount)}</span><span class="unseen">${t("unread", { n: chat.unreadCount })}</span></span>`}
  </a>`;
}

/** A message on one line. */
export function summary(t, row) {
  const said = row.type === "text" || row.type === "revoked" ? "" : t(`kind.${row.type}`, { text: "" }).trim();
  const text = row.type === "revoked" ? t("kind.revoked") : row.text;
  return `${row.fromMe ? `${t("you")}: ` : ""}${[said, text].filter(Boolean).join(" · ").slice(0, 200)}`;
}

/** A button for a chat that is not there yet. */
export function NewChat({ session }) {
  const t = useWords(words);
  const [open, setOpen] = useState(false);
  const enter = ({ phone }) => {
    const digits = phone.replace(/[\s()+-]/g, "");
    if (!/^\d{5,15}$/.test(digits)) throw new Problem(422, { errors: [{ path: "phone", message: t("phoneWrong") }] });
    setOpen(false);
    go("chats", session, `${digits}@s.whatsapp.net`);
  };
  return html`<${Button} onClick=${() => setOpen(true)}>${t("writeTo")}<//>
    ${open &&
    html`<${Dialog} title=${t("writeTo")} onClose=${() => setOpen(false)}>
      <${Form} onSubmit=${enter} submit=${t("open")}>
        <${Field} label=${t("phone")} hint=${t("phoneHint")} name="phone" inputmode="tel" autocomplete="off" />
      <//>
    <//>`}`;
}
