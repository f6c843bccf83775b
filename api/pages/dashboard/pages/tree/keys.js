/** What a key does in the tree, as the ARIA practices have it for trees. */

import { above } from "./model.js";

const PAGE = 12; // lines

/**
 * `lines` with the keyboard at number `at`; `nameOf(path)` for letters, which go to the next line that begins so.
 * {to: path}, {fold: true|false}, {open: true}, or null when the key is not the tree's.
 */
export function keyed(event, lines, at, nameOf) {
  if (event.ctrlKey || event.altKey || event.metaKey || !lines.length) return null;
  const line = lines[at];
  const to = (n) => ({ to: lines[Math.max(0, Math.min(n, lines.length - 1))].path });
  switch (event.key) {
    case "ArrowUp":
      return to(at - 1);
    case "ArrowDown":
      return to(at + 1);
    case "PageUp":
      return to(at - PAGE);
    case "PageDown":
      return to(at + PAGE);
    case "Home":
      return to(0);
    case "End":
      return to(lines.length - 1);
    case "ArrowRight":
      return line.open === false ? { fold: false } : line.open ? to(at + 1) : to(at);
    case "ArrowLeft":
      return line.open ? { fold: true } : { to: above(line.path) ?? line.path };
    case "Enter":
      return { open: true };
    case " ":
      return line.open === null ? { open: true } : { fold: line.open };
    default:
      return event.key.length === 1 ? named(event.key.toLowerCase(), lines, at, nameOf) : null;
  }
}

function named(letter, lines, at, nameOf) {
  const next = [...lines.slice(at + 1), ...lines.slice(0, at + 1)];
  const found = next.find(({ path }) => nameOf(path).toLowerCase().startsWith(letter));
  return found ? { to: found.path } : null;
}
