/** Where we are: `#/sessions/ana/webhooks?state=dead` is {parts: ["sessions", "ana", "webhooks"], query: {state: "dead"}}. */

import { useEffect, useState } from "./vendor/preact.js";

/** The place that the address names. */
export function place() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const parts = path.split("/").filter(Boolean).map(decoded);
  return { parts, query: Object.fromEntries(new URLSearchParams(query)) };
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** An address for a link: `href("sessions", id, {q: "a"})`. */
export function href(...parts) {
  const query = typeof parts.at(-1) === "object" ? parts.pop() : {};
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  const path = parts.map(encodeURIComponent).join("/");
  return `#/${path}${given.length ? `?${new URLSearchParams(given)}` : ""}`;
}

/** Go there. */
export function go(...parts) {
  location.hash = href(...parts);
}

/** Go there without a step to come back to: for what a search field says. */
export function swap(...parts) {
  history.replaceState(null, "", href(...parts));
  window.dispatchEvent(new HashChangeEvent("hashchange"));
}

/** The place, and again whenever it changes. */
export function useRoute() {
  const [here, setHere] = useState(place);
  useEffect(() => {
    const moved = () => setHere(place());
    window.addEventListener("hashchange", moved);
    moved(); // it may be another one since this was drawn
    return () => window.removeEventListener("hashchange", moved);
  }, []);
  return here;
}
