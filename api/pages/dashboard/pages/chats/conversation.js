/** One chat: its messages, and a place to write. */

import { html, useEffect, useMemo, useRef, useState } from "../../lib/vendor/preact.js";
import { get, ofSession, post, quietly } from "../../lib/http.js";
import { usePolled } from "../../lib/live.js";
import { can, useMe } from "../../lib/me.js";
import { go, href } from "../../lib/route.js";
import { language, useWords } from "../../lib/words.js";
import { Button } from "../../parts/button.js";
import { Failure, Spinner } from "../../parts/page.js";
import { useToast } from "../../parts/toast.js";
import { Compose, Waiting } from "./compose.js";
import { useHistory } from "./history.js";
import { Message } from "./message.js";
import { shownJid } from "./names.js";
import { useOutbox } from "./outbox.js";
import { words } from "../chats.words.js";

/** `chat` is its row in the list, if it is there; `people` are `useNames`'s; `at` and `aim` lead to an older message: when it was, and its id. */
export function Conversation({ session, jid, chat, at, aim, people, onChanged }) {
  const t = useWords(words);
  const me = useMe();
  const { nameOf, note } = people;
  const toast = useToast();
  const detail = usePolled(() => get(ofSession(session, "chats", jid)), 0, [session, jid]).data;
  const facts = chat ?? detail;
  const nameless = jid.endsWith("@g.us") && facts !== null && facts.name === null;
  useEffect(() => {
    // A group's subject is asked of WhatsApp, which makes it known to the list as well; without it there is its number.
    if (nameless) quietly(get(ofSession(session, "chats", "groups", jid))).then((group) => note(jid, group?.subject));
  }, [jid, nameless]);
  const addresses = [jid, facts?.jid, facts?.alt].filter(Boolean);
  const history = useHistory({ session, jid, addresses, at, onName: note });
  const outbox = useOutbox(session, history.refresh);
  const [quoted, setQuoted] = useState(null);
  const mayWrite = can(me, "send", session);
  const stories = jid === "status@broadcast";
  const name = facts?.name ?? nameOf(jid);

  const stored = new Set(history.rows?.map((row) => row.clientRef));
  const read = async () => {
    const done = await toast.doing(post(ofSession(session, "chats", jid, "read")));
    if (done) toast(t("marked", { n: done.read }));
    onChanged();
  };
  const rows = useRef(null);
  rows.current = history.rows;
  const reveal = async (id) => {
    const there = rows.current.find((each) => each.messageId === id);
    const row = there ?? (await quietly(get(ofSession(session, "messages", id))));
    if (there) show(row.id);
    else if (row) go("chats", session, jid, { at: row.timestamp, m: row.id });
  };
  return html`<section class="conversation" aria-label=${name}>
    <header class="who">
      <a class="back" href=${href("chats", session)}>${t("toChats")}</a>
      <h2 dir="auto">${name}</h2>
      <small class="mono">${shownJid(jid)}</small>
      <div class="actions">
        <small class=${history.state === "live" ? "good" : "warn"}>${t(history.state)}</small>
        ${chat?.unreadCount > 0 && mayWrite && html`<${Button} onClick=${read}>${t("markRead")}<//>`}
      </div>
    </header>
    ${!history.newest && html`<p class="note">${t("earlier")} <${Button} kind="quiet" onClick=${() => go("chats", session, jid)}>${t("toNewest")}<//></p>`}
    <${Stream} history=${history} aim=${aim}>
      ${history.rows?.map(
        (row, n) => html`<${Entry} key=${row.id} row=${row} day=${newDay(row, history.rows[n - 1])} names=${people.names} told=${history.marks.told(row.messageId)}
          marks=${history.marks} nameOf=${nameOf} aimed=${row.id === aim} inGroup=${jid.endsWith("@g.us") || stories} mayAct=${mayWrite && !stories}
          onAnswer=${setQuoted} onQuoted=${reveal} onChanged=${history.refresh} />`,
      )}
      ${outbox.waiting
        .filter((item) => item.to === jid && !stored.has(item.ref))
        .map((item) => html`<${Waiting} key=${item.ref} item=${item} onAgain=${outbox.again} onDiscard=${outbox.discard} />`)}
    <//>
    ${stories || !mayWrite
      ? html`<p class="note">${t(stories ? "statusNotHere" : "mayNotSend")}</p>`
      : html`<${Compose} quoted=${quoted} nameOf=${nameOf} onForget=${() => setQuoted(null)}
          onSend=${(item) => {
            outbox.add({ ...item, to: jid });
            setQuoted(null);
            if (!history.newest) go("chats", session, jid);
          }} />`}
  </section>`;
}

/** What scrolls: it stays at its foot, and older messages come as one reaches its head. */
function Stream({ history, aim, children }) {
  const t = useWords(words);
  const head = useRef(null);
  const older = useRef(null);
  older.current = history.older;
  const there = history.rows !== null;
  useEffect(() => {
    if (!there || !head.current) return undefined;
    const watch = new IntersectionObserver(([{ isIntersecting }]) => isIntersecting && older.current?.());
    watch.observe(head.current);
    return () => watch.disconnect();
  }, [there, history.rows?.length]);
  useEffect(() => {
    if (there && aim) show(aim);
  }, [there, aim]);
  if (history.error && !there) return html`<div class="stream"><${Failure} problem=${history.error} retry=${history.retry} /></div>`;
  if (!there) return html`<div class="stream"><${Spinner} /></div>`;
  return html`<div class="stream" tabindex="0" role="region" aria-label=${t("messagesFound")}>
    <div>
      ${history.error && html`<${Failure} problem=${history.error} retry=${history.older ?? history.retry} />`}
      ${history.older
        ? html`<p class="more" ref=${head}><${Button} kind="quiet" onClick=${history.older}>${t("older")}<//></p>`
        : html`<p class="aside">${t(history.rows.length ? "oldest" : "nothingYet")}</p>`}
      ${children}
    </div>
  </div>`;
}

/** A message, below its day's name where that begins. It is made anew only when it is another: there may be hundreds. */
function Entry({ day, names, told, ...given }) {
  const { row, aimed, mayAct } = given;
  return useMemo(() => html`<div class="entry">${day && html`<h3 class="day">${day}</h3>`}<${Message} ...${given} /></div>`, [row, day, names, told, aimed, mayAct]);
}

/** The day of a message by name, if it is another than that of the one before; null: the same. */
function newDay({ timestamp }, before) {
  const day = (seconds) => new Date(seconds * 1000).toDateString();
  if (before && day(before.timestamp) === day(timestamp)) return null;
  return new Intl.DateTimeFormat(language(), { dateStyle: "full" }).format(timestamp * 1000);
}

function show(id) {
  const found = document.getElementById(`m-${id}`);
  found?.scrollIntoView({ block: "center" });
  found?.focus({ preventScroll: true });
}
