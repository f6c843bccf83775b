/** Dead letters: messages between actors that reached nobody. Their types only; what was in them is not kept. */

import { html, useRef } from "../../lib/vendor/preact.js";
import { count, time } from "../../lib/format.js";
import { get } from "../../lib/http.js";
import { usePolled } from "../../lib/live.js";
import { useWords } from "../../lib/words.js";
import { Badge } from "../../parts/badge.js";
import { Empty, Failure, Spinner } from "../../parts/page.js";
import { Table } from "../../parts/table.js";
import { words } from "../tree.words.js";

const AGAIN = 1500; // ms

/**
 * The letters newest first, alike ones that followed each other as one: [{recipient, type, reason, count, number, at}].
 * They bear no time: `at` is when they were first seen, null for those that were there before; `before` is what this
 * returned last, or null.
 */
export function arrived(before, { count: total, letters }, now) {
  const kept = before ? before.letters : [];
  const first = total - letters.length; // the number of the oldest that is kept, counted since the gateway's start
  const restarted = before !== null && total < before.total;
  const known = restarted ? new Map() : new Map(kept.map((letter) => [letter.number, letter]));
  const seen = letters.map((letter, n) => known.get(first + n) ?? { ...letter, number: first + n, at: before ? now : null });
  return { total, letters: seen };
}

/** Runs of alike letters, the newest first. */
export function runs(letters) {
  const found = [];
  for (const letter of [...letters].reverse()) {
    const last = found.at(-1);
    const alike = last && ["recipient", "type", "reason", "at"].every((key) => last[key] === letter[key]);
    if (alike) last.count += 1;
    else found.push({ ...letter, count: 1 });
  }
  return found;
}

const KINDS = { gone: "idle", full: "bad", dropped: "warn" };

export function DeadLetters() {
  const t = useWords(words);
  const known = useRef(null);
  const load = async () => {
    known.current = arrived(known.current, await get("/api/dead-letters"), Date.now());
    return known.current;
  };
  const { data, error, reload } = usePolled(load, AGAIN);
  if (error && !data) return html`<${Failure} problem=${error} retry=${reload} />`;
  if (!data) return html`<${Spinner} />`;
  if (!data.total) return html`<${Empty} title=${t("noLetters")}>${t("lettersAre")}<//>`;
  const columns = [
    { key: "recipient", title: t("recipient"), cell: (run) => html`<code>${run.recipient}</code>` },
    { key: "type", title: t("messageType"), cell: (run) => html`<code>${run.type}</code>` },
    { key: "reason", title: t("reason"), cell: (run) => html`<${Badge} kind=${KINDS[run.reason]}>${t(`reason.${run.reason}`)}<//>` },
    { key: "count", title: t("howMany"), align: "number", cell: (run) => count(run.count) },
    { key: "at", title: t("seenAt"), cell: (run) => (run.at === null ? t("earlier") : time(run.at)) },
  ];
  return html`<section class="card">
    ${error && html`<${Failure} problem=${error} retry=${reload} />`}
    <p role="status">${t("lettersSince", { count: count(data.total), kept: count(data.letters.length) })}</p>
    <p class="hint">${t("lettersAre")}</p>
    <${Table} columns=${columns} rows=${runs(data.letters)} keyOf=${(run) => run.number} caption=${t("deadLetters")} />
  </section>`;
}
