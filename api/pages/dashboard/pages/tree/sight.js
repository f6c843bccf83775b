/** Which lines of the tree are to be seen: what is not folded away, or what is looked for and all above it. */

import { lookOf } from "./health.js";

/**
 * The lines from the top: [{path, level, position, size, open}], where `open` is null without children. `text` is
 * looked for in names and in what is in hand; `looks` is a set of looks (empty: all). What is looked for is unfolded.
 */
export function inSight(tree, { text = "", looks = new Set() }, now) {
  const sought = text.trim().toLowerCase();
  const found = sought || looks.size ? matching(tree, sought, looks, now) : null;
  const lines = [];
  const walk = (path, level, position, size) => {
    const all = [...(tree.below.get(path) ?? [])];
    const children = found ? all.filter((child) => found.has(child)) : all;
    const open = children.length ? found !== null || !tree.folded.has(path) : null;
    lines.push({ path, level, position, size, open });
    if (open) children.forEach((child, n) => walk(child, level + 1, n + 1, children.length));
  };
  if (tree.nodes.has("") && (!found || found.has(""))) walk("", 1, 1, 1);
  return lines;
}

function matching(tree, sought, looks, now) {
  const found = new Set();
  for (const [path, node] of tree.nodes) {
    if (looks.size && !looks.has(lookOf(node, now))) continue;
    if (sought && !`${path || node.id} ${node.message ?? ""}`.toLowerCase().includes(sought)) continue;
    found.add(path);
    for (let end = path.lastIndexOf("/"); end > 0; end = path.lastIndexOf("/", end - 1)) found.add(path.slice(0, end));
    found.add("");
  }
  return found;
}
