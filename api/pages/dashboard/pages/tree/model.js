/** The supervision tree as the gateway tells it: a snapshot, then changes; and what was seen to happen meanwhile. */

const KEPT = 240; // seconds of mailbox depths, and restarts, that are remembered of each node
const MANY = 30; // children: a supervisor of more is folded at first

/** The path of a node's supervisor: "sessions/ana" → "sessions" → "" (the root) → null. */
export function above(path) {
  if (path === "") return null;
  return path.includes("/") ? path.slice(0, path.lastIndexOf("/")) : "";
}

/** Nodes by path, each a new object when it changed and the same one when it did not. */
export class Tree {
  constructor() {
    this.nodes = new Map();
    this.below = new Map(); // path → a set of its children's paths, in their order
    this.folded = new Set();
    this.ahead = 0; // ms by which the gateway's clock is ahead of ours
    this.since = null; // when we began to watch, by the gateway's clock
    this.depths = new Map(); // path → [[second, most messages that waited in it]]
    this.lives = new Map(); // path → [{at, before, restarts, exit}], of restarts that we saw
    this.judged = new Set(); // supervisors of which it was decided whether they begin folded
  }

  /** Now, by the gateway's clock. */
  now() {
    return Date.now() + this.ahead;
  }

  /** Take over a message of /api/tree/ws. */
  hear({ type, at, nodes, gone }) {
    this.ahead = Date.parse(at) - Date.now();
    this.since ??= Date.parse(at);
    if (type === "snapshot") {
      const there = new Set(nodes.map(({ path }) => path));
      for (const path of [...this.nodes.keys()]) if (!there.has(path)) this.forget(path);
      this.below = new Map();
      for (const node of nodes) this.enlist(node.path);
    }
    for (const path of gone) this.forget(path);
    for (const node of nodes) this.take(node, at);
    if (type === "snapshot") this.fold();
  }

  /** What became of a node that we did something with, ahead of what the gateway tells of it by itself. */
  told({ path, state, since, restarts, lastExit, due }) {
    const node = this.nodes.get(path);
    // What it has in hand passes, and may have passed before the gateway looks again: it would never take that back.
    if (node) this.take({ ...node, state, since, restarts, lastExit, due }, new Date(this.now()).toISOString());
  }

  take(node, at) {
    const before = this.nodes.get(node.path);
    this.enlist(node.path);
    this.nodes.set(node.path, node);
    if (node.mailbox && (node.mailbox.depth || before?.mailbox?.depth)) this.note(node.path, at, node.mailbox.depth);
    if (before && node.restarts > before.restarts) {
      const seen = this.lives.get(node.path) ?? [];
      this.lives.set(node.path, [...seen, { at: Date.parse(at), before: before.restarts, restarts: node.restarts, exit: node.lastExit }].slice(-KEPT));
    }
  }

  enlist(path) {
    const parent = above(path);
    if (parent === null) return;
    if (!this.below.has(parent)) this.below.set(parent, new Set());
    this.below.get(parent).add(path);
  }

  note(path, at, depth) {
    const second = Math.floor(Date.parse(at) / 1000);
    const seen = this.depths.get(path) ?? [];
    if (!seen.length) this.depths.set(path, seen);
    const last = seen.at(-1);
    if (last?.[0] === second) last[1] = Math.max(last[1], depth);
    else seen.push([second, depth]);
    if (seen.length > KEPT) seen.shift();
  }

  forget(path) {
    this.nodes.delete(path);
    this.below.delete(path);
    this.depths.delete(path);
    this.lives.delete(path);
    this.below.get(above(path))?.delete(path);
  }

  /** Fold what has many children, once; from then on it is as whoever looks at it leaves it. */
  fold() {
    for (const [path, children] of this.below) {
      if (!this.judged.has(path) && path && children.size > MANY) this.folded.add(path);
      this.judged.add(path);
    }
  }

  /** All nodes beneath a path. */
  *beneath(path) {
    for (const child of this.below.get(path) ?? []) {
      yield this.nodes.get(child);
      yield* this.beneath(child);
    }
  }
}

/** How many waited in a mailbox, a point a second for the last `span` seconds that were watched. */
export function depthsOver(tree, path, span = 120) {
  const now = Math.floor(tree.now() / 1000);
  const from = Math.max(now - span, Math.floor((tree.since ?? tree.now()) / 1000));
  const seen = new Map(tree.depths.get(path) ?? []);
  let depth = [...seen].filter(([second]) => second < from).at(-1)?.[1] ?? 0;
  const latest = tree.nodes.get(path)?.mailbox?.depth ?? 0;
  return Array.from({ length: now - from + 1 }, (_, n) => {
    depth = seen.get(from + n) ?? depth;
    return { at: (from + n) * 1000, depth: n === now - from ? latest : depth };
  });
}

/** How often it had been restarted, in `steps` points since we began to watch. */
export function restartsOver(tree, path, steps = 60) {
  const seen = tree.lives.get(path) ?? [];
  const [from, to] = [tree.since ?? tree.now(), tree.now()];
  const first = seen[0]?.before ?? tree.nodes.get(path)?.restarts ?? 0;
  return Array.from({ length: steps + 1 }, (_, n) => {
    const at = from + ((to - from) * n) / steps;
    return { at, restarts: seen.filter((each) => each.at <= at).at(-1)?.restarts ?? first };
  });
}
