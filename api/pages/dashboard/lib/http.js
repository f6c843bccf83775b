/** Requests to the gateway's API. What goes wrong is a Problem, with the fields of the answer. */

/** An answer that says no. `errors` is [{path, message}] for the fields of a form. */
export class Problem extends Error {
  constructor(status, document) {
    super(document.detail || document.title || `HTTP ${status}`);
    this.status = status;
    this.code = document.code || "unreachable";
    this.detail = this.message;
    this.errors = document.errors || [];
    this.retryAfterMs = document.retryAfterMs ?? null;
  }
}

/** Fired on window when the gateway does not know us any more. */
export const SIGNED_OUT = "terzetto:signed-out";

const WORD = { "x-terzetto": "1" }; // no other site can make a browser send it

/**
 * Send a request. `json` or `form` is its body; `query` a plain object, of which null and "" are left out.
 * Answers the Response of a success; throws Problem.
 */
export async function send(method, path, { json, form, query, headers } = {}) {
  const body = form ?? (json === undefined ? undefined : JSON.stringify(json));
  const kind = json === undefined ? {} : { "content-type": "application/json" };
  let response;
  try {
    response = await fetch(withQuery(path, query), { method, body, headers: { ...WORD, ...kind, ...headers } });
  } catch {
    throw new Problem(0, { code: "unreachable", detail: "The gateway does not answer." });
  }
  if (response.ok) return response;
  const problem = new Problem(response.status, await documentOf(response));
  if (response.status === 401 && problem.code !== "sign_in_failed") window.dispatchEvent(new Event(SIGNED_OUT));
  throw problem;
}

async function documentOf(response) {
  try {
    return await response.json();
  } catch {
    return {};
  }
}

async function asked(method, path, options) {
  const response = await send(method, path, options);
  return response.status === 204 ? null : response.json();
}

export const get = (path, query) => asked("GET", path, { query });
export const post = (path, json) => asked("POST", path, { json });
export const put = (path, json) => asked("PUT", path, { json });
export const patch = (path, json) => asked("PATCH", path, { json });
export const del = (path, query) => asked("DELETE", path, { query });

/** What `work()` promises, or after a Problem what `told(problem)` gives. All else that goes wrong is thrown. */
export async function orProblem(work, told) {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return told(error);
  }
}

/** What the promise promises, or undefined after a Problem: for what may as well fail. */
export const quietly = (promise) => orProblem(() => promise, () => undefined);

/** A path with the query's fields that say something. */
export function withQuery(path, query = {}) {
  const given = Object.entries(query ?? {}).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return given.length ? `${path}?${new URLSearchParams(given)}` : path;
}

/** A path of the API about a session: `ofSession("ana", "webhooks")`. Each part is escaped. */
export function ofSession(id, ...parts) {
  return ["/api/sessions", id, ...parts].map((part, n) => (n ? encodeURIComponent(part) : part)).join("/");
}
