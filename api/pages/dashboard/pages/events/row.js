/** An event in the list. It never changes, so it is drawn once: and again when it is opened or the language changes. */

import { html, useMemo, useState } from "../../lib/vendor/preact.js";
import { href } from "../../lib/route.js";
import { language, useWords } from "../../lib/words.js";
import { Copy } from "../../parts/button.js";
import { Code } from "../../parts/page.js";
import { words } from "../events.words.js";

const GLANCE = 160; // characters of its data that are seen while it is closed

/** `query` is what the list is filtered by; `inLanguage` the one in which it is drawn. */
export function Row({ event, query, inLanguage }) {
  const [open, setOpen] = useState(false);
  return useMemo(
    () => html`<li class="event">
      <button type="button" aria-expanded=${open} onClick=${() => setOpen(!open)}>
        <time datetime=${event.occurredAt} title=${event.occurredAt}>${clock(event.occurredAt)}</time>
        <b>${event.event}</b><span class="session">${event.sessionId}</span><small>#${event.seq}</small>
        <code dir="auto">${glance(event.data)}</code>
      </button>
      ${open && html`<${Opened} event=${event} query=${query} />`}
    </li>`,
    [event, query, open, inLanguage],
  );
}

function Opened({ event, query }) {
  const t = useWords(words);
  const whole = json(event, 2);
  return html`<div class="opened">
    <div class="actions">
      <a class="button" href=${href("events", { ...query, after: event.cursor })}>${t("fromHere")}</a>
      <${Copy} value=${event.cursor} label=${t("copyCursor")} />
      <${Copy} value=${whole} />
    </div>
    <${Code} value=${whole} label=${t("data")} />
  </div>`;
}

/** What is said first, and then of which message. */
function glance({ key, ...said }) {
  return json({ ...said, key }).slice(0, GLANCE);
}

/** As JSON may say it: what is not seen, or turns the direction of what follows, is written as a number. */
function json(value, indent = 0) {
  const unseen = /[\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;
  return JSON.stringify(value, null, indent).replace(unseen, (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

let shape = null;

/** To the millisecond: with many events a second, seconds say little. */
function clock(iso) {
  if (shape?.name !== language()) {
    const fields = { hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3, hourCycle: "h23" };
    shape = { name: language(), time: new Intl.DateTimeFormat(language(), fields) };
  }
  return shape.time.format(new Date(iso));
}
