/** Forms: a Problem's errors stand at the fields they are about. */

import { createContext, html, useContext, useEffect, useMemo, useRef, useState } from "../lib/vendor/preact.js";
import { orProblem } from "../lib/http.js";
import { Button } from "./button.js";

const Wrong = createContext({});
let last = 0;

/**
 * `onSubmit(values)`, of the fields' names, may throw Problem: its errors are shown at the fields with that name, the
 * rest above the button. `submit` is the button's text; `children` are the fields.
 */
export function Form({ onSubmit, submit, kind = "main", children, actions = null }) {
  const [problem, setProblem] = useState(null);
  const [busy, setBusy] = useState(false);
  const [named, setNamed] = useState([]);
  const shown = useRef(null);
  useEffect(() => {
    if (problem) shown.current.querySelector("[aria-invalid=true]:not(fieldset), [aria-invalid=true] input")?.focus();
  }, [problem]);
  const send = async (event) => {
    event.preventDefault();
    const form = event.target;
    setNamed([...form.elements].map((each) => each.name));
    setBusy(true);
    setProblem(null);
    try {
      await orProblem(() => onSubmit(valuesOf(form)), setProblem);
    } finally {
      setBusy(false);
    }
  };
  const wrong = Object.fromEntries((problem?.errors ?? []).map((error) => aboutField(error, named)));
  const elsewhere = problem && !Object.keys(wrong).some((name) => named.includes(name));
  return html`<form ref=${shown} class="form" onSubmit=${send} novalidate>
    <${Wrong.Provider} value=${wrong}>${children}<//>
    ${elsewhere && html`<p class="wrong" role="alert">${problem.detail}</p>`}
    <div class="actions">${actions}<${Button} kind=${kind} type="submit" busy=${busy}>${submit}<//></div>
  </form>`;
}

/** The field that an error is about, and what it says: what is wrong with `headers.x` stands at `headers`. */
function aboutField({ path, message }, named) {
  const whole = named.find((name) => name && (path.startsWith(`${name}.`) || path.startsWith(`${name}[`)));
  return named.includes(path) || !whole ? [path, message] : [whole, `${path}: ${message}`];
}

function valuesOf(form) {
  const found = {};
  for (const each of form.elements) {
    if (!each.name || each.disabled) continue;
    if (each.type === "checkbox" && each.hasAttribute("value")) found[each.name] = [...(found[each.name] ?? []), ...(each.checked ? [each.value] : [])];
    else if (each.type === "checkbox") found[each.name] = each.checked;
    else if (each.type === "radio") found[each.name] = each.checked ? each.value : (found[each.name] ?? null);
    else if (each.type === "number") found[each.name] = each.value === "" ? null : Number(each.value);
    else if (each.type === "file") found[each.name] = each.files[0] ?? null;
    else if (each.type === "select-multiple") found[each.name] = [...each.selectedOptions].map((one) => one.value);
    else found[each.name] = each.value;
  }
  return found;
}

function useField(name) {
  const id = useMemo(() => `field-${++last}`, []);
  const wrong = useContext(Wrong)[name];
  return { id, wrong, about: { "aria-invalid": Boolean(wrong), "aria-describedby": `${id}-about` } };
}

function Around({ id, label, hint, wrong, children }) {
  return html`<div class="field">
    <label for=${id}>${label}</label>
    ${children}
    <p class=${wrong ? "wrong" : "hint"} id="${id}-about">${wrong ?? hint}</p>
  </div>`;
}

/** A line to fill in, or with `rows` several. Other properties go to the input. */
export function Field({ label, hint = null, name, rows = null, ...rest }) {
  const { id, wrong, about } = useField(name);
  const input = rows
    ? html`<textarea id=${id} name=${name} rows=${rows} ...${about} ...${rest}></textarea>`
    : html`<input id=${id} name=${name} ...${about} ...${rest} />`;
  return html`<${Around} id=${id} label=${label} hint=${hint} wrong=${wrong}>${input}<//>`;
}

/** One of some: [[value, title], …]. With `value` it is the page's to keep, with `initial` the form's. */
export function Select({ label, hint = null, name, options, value, initial, ...rest }) {
  const { id, wrong, about } = useField(name);
  return html`<${Around} id=${id} label=${label} hint=${hint} wrong=${wrong}>
    <select id=${id} name=${name} value=${value} ...${about} ...${rest}>
      ${options.map(([each, title]) => html`<option value=${each} selected=${each === (value ?? initial)}>${title}</option>`)}
    </select>
  <//>`;
}

/** Yes or no. */
export function Switch({ label, hint = null, name, ...rest }) {
  const { id, wrong, about } = useField(name);
  return html`<div class="field switch">
    <input id=${id} name=${name} type="checkbox" ...${about} ...${rest} /><label for=${id}>${label}</label>
    <p class=${wrong ? "wrong" : "hint"} id="${id}-about">${wrong ?? hint}</p>
  </div>`;
}

/** Any of some: [[value, title], …]. The form has a list of those that are ticked. */
export function Checks({ label, hint = null, name, options, initial = [] }) {
  const { id, wrong, about } = useField(name);
  return html`<fieldset class="field checks" ...${about}>
    <legend>${label}</legend>
    <div>
      ${options.map(([each, title]) => html`<label><input type="checkbox" name=${name} value=${each} defaultChecked=${initial.includes(each)} />${title}</label>`)}
    </div>
    <p class=${wrong ? "wrong" : "hint"} id="${id}-about">${wrong ?? hint}</p>
  </fieldset>`;
}
