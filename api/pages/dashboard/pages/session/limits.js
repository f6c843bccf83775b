/** The limits of how fast a session sends, as fields of a form. */

import { html } from "../../lib/vendor/preact.js";
import { useWords } from "../../lib/words.js";
import { Field } from "../../parts/form.js";
import { words } from "./limits.words.js";

const LIMITS = ["perMinute", "burst", "newChatsPerDay"];

/** A field for each; `limits` are those that are set. */
export function LimitFields({ limits = {} }) {
  const t = useWords(words);
  return LIMITS.map(
    (each) => html`<${Field} key=${each} label=${t(each)} hint=${t(`${each}Hint`)} name=${`limits.${each}`} type="number" min="1" max="100000" step="1" inputmode="numeric" defaultValue=${limits[each] ?? ""} />`,
  );
}

/** Those that a form's values set; null: none. */
export function limitsOf(values) {
  const set = LIMITS.map((each) => [each, values[`limits.${each}`]]).filter(([, value]) => value !== null);
  return set.length ? Object.fromEntries(set) : null;
}
