/** One chat on a simulated phone: what was said, and a line to write. */

import { html, useRef, useState } from "../../lib/vendor/preact.js";
import { time } from "../../lib/format.js";
import { href } from "../../lib/route.js";
import { useWords } from "../../lib/words.js";
import { Button } from "../../parts/button.js";
import { useToast } from "../../parts/toast.js";
import { words } from "../phones.words.js";
import { network } from "./network.js";

const PICTURES = new Set(["imageMessage", "stickerMessage"]);
const FILES = new Set(["videoMessage", "audioMessage", "documentMessage", "ptvMessage"]);

/** A message in a line: its text, or what it is. */
export function said(message, t) {
  if (message.text) return message.text;
  if (message.type === null) return t("written"); // what was written is known once the other's phone has it
  return t("sort", { type: message.type.replace(/Message(V\d)?$/, "") });
}

export function Talk({ phone, chat, reload }) {
  const t = useWords(words);
  const toast = useToast();
  const [text, setText] = useState("");
  const [busy, setBusy] = useState(false);
  const [known, setKnown] = useState({}); // what was written here, until the other's phone has it
  const read = useRef(new Set());
  const unread = phone.autoRead ? [] : chat.messages.filter((each) => !each.mine && !read.current.has(each.messageId));
  const send = async (event) => {
    event.preventDefault();
    const message = text.trim();
    if (!message || busy) return;
    setBusy(true);
    const done = await toast.doing(network.write(phone.phone, chat.peer, message));
    if (done) {
      setKnown((before) => ({ ...before, [done.messageId]: message }));
      setText("");
    }
    setBusy(false);
    reload();
  };
  const markRead = async () => {
    for (const { messageId } of unread) {
      if (!(await toast.doing(network.read(phone.phone, messageId)))) return;
      read.current.add(messageId);
    }
    reload();
  };
  const onKey = (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) send(event);
  };
  return html`<section class="conversation" aria-label=${chat.name}>
    <header class="who">
      <a class="back" href=${href("phones", phone.phone)}>${t("chats")}</a>
      <h2 dir="auto">${chat.name}</h2>
      <small class="mono">${chat.group ? "" : `+${chat.peer}`}</small>
      <div class="actions">${unread.length > 0 && html`<${Button} kind="quiet" onClick=${markRead}>${t("markRead")}<//>`}</div>
    </header>
    <div class="stream" tabindex="0" role="log" aria-label=${t("saidHere")}>
      <div>
        ${!chat.messages.length && html`<p class="aside">${t("nothingSaid")}</p>`}
        ${chat.messages.map((each) => html`<${Message} key=${each.messageId} message=${{ ...each, text: each.text ?? known[each.messageId] ?? null }} phone=${phone} inGroup=${chat.group} t=${t} />`)}
      </div>
    </div>
    <form class="compose" onSubmit=${send}>
      <div class="line">
        <textarea rows="1" aria-label=${t("writeTo", { name: chat.name })} placeholder=${t("writeTo", { name: chat.name })} value=${text} onInput=${(event) => setText(event.target.value)} onKeyDown=${onKey}></textarea>
        <${Button} kind="main" type="submit" busy=${busy} disabled=${!text.trim()}>${t("send")}<//>
      </div>
    </form>
  </section>`;
}

function Message({ message, phone, inGroup, t }) {
  if (message.about) return html`<p class="aside">${message.mine ? t("you") : inGroup ? `+${message.from}` : ""} ${said(message, t)} · ${time(message.timestamp * 1000)}</p>`;
  const { type, messageId } = message;
  return html`<article class="message ${message.mine ? "mine" : ""}">
    <header class=${inGroup && !message.mine ? "author" : "unseen"}>${message.mine ? t("you") : `+${message.from}`}</header>
    ${!message.mine && PICTURES.has(type) && html`<img src=${network.file(phone.phone, messageId)} alt=${said(message, t)} />`}
    ${!message.mine && FILES.has(type) && html`<a class="file" href=${network.file(phone.phone, messageId)} download>${said({ ...message, text: null }, t)}</a>`}
    ${(message.text || !(PICTURES.has(type) || FILES.has(type))) && html`<span class="said" dir="auto">${said(message, t)}</span>`}
    <footer>
      ${message.byCompanion && html`<span>${t("byCompanion")}</span>`}
      <time datetime=${new Date(message.timestamp * 1000).toISOString()}>${time(message.timestamp * 1000)}</time>
      ${message.receipts && html`<${Receipt} receipts=${message.receipts} t=${t} />`}
    </footer>
  </article>`;
}

function Receipt({ receipts, t }) {
  const kinds = new Set(receipts.map(({ type }) => type));
  const standing = kinds.has("read") || kinds.has("played") ? "read" : kinds.size ? "delivered" : "sent";
  return html`<span class="standing ${standing}"><span aria-hidden="true">${standing === "sent" ? "✓" : "✓✓"}</span> ${t(`standing.${standing}`)}</span>`;
}
