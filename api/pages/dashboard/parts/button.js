/** Things to press. */

import { html, useEffect, useState } from "../lib/vendor/preact.js";
import { useWords } from "../lib/words.js";

/** A button; while `onClick`'s promise is pending it is busy and takes no more. kind: plain, main, danger or quiet. */
export function Button({ kind = "plain", busy = false, onClick, children, type = "button", ...rest }) {
  const [pending, setPending] = useState(false);
  const press = async (event) => {
    const doing = onClick?.(event);
    if (!(doing instanceof Promise)) return;
    setPending(true);
    try {
      await doing;
    } finally {
      setPending(false);
    }
  };
  const waits = busy || pending;
  return html`<button type=${type} class="button ${kind}" aria-busy=${waits} onClick=${press} ...${rest} disabled=${waits || rest.disabled}>
    ${children}
  </button>`;
}

/** A button that copies a text, and says so. */
export function Copy({ value, label }) {
  const t = useWords();
  const [done, setDone] = useState(false);
  useEffect(() => {
    const timer = done && setTimeout(() => setDone(false), 2000);
    return () => clearTimeout(timer);
  }, [done]);
  const copy = async () => {
    await navigator.clipboard.writeText(value);
    setDone(true);
  };
  return html`<${Button} kind="quiet" onClick=${copy}><span aria-live="polite">${done ? t("copied") : (label ?? t("copy"))}</span><//>`;
}
