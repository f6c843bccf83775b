/** How a node is, and how it was set up, as lists of facts. */

import { html } from "../../lib/vendor/preact.js";
import { bytes, count, duration, time } from "../../lib/format.js";
import { kindOf, lookOf, tally, waitsLong } from "./health.js";
import { Tally } from "./row.js";

function List({ facts }) {
  return html`<dl class="facts">
    ${facts.map(([name, value, kind]) => html`<dt key=${name}>${name}</dt><dd class=${kind}>${value}</dd>`)}
  </dl>`;
}

export function Facts({ tree, node, now, t }) {
  const age = (iso) => duration(Math.max(0, now - Date.parse(iso)));
  const look = lookOf(node, now);
  const facts = [[t("status"), t(`is.${look}`), kindOf(look)]];
  if (node.since) facts.push([t("since"), `${time(node.since)} (${age(node.since)})`]);
  if (node.due) facts.push([t("due"), `${time(node.due)} (${duration(Math.max(0, Date.parse(node.due) - now))})`, "warn"]);
  facts.push([t("restarts"), count(node.restarts), node.restarts ? "warn" : ""]);
  if (node.mailbox) {
    const { depth, peak, dropped, oldestSince } = node.mailbox;
    const hand = node.message ? t("inHandFor", { message: node.message, time: age(node.messageSince) }) : t("nothing");
    facts.push([t("inHand"), hand, look === "stuck" ? "bad" : ""]);
    facts.push([t("mailbox"), t("depth", { depth: count(depth), peak: count(peak) })]);
    facts.push([t("oldest"), oldestSince ? age(oldestSince) : "–", waitsLong(node, now) ? "warn" : ""]);
    facts.push([t("lost"), count(dropped), dropped ? "warn" : ""]);
  }
  if (node.busy !== null) facts.push([t("busyShare"), `${Math.round(100 * node.busy)} %`]);
  if (node.cell) {
    const { pid, memoryMb, sessions, starts, retiring } = node.cell;
    facts.push([t("memory"), bytes(memoryMb * 1024 * 1024)], [t("pid"), pid ?? "–"], [t("cellSessions"), count(sessions)], [t("starts"), count(starts)]);
    if (retiring) facts.push([t("replaced"), retiring, "warn"]);
  }
  const below = tally(tree.beneath(node.path), now);
  if (below.length) facts.push([t("beneath"), html`<${Tally} flat=${below} t=${t} />`]);
  return html`<${List} facts=${facts} />`;
}

/** What its supervisor knows it by, and how it restarts its own children. */
export function Settings({ settings, t }) {
  const seconds = (value) => duration(value * 1000);
  const facts = [];
  if ("restart" in settings) {
    facts.push([t("restartType"), settings.restart]);
    facts.push([t("shutdown"), settings.shutdown === null ? t("asLong") : seconds(settings.shutdown)]);
    facts.push([t("startTimeout"), seconds(settings.startTimeout)]);
  }
  if (settings.backoff) {
    const { min, max, factor, maxFailures, onExhausted } = settings.backoff;
    facts.push([t("backoff"), t("backoffIs", { min: seconds(min), max: seconds(max), factor })]);
    facts.push([t("givesUp"), maxFailures === null ? t("never") : t("givesUpAfter", { count: maxFailures, then: onExhausted })]);
  }
  if (settings.mailbox) facts.push([t("mailbox"), `${count(settings.mailbox.capacity)}, ${settings.mailbox.overflow}`]);
  if ("strategy" in settings) {
    facts.push([t("strategy"), settings.strategy]);
    facts.push([t("intensity"), t("intensityIs", { count: settings.intensity, time: seconds(settings.period) })]);
  }
  return html`<section><h3>${t("settings")}</h3><${List} facts=${facts} /></section>`;
}
