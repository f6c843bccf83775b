/** Chats: those of a session beside the one that is open; of all sessions, the latest messages. */

import { html, useEffect, useState } from "../lib/vendor/preact.js";
import { get } from "../lib/http.js";
import { usePolled } from "../lib/live.js";
import { can, useMe } from "../lib/me.js";
import { go, swap } from "../lib/route.js";
import { useWords } from "../lib/words.js";
import { Empty, Failure, Page, Search, Spinner } from "../parts/page.js";
import { Conversation } from "./chats/conversation.js";
import { Found } from "./chats/found.js";
import { List, NewChat, useChats } from "./chats/list.js";
import { useNames } from "./chats/names.js";
import { words } from "./chats.words.js";

const TYPING = 300; // ms without a key until it is looked for

export default function Chats({ parts, query }) {
  const t = useWords(words);
  const me = useMe();
  const [session = null, jid = null] = parts;
  const { data, error, reload } = usePolled(() => get("/api/sessions", { limit: 500 }));
  const sessions = data?.sessions.filter(({ id }) => can(me, "read", id));
  const only = sessions?.length === 1 ? sessions[0].id : null;
  useEffect(() => {
    if (only !== null && session === null) swap("chats", only);
  }, [only, session]);
  if (error && !data) return html`<${Page} title=${t("title")}><${Failure} problem=${error} retry=${reload} /><//>`;
  if (!data || (only !== null && session === null)) return html`<${Spinner} />`;
  if (sessions.length === 0) return html`<${Page} title=${t("title")}><${Empty} title=${t("noSessions")}>${t("noSessionsText")}<//><//>`;
  const here = sessions.some(({ id }) => id === session);
  const actions = html`${here && can(me, "send", session) && html`<${NewChat} session=${session} />`}
    <select aria-label=${t("session")} value=${session ?? ""} onChange=${(event) => go("chats", ...[event.target.value].filter(Boolean))}>
      ${only === null && html`<option value="" selected=${session === null}>${t("allSessions")}</option>`}
      ${sessions.map(({ id, name }) => html`<option value=${id} selected=${id === session}>${name === id ? id : `${name} (${id})`}</option>`)}
    </select>`;
  return html`<${Page} title=${t("title")} actions=${actions}>
    ${session === null && html`<${AllSessions} query=${query} />`}
    ${session !== null && !here && html`<${Empty} title=${t("nothingHere")} />`}
    ${here && html`<${OfSession} key=${session} session=${session} jid=${jid} query=${query} />`}
  <//>`;
}

function OfSession({ session, jid, query }) {
  const t = useWords(words);
  const [q, field] = useQuery(query.q ?? "");
  const list = useChats(session, q);
  const people = useNames(session);
  useEffect(() => list.chats?.forEach((each) => people.note(each.jid, each.name)), [list.chats]);
  const chat = list.chats?.find((each) => each.jid === jid || each.alt === jid) ?? null;
  const at = /^\d{1,11}$/.test(query.at ?? "") ? Number(query.at) : null;
  return html`<div class="chats ${jid === null ? "" : "open"}">
    <aside aria-label=${t("title")}>${field}<div class="scroll"><${List} session=${session} list=${list} current=${jid} q=${q} nameOf=${people.nameOf} /></div></aside>
    ${jid === null
      ? html`<p class="conversation none">${t("choose")}</p>`
      : html`<${Conversation} key=${`${jid} ${at}`} session=${session} jid=${jid} chat=${chat} at=${at} aim=${query.m ?? null} people=${people} onChanged=${list.reload} />`}
  </div>`;
}

function AllSessions({ query }) {
  const t = useWords(words);
  const [q, field] = useQuery(query.q ?? "");
  return html`<section class="card chats-all">${field}<h2>${t(q ? "messagesFound" : "latest")}</h2><${Found} session=${null} q=${q} /></section>`;
}

/** What is searched for, once typing rests, and its field. */
function useQuery(initial) {
  const t = useWords(words);
  const [typed, setTyped] = useState(initial);
  const [q, setQ] = useState(initial);
  useEffect(() => {
    const timer = setTimeout(() => setQ(typed.trim()), TYPING);
    return () => clearTimeout(timer);
  }, [typed]);
  return [q, html`<${Search} value=${typed} onInput=${setTyped} label=${t("toSearch")} />`];
}
