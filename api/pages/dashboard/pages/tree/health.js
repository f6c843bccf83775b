/** How well a node is: what its shape and its colour say. */

const STUCK = 5000; // ms: a message in hand, or one that waits, for longer is worth a colour

const KINDS = {
  running: "good",
  starting: "busy",
  restarting: "busy",
  stopping: "busy",
  backing_off: "warn",
  suspended: "warn",
  unresponsive: "bad",
  failed: "bad",
};

/** Every state, and "stuck": those that are worst first. */
export const LOOKS = [
  "failed",
  "unresponsive",
  "stuck",
  "backing_off",
  "suspended",
  "restarting",
  "starting",
  "stopping",
  "running",
  "ended",
  "ignored",
  "stopped",
];

const age = (since, now) => (since ? now - Date.parse(since) : 0);

const LIVES = new Set(["running", "suspended", "stopping"]);

/** What a node looks like: its state, or "stuck" when a message has been in its hand for long. */
export function lookOf(node, now) {
  return LIVES.has(node.state) && age(node.messageSince, now) > STUCK ? "stuck" : node.state;
}

/** The kind of a look: good, busy, warn, bad or idle. */
export const kindOf = (look) => (look === "stuck" ? "bad" : (KINDS[look] ?? "idle"));

/** Whether a message has waited for long. */
export const waitsLong = (node, now) => age(node.mailbox?.oldestSince, now) > STUCK;

/** How many of the nodes have each look, as [look, count, look, count, …], the worst first. */
export function tally(nodes, now) {
  const counts = {};
  for (const node of nodes) {
    const look = lookOf(node, now);
    counts[look] = (counts[look] ?? 0) + 1;
  }
  return LOOKS.filter((look) => counts[look]).flatMap((look) => [look, counts[look]]);
}

/** A tally in pairs. */
export const pairs = (flat) => Array.from({ length: flat.length / 2 }, (_, n) => [flat[2 * n], flat[2 * n + 1]]);
