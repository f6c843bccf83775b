/** Where one writes, and what of that is still under way. */

import { html, useEffect, useRef, useState } from "../../lib/vendor/preact.js";
import { bytes } from "../../lib/format.js";
import { useWords } from "../../lib/words.js";
import { Button } from "../../parts/button.js";
import { kindOf } from "./outbox.js";
import { safeName, wordsOf } from "./said.js";
import { words } from "../chats.words.js";

/** `quoted` is the message that is answered; `onSend({text, file, kind, quoted})`. */
export function Compose({ quoted, nameOf, onForget, onSend }) {
  const t = useWords(words);
  const [text, setText] = useState("");
  const [file, setFile] = useState(null);
  const [plain, setPlain] = useState(false); // as a document, whatever it is
  const field = useRef(null);
  useEffect(() => {
    if (quoted) field.current.focus();
  }, [quoted]);
  const submit = (event) => {
    event.preventDefault();
    if (!file && !text.trim()) return;
    onSend({ text, file, quoted, kind: file ? (plain ? "document" : kindOf(file)) : "text" });
    setText("");
    setFile(null);
    setPlain(false);
  };
  const onKey = (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) submit(event);
  };
  const onPaste = ({ clipboardData }) => {
    if (clipboardData.files.length) setFile(clipboardData.files[0]);
  };
  return html`<form class="compose" onSubmit=${submit}>
    ${quoted &&
    html`<p class="about">
      <span><b dir="auto">${t("answerTo", { name: quoted.fromMe ? t("you") : nameOf(quoted.from) })}</b> <span dir="auto">${quoted.text ?? wordsOf(quoted.message) ?? t(`kind.${quoted.type}`)}</span></span>
      <${Button} kind="quiet" onClick=${onForget} aria-label=${t("forget")}>✕<//>
    </p>`}
    ${file &&
    html`<p class="about">
      <span><b dir="auto">${safeName(file.name, t("kind.document"))}</b> <small>${bytes(file.size)}</small></span>
      ${kindOf(file) !== "document" && html`<label class="plain"><input type="checkbox" checked=${plain} onChange=${(event) => setPlain(event.target.checked)} /> ${t("asDocument")}</label>`}
      <${Button} kind="quiet" onClick=${() => setFile(null)} aria-label=${t("takeAway")}>✕<//>
    </p>`}
    <div class="line">
      <label class="button attach" title=${t("attach")}>
        <span aria-hidden="true">+</span><span class="unseen">${t("attach")}</span>
        <input type="file" class="unseen" value="" onChange=${(event) => setFile(event.target.files[0] ?? null)} />
      </label>
      <textarea ref=${field} rows="1" aria-label=${file ? t("caption") : t("write")} placeholder=${file ? t("caption") : t("write")} title=${t("hint")}
        value=${text} onInput=${(event) => setText(event.target.value)} onKeyDown=${onKey} onPaste=${onPaste}></textarea>
      <${Button} kind="main" type="submit" disabled=${!file && !text.trim()}>${t("send")}<//>
    </div>
  </form>`;
}

/** One that is on its way, or could not be sent. */
export function Waiting({ item, onAgain, onDiscard }) {
  const t = useWords(words);
  const { text, file, kind, problem } = item;
  const refused = problem?.status === 415 && kind !== "document";
  return html`<article class="message mine waiting">
    ${file && html`<p class="file"><bdi class="strong">${safeName(file.name, t("kind.document"))}</bdi> <small>${bytes(file.size)}</small></p>`}
    ${text && html`<span class="said" dir="auto">${text}</span>`}
    <footer role="status">${problem ? html`<span class="standing failed"><span aria-hidden="true">✕</span> ${t("status.failed")}</span>` : t("status.sending")}</footer>
    ${problem &&
    html`<div class="failed" role="alert">
      <p>${t("notSent", { why: problem.detail })}</p>
      <div class="actions">
        <${Button} onClick=${() => onAgain(item)}>${t("sendAgain")}<//>
        ${refused && html`<${Button} onClick=${() => onAgain(item, "document")}>${t("sendAsDocument")}<//>`}
        <${Button} kind="quiet" onClick=${() => onDiscard(item)}>${t("discard")}<//>
      </div>
    </div>`}
  </article>`;
}
