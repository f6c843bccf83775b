/** The dashboard: who is signed in, the frame round every page, and the page that the address names. */

import { html, render, useEffect, useState } from "./lib/vendor/preact.js";
import { get, orProblem, post, SIGNED_OUT } from "./lib/http.js";
import { Me, can } from "./lib/me.js";
import { href, place, useRoute } from "./lib/route.js";
import { LANGUAGES, setLanguage, useLanguage, useWords } from "./lib/words.js";
import { Loaded } from "./parts/loaded.js";
import { Failure, Spinner } from "./parts/page.js";
import { Toasts } from "./parts/toast.js";
import { setTheme, theme } from "./lib/theme.js";

/** By the first part of the address: who may see the page, and where it is. */
const PAGES = {
  overview: { scope: "status", load: () => import("./pages/overview.js") },
  sessions: { scope: "status", load: () => import("./pages/sessions.js") },
  chats: { scope: "read", load: () => import("./pages/chats.js") },
  events: { scope: "read", load: () => import("./pages/events.js") },
  nodes: { scope: "operate", load: () => import("./pages/nodes.js") },
  tree: { scope: "operate", load: () => import("./pages/tree.js") },
  audit: { scope: "operate", load: () => import("./pages/audit.js") },
  people: { scope: "admin", load: () => import("./pages/people.js") },
  phones: { scope: "admin", sandbox: true, load: () => import("./pages/phones.js") },
};
const OTHERS = { account: { scope: "status", load: () => import("./pages/account.js") } };
const SIGN_IN = () => import("./pages/signin.js");

function App() {
  const t = useWords();
  const [me, setMe] = useState(undefined); // null: nobody
  const [problem, setProblem] = useState(null);
  const look = () => {
    setProblem(null);
    const nobody = (error) => (error.status === 401 ? setMe(null) : setProblem(error));
    return orProblem(async () => setMe(await get("/api/me")), nobody);
  };
  useEffect(() => {
    const out = () => setMe(null);
    window.addEventListener(SIGNED_OUT, out);
    look();
    return () => window.removeEventListener(SIGNED_OUT, out);
  }, []);
  if (problem) return html`<main><${Failure} problem=${problem} retry=${look} /></main>`;
  if (me === undefined) return html`<${Spinner} />`;
  if (me === null) return html`<main class="alone"><${Loaded} load=${SIGN_IN} onDone=${look} /><${Choices} /></main>`;
  return html`<${Me.Provider} value=${me}>
    <a class="skip" href="#content" onClick=${toContent}>${t("skip")}</a>
    <${Frame} me=${me} onSignedOut=${() => setMe(null)} />
  <//>`;
}

function toContent(event) {
  event.preventDefault();
  document.querySelector("#content h1")?.focus();
}

function Frame({ me, onSignedOut }) {
  const t = useWords();
  const { parts, query } = useRoute();
  const [open, setOpen] = useState(false);
  const allowed = Object.entries(PAGES).filter(([, page]) => can(me, page.scope) && (!page.sandbox || me.sandbox));
  const [name = "overview", ...rest] = parts;
  const page = Object.fromEntries(allowed)[name] ?? OTHERS[name];
  useEffect(() => setOpen(false), [parts.join("/")]);
  const leave = async () => {
    await post("/api/sign-out");
    onSignedOut();
  };
  return html`<div class="frame ${open ? "open" : ""}">
    <header class="bar">
      <button type="button" class="button quiet menu" aria-expanded=${open} aria-controls="nav" onClick=${() => setOpen(!open)}>
        <span aria-hidden="true">☰</span><span class="unseen">${t("menu")}</span>
      </button>
      <a class="brand" href="#/"><img src="/ui/icon.svg" alt="" width="24" height="24" />Terzetto</a>
    </header>
    <nav id="nav" aria-label=${t("menu")}>
      ${allowed.map(([each]) => html`<a href=${href(each)} aria-current=${each === name ? "page" : null}>${t(`page.${each}`)}</a>`)}
      <div class="foot">
        <a href="#/account" aria-current=${name === "account" ? "page" : null}>${me.name}</a>
        <button type="button" class="button quiet" onClick=${leave}>${t("signOut")}</button>
        <${Choices} />
        <small><a href="/docs" target="_blank" rel="noreferrer">API</a> · ${me.version}</small>
      </div>
    </nav>
    <main id="content">
      ${page ? html`<${Loaded} key=${name} load=${page.load} parts=${rest} query=${query} />` : html`<h1 tabindex="-1">${t("nothingHere")}</h1>`}
    </main>
  </div>`;
}

/** Light or dark, and the language. */
function Choices() {
  const t = useWords();
  const name = useLanguage();
  const [shown, setShown] = useState(theme());
  const choose = (event) => {
    setTheme(event.target.value);
    setShown(event.target.value);
  };
  return html`<div class="choices">
    <select aria-label=${t("theme")} value=${shown} onChange=${choose}>
      ${["auto", "light", "dark"].map((each) => html`<option value=${each} selected=${each === shown}>${t(`theme.${each}`)}</option>`)}
    </select>
    <select aria-label=${t("language")} value=${name} onChange=${(event) => setLanguage(event.target.value)}>
      ${Object.entries(LANGUAGES).map(([each, title]) => html`<option value=${each} selected=${each === name} lang=${each}>${title}</option>`)}
    </select>
  </div>`;
}

/** The heading of a new page takes the focus once it is there, to be read out. Where only the query changed it is the same page. */
function useHeading() {
  useEffect(() => {
    let path = place().parts.join("/");
    const look = () => {
      const heading = document.querySelector("#content h1");
      if (!heading) return;
      awaited.disconnect();
      heading.focus();
    };
    const awaited = new MutationObserver(look);
    const moved = () => {
      const before = path;
      path = place().parts.join("/");
      if (path === before) return;
      requestAnimationFrame(() => {
        awaited.observe(document.body, { childList: true, subtree: true });
        look();
      });
    };
    window.addEventListener("hashchange", moved);
    return () => {
      awaited.disconnect();
      window.removeEventListener("hashchange", moved);
    };
  }, []);
}

function Root() {
  useHeading();
  return html`<${Toasts}><${App} /><//>`;
}

render(html`<${Root} />`, document.getElementById("app"));
