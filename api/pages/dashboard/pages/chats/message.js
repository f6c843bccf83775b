/** One message as it is shown in its conversation. */

import { html, useState } from "../../lib/vendor/preact.js";
import { ofSession, post } from "../../lib/http.js";
import { time } from "../../lib/format.js";
import { useWords } from "../../lib/words.js";
import { Button } from "../../parts/button.js";
import { useToast } from "../../parts/toast.js";
import { Content } from "./content.js";
import { quotedBy } from "./said.js";
import { words } from "../chats.words.js";

const TICKS = { queued: "◷", sending: "◷", sent: "✓", delivered: "✓✓", read: "✓✓", played: "✓✓", failed: "✕", unknown: "?" };
const ASIDE = new Set(["reaction", "pin", "edit", "revoke", "poll_vote"]);

/** `aimed`: it is what was looked for; `onAnswer(row)`, `onQuoted(id)`; `mayAct`: whether the reader may send. */
export function Message({ row, marks, nameOf, aimed, mayAct, inGroup, onAnswer, onQuoted, onChanged }) {
  const t = useWords(words);
  if (ASIDE.has(row.type)) return html`<${Aside} row=${row} nameOf=${nameOf} />`;
  const said = quotedBy(row.message);
  const who = row.fromMe ? t("you") : nameOf(row.from);
  const reactions = marks.reactions(row.messageId);
  return html`<article class="message ${row.fromMe ? "mine" : ""} ${aimed ? "aimed" : ""}" id="m-${row.id}" tabindex="-1">
    <header class=${inGroup && !row.fromMe ? "author" : "unseen"} dir="auto">${who}</header>
    ${said && html`<${Quoted} said=${said} nameOf=${nameOf} onClick=${() => onQuoted(said.id)} />`}
    <${Content} row=${row} marks=${marks} />
    <footer>
      ${row.history && html`<span>${t("fromHistory")}</span>`}
      ${marks.edited(row.messageId) && row.type !== "revoked" && html`<span>${t("edited")}</span>`}
      <time datetime=${new Date(row.timestamp * 1000).toISOString()}>${time(row.timestamp * 1000)}</time>
      ${row.fromMe && html`<${Status} row=${row} />`}
      ${mayAct && row.type !== "revoked" && html`<button type="button" class="answer" onClick=${() => onAnswer(row)}>${t("answer")}</button>`}
    </footer>
    ${row.fromMe && (row.status === "failed" || row.status === "unknown") && html`<${Failed} row=${row} mayAct=${mayAct} onChanged=${onChanged} />`}
    ${reactions.length > 0 &&
    html`<ul class="reactions" aria-label=${t("reactions")}>
      ${reactions.map(([by, emoji]) => html`<li title=${by ? nameOf(by) : t("you")}><span class="unseen">${by ? nameOf(by) : t("you")}: </span>${emoji}</li>`)}
    </ul>`}
  </article>`;
}

/** Where it stands, in words. */
function Status({ row }) {
  const t = useWords(words);
  return html`<span class="standing ${row.status}"><span aria-hidden="true">${TICKS[row.status]}</span> ${t(`status.${row.status}`)}</span>`;
}

function Failed({ row, mayAct, onChanged }) {
  const t = useWords(words);
  const toast = useToast();
  const [done, setDone] = useState(false);
  const again = async () => {
    if (await toast.doing(post(ofSession(row.sessionId, "messages", row.id, "retry")).then(() => true))) setDone(true);
    onChanged();
  };
  return html`<p class="failed">
    ${row.status === "unknown" ? t("retryUnknown") : row.error}
    ${mayAct && !done && html` <${Button} kind="quiet" onClick=${again}>${t("sendAgain")}<//>`}
  </p>`;
}

function Quoted({ said, nameOf, onClick }) {
  const t = useWords(words);
  const kind = KINDS[said.part];
  return html`<button type="button" class="quoted" onClick=${onClick}>
    ${said.from && html`<b dir="auto">${nameOf(said.from)}</b>`}
    <span dir="auto">${said.text ?? t(kind ? `kind.${kind}` : "kind.other")}</span>
  </button>`;
}

const KINDS = {
  imageMessage: "image",
  videoMessage: "video",
  audioMessage: "audio",
  documentMessage: "document",
  stickerMessage: "sticker",
  locationMessage: "location",
};

/** What happened rather than what was said. */
function Aside({ row, nameOf }) {
  const t = useWords(words);
  return html`<p class="aside" id="m-${row.id}">
    <bdi>${row.fromMe ? t("you") : nameOf(row.from)}</bdi>: ${t(`kind.${row.type}`, { text: row.text ?? "" })}
    ${row.fromMe && html` · ${t(`status.${row.status}`)}`} · ${time(row.timestamp * 1000)}
  </p>`;
}
