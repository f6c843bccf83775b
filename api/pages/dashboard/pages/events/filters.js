/** Which events are shown, and from where on: all of it is in the address. */

import { html, useState } from "../../lib/vendor/preact.js";
import { get } from "../../lib/http.js";
import { swap } from "../../lib/route.js";
import { useWords } from "../../lib/words.js";
import { Button } from "../../parts/button.js";
import { Dialog } from "../../parts/dialog.js";
import { Field, Form } from "../../parts/form.js";
import { words } from "../events.words.js";

const KINDS = {
  messages: [
    ...["upsert", "update", "edited", "revoked", "reaction", "media", "undecryptable", "lost"].map((each) => `messages.${each}`),
    "poll.vote",
    "event.response",
  ],
  chats: ["chat.presence", "presence.update", "contacts.update", "groups.upsert", "groups.update", "group-participants.update", "call"],
  session: ["session.status", "session.qr", "session.paired", "account.health", "account.update", "history.sync"],
  channels: ["newsletter.join", "newsletter.leave", "newsletter.mute", "newsletter.update"],
};

/** `query` is {session, events, after} as the address has it; `sessions` those to choose from. */
export function Filters({ query, sessions }) {
  const t = useWords(words);
  const [asked, setAsked] = useState(false);
  const chosen = namesIn(query.events);
  const change = (next) => swap("events", { ...query, ...next });
  const toggle = (name) => change({ events: (chosen.includes(name) ? chosen.filter((each) => each !== name) : [...chosen, name]).join(",") });
  const enter = async ({ after }) => {
    await get("/api/events", { after, sessions: query.session, limit: 1 }); // whether there is such a place
    setAsked(false);
    change({ after });
  };
  return html`<div class="filters">
    <select aria-label=${t("session")} value=${query.session ?? ""} onChange=${(event) => change({ session: event.target.value, after: null })}>
      <option value="" selected=${!query.session}>${t("allSessions")}</option>
      ${sessions.map(({ id }) => html`<option value=${id} selected=${id === query.session}>${id}</option>`)}
    </select>
    <details class="kinds">
      <summary class="button">${chosen.length ? t("someNames", { n: chosen.length }) : t("allNames")}</summary>
      <div class="choose">
        ${Object.entries(KINDS).map(
          ([group, names]) => html`<fieldset><legend>${t(`group.${group}`)}</legend>
            ${names.map((name) => html`<label><input type="checkbox" checked=${chosen.includes(name)} onChange=${() => toggle(name)} /> <code>${name}</code></label>`)}
          </fieldset>`,
        )}
        <${Button} kind="quiet" disabled=${chosen.length === 0} onClick=${() => change({ events: null })}>${t("nothingChosen")}<//>
      </div>
    </details>
    <${Button} kind="quiet" onClick=${() => change({ after: "0" })}>${t("fromStart")}<//>
    <${Button} kind="quiet" onClick=${() => setAsked(true)}>${t("fromCursor")}<//>
    ${query.after && html`<${Button} kind="quiet" onClick=${() => change({ after: null })}>${t("now")}<//>`}
    ${asked &&
    html`<${Dialog} title=${t("fromCursor")} onClose=${() => setAsked(false)}>
      <${Form} onSubmit=${enter} submit=${t("go")}><${Field} label=${t("cursor")} hint=${t("cursorHint")} name="after" autocomplete="off" /><//>
    <//>`}
  </div>`;
}

/** Names between commas. */
export function namesIn(text) {
  return (text ?? "").split(",").filter(Boolean);
}
