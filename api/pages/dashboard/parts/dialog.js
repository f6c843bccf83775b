/** Dialogs: the browser's own, which keep the focus and close by Escape. */

import { html, useEffect, useRef, useState } from "../lib/vendor/preact.js";
import { orProblem } from "../lib/http.js";
import { useWords } from "../lib/words.js";
import { Button } from "./button.js";

export function Dialog({ title, onClose, children }) {
  const t = useWords();
  const shown = useRef(null);
  useEffect(() => {
    const dialog = shown.current;
    dialog.showModal();
    return () => dialog.close();
  }, []);
  return html`<dialog ref=${shown} aria-labelledby="dialog-title" onCancel=${onClose}>
    <header><h2 id="dialog-title">${title}</h2><${Button} kind="quiet" aria-label=${t("close")} onClick=${onClose}>✕<//></header>
    ${children}
  </dialog>`;
}

/** Ask before it is done. With `word` that has to be typed first. `onConfirm` may throw Problem, which is shown. */
export function Confirm({ title, children, word = null, action, onConfirm, onClose }) {
  const t = useWords();
  const [typed, setTyped] = useState("");
  const [problem, setProblem] = useState(null);
  const confirm = () =>
    orProblem(async () => {
      await onConfirm();
      onClose();
    }, setProblem);
  return html`<${Dialog} title=${title} onClose=${onClose}>
    <p>${children}</p>
    ${word && html`<label class="field">${t("typeToConfirm", { word })}<input value=${typed} onInput=${(event) => setTyped(event.target.value)} autocomplete="off" /></label>`}
    ${problem && html`<p class="wrong" role="alert">${problem.detail}</p>`}
    <div class="actions">
      <${Button} onClick=${onClose}>${t("cancel")}<//>
      <${Button} kind="danger" disabled=${word !== null && typed !== word} onClick=${confirm}>${action}<//>
    </div>
  <//>`;
}
