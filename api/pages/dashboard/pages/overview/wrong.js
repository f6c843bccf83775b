/** What of an overview is wrong, in the order of how much that matters: decided from what the gateway tells alone. */

import { href } from "../../lib/route.js";

const HOUR = 3600000; // ms that a crash is news for
const LATE = 15 * 60000; // ms that a queue may stand before it is worth a word
const BEHIND = 30000; // ms that a webhook may be: an endpoint that is started anew is none to worry about

/**
 * [{kind: "bad"|"warn", what, values, since, detail, to}]: `what` names the words, whose `session` is null where it is
 * about all; `to` leads to where one can act.
 */
export function wrongIn(overview, now) {
  const { sessions, webhooks, queue, running } = overview;
  return [
    ...(running && !running.database.reachable ? [{ kind: "bad", what: "databaseAway", values: {} }] : []),
    ...sessions.troubled.map(ofSession),
    ...more(sessions),
    ...webhooks.troubled.flatMap((each) => ofWebhook(each, now)),
    ...(running?.crashes ?? []).filter((crash) => isNews(crash, now)).map(ofCrash),
    ...(queue.oldestDue && now - new Date(queue.oldestDue) > LATE ? [{ kind: "warn", what: "queueStands", values: {}, since: queue.oldestDue }] : []),
  ];
}

const ofSession = ({ id, name, status, statusSince, lastError }) => ({
  kind: status === "restricted" ? "warn" : "bad",
  what: `session.${status}`,
  values: { name },
  since: statusSince,
  detail: lastError === status ? null : lastError,
  to: status === "logged_out" ? href("sessions", id, "pairing") : status === "restricted" ? href("sessions", id, "health") : href("sessions", id),
});

function more({ byStatus, troubled }) {
  const all = ["failed", "logged_out", "restricted"].reduce((sum, status) => sum + (byStatus[status] ?? 0), 0);
  const left = all - troubled.length;
  return left > 0 ? [{ kind: "bad", what: "moreSessions", values: { count: left }, to: href("sessions", { status: "failed" }) }] : [];
}

function ofWebhook({ sessionId, circuit, failingSince, deadLetters }, now) {
  const to = sessionId && href("sessions", sessionId, "webhooks");
  const values = { session: sessionId, count: deadLetters };
  const found = [];
  if (circuit === "open") found.push({ kind: "bad", what: "circuitOpen", values, since: failingSince, to });
  else if (failingSince && now - new Date(failingSince) > BEHIND) found.push({ kind: "warn", what: "webhookFails", values, since: failingSince, to });
  if (deadLetters) found.push({ kind: "bad", what: "deadLetters", values, to });
  return found;
}

const isNews = ({ state, since }, now) => !["running", "starting"].includes(state) || now - new Date(since) < HOUR;

const ofCrash = ({ path, state, since, lastExit }) => ({
  kind: state === "running" ? "warn" : "bad",
  what: state === "running" ? "crashed" : "outOfOrder",
  values: { path },
  since,
  detail: lastExit,
  to: href("tree", { node: path }),
});
