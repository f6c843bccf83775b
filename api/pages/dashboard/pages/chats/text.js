/** A stranger's text: it stays text, but for links to the web. */

import { html } from "../../lib/vendor/preact.js";

const LINK = /\bhttps?:\/\/[^\s<>"'`]+/gi;
const ENDING = /[.,;:!?)\]}»”’]+$/;

/** A text with its http and https links to be followed, and nothing else. */
export function Text({ value }) {
  return html`<span class="said" dir="auto">${linked(value)}</span>`;
}

function linked(text) {
  const found = [];
  let done = 0;
  for (const { 0: match, index } of text.matchAll(LINK)) {
    const address = match.replace(ENDING, "");
    if (!isPlain(address)) continue;
    found.push(text.slice(done, index), html`<${Link} to=${address}>${address}<//>`);
    done = index + address.length;
  }
  return [...found, text.slice(done)];
}

/** Whether it leads where it seems to: to the web, without a user before the host. */
function isPlain(address) {
  try {
    const { protocol, username, password } = new URL(address);
    return /^https?:$/.test(protocol) && username === "" && password === "";
  } catch {
    return false;
  }
}

/** A link away from here, which tells nobody from where. */
export function Link({ to, children }) {
  return html`<a href=${to} target="_blank" rel="noreferrer noopener">${children}</a>`;
}
