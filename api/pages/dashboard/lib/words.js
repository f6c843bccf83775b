/** The dashboard's languages. A page brings its own words: {en: {key: "…{name}…"}, es: {…}}. */

import { useEffect, useState } from "./vendor/preact.js";
import { en } from "../words/en.js";
import { es } from "../words/es.js";

const SHARED = { en, es };
const CHANGED = "terzetto:language";
const KEPT = "terzetto-language";

export const LANGUAGES = { en: "English", es: "Español" };

let current = kept() ?? (navigator.language.startsWith("es") ? "es" : "en");
document.documentElement.lang = current;

function kept() {
  const found = localStorage.getItem(KEPT);
  return found in LANGUAGES ? found : null;
}

export const language = () => current;

export function setLanguage(name) {
  current = name;
  localStorage.setItem(KEPT, name);
  document.documentElement.lang = name;
  window.dispatchEvent(new Event(CHANGED));
}

/** The language, and again whenever another is chosen. */
export function useLanguage() {
  const [name, setName] = useState(current);
  useEffect(() => {
    const changed = () => setName(current);
    window.addEventListener(CHANGED, changed);
    return () => window.removeEventListener(CHANGED, changed);
  }, []);
  return name;
}

/** `t(key, {name: value})`: the words of `own`, or else those that all pages share; an unknown key is shown as it is. */
export function useWords(own = { en: {}, es: {} }) {
  const name = useLanguage();
  return (key, values = {}) => {
    const text = own[name][key] ?? SHARED[name][key] ?? key;
    return text.replace(/\{(\w+)\}/g, (all, field) => values[field] ?? all);
  };
}
