/** What pages are laid out with. */

import { html, useEffect, useRef } from "../lib/vendor/preact.js";
import { useWords } from "../lib/words.js";
import { Button } from "./button.js";

/** A page with its heading; `actions` stand beside that. */
export function Page({ title, actions = null, back = null, children }) {
  useEffect(() => {
    document.title = `${title} · Terzetto`;
  }, [title]);
  return html`<div class="page">
    <header class="page-head">
      ${back && html`<a class="back" href=${back.href}>${back.title}</a>`}
      <h1 tabindex="-1">${title}</h1>
      ${actions && html`<div class="actions">${actions}</div>`}
    </header>
    ${children}
  </div>`;
}

export function Card({ title = null, actions = null, children, class: more = "" }) {
  return html`<section class="card ${more}">
    ${(title || actions) && html`<header>${title && html`<h2>${title}</h2>`}${actions && html`<div class="actions">${actions}</div>`}</header>`}
    ${children}
  </section>`;
}

/** Links to parts of a page: [{id, title, href}]. */
export function Tabs({ tabs, current, label }) {
  const row = useRef(null);
  useEffect(() => {
    const { offsetLeft, clientWidth } = row.current;
    const shown = row.current.querySelector("[aria-current]"); // on a phone it may stand outside
    if (shown) row.current.scrollLeft = shown.offsetLeft - offsetLeft - (clientWidth - shown.offsetWidth) / 2;
  }, [current]);
  return html`<nav class="tabs" aria-label=${label} ref=${row}>
    ${tabs.map((tab) => html`<a href=${tab.href} aria-current=${tab.id === current ? "page" : null}>${tab.title}</a>`)}
  </nav>`;
}

/** Where there is nothing yet: what could be here, and how it comes to be. */
export function Empty({ title, children, action = null }) {
  return html`<div class="empty"><p class="strong">${title}</p>${children && html`<p>${children}</p>`}${action}</div>`;
}

export function Spinner() {
  const t = useWords();
  return html`<p class="spinner" role="status"><i aria-hidden="true"></i><span class="unseen">${t("loading")}</span></p>`;
}

/** A Problem where something should have been. */
export function Failure({ problem, retry = null }) {
  const t = useWords();
  return html`<div class="failure" role="alert">
    <p>${problem.detail}</p>
    ${retry && html`<${Button} onClick=${retry}>${t("again")}<//>`}
  </div>`;
}

/** The next page of a list; nothing without `onMore`. */
export function More({ onMore }) {
  const t = useWords();
  return onMore && html`<p class="more"><${Button} onClick=${onMore}>${t("more")}<//></p>`;
}

/** A field that is searched with as one types. */
export function Search({ value, onInput, label }) {
  return html`<input class="search" type="search" placeholder=${label} aria-label=${label} value=${value} onInput=${(event) => onInput(event.target.value)} />`;
}

/** Text to be copied, such as code. */
export function Code({ value, label = null }) {
  return html`<pre class="code" tabindex="0" aria-label=${label}><code>${value}</code></pre>`;
}
