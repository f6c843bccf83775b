/** The tree itself: an ARIA tree of which only the lines that are on the screen are in the page. */

import { html, useEffect, useLayoutEffect, useRef, useState } from "../../lib/vendor/preact.js";
import { useLanguage } from "../../lib/words.js";
import { tally } from "./health.js";
import { keyed } from "./keys.js";
import { above } from "./model.js";
import { idOf, Row } from "./row.js";

const HEIGHTS = { wide: 36, middle: 40, narrow: 56 }; // px of a line
const COLUMNS = ["name", "state", "age", "restarts", "mail", "now"];
const BEYOND = 8; // lines above and below the screen that are in the page too
const STEP = 4; // lines by which that window moves: few are made at a time

/**
 * `lines` of sight.js; `shown` is the path whose details are open; `onOpen(path)`, `onFold(path, folded)`. Where the
 * keyboard is, is kept here.
 */
export function TreeView({ tree, lines, shown, now, t, stale, onOpen, onFold }) {
  const language = useLanguage();
  const box = useRef(null);
  const [active, setActive] = useState(shown ?? "");
  const shape = useShape(box);
  const height = HEIGHTS[shape];
  const [from, to] = useWindow(box, height);
  const at = placeOf(lines, active);
  const here = lines[at]?.path;

  const latest = useRef({});
  latest.current = { onOpen, onFold, lines };
  const on = useRef({
    open: (path) => {
      setActive(path);
      latest.current.onOpen(path);
    },
    fold: (path) => {
      const line = latest.current.lines.find((each) => each.path === path);
      setActive(path);
      latest.current.onFold(path, line.open);
    },
  }).current;

  const moved = useRef(false);
  const press = (event) => {
    const act = keyed(event, lines, at, (path) => tree.nodes.get(path).id);
    if (!act) return;
    event.preventDefault();
    if (act.open) on.open(here);
    else if (act.fold !== undefined) onFold(here, act.fold);
    else {
      moved.current = true;
      setActive(act.to);
    }
  };
  useLayoutEffect(() => {
    if (moved.current) document.getElementById(idOf(here))?.scrollIntoView({ block: "nearest" });
    moved.current = false;
  }, [here]);

  const seen = lines.map((line, n) => ({ ...line, n })).filter(({ n }) => (n >= from && n < to) || n === at);
  return html`<div class="tree-box">
    <div class="tree-head ${shape}" aria-hidden="true">
      ${COLUMNS.map((column) => html`<span class=${column}>${t(`column.${column}`)}</span>`)}
    </div>
    <div
      class="tree ${shape} ${stale ? "stale" : ""}"
      role="tree"
      tabindex="0"
      aria-label=${t("page.tree")}
      aria-activedescendant=${here === undefined ? null : idOf(here)}
      ref=${box}
      style=${{ height: `${lines.length * height}px`, "--row": `${height}px` }}
      onKeyDown=${press}
    >
      ${seen.map(
        ({ n, ...line }) =>
          html`<${Row}
            key=${line.path}
            node=${tree.nodes.get(line.path)}
            ...${line}
            top=${n * height}
            active=${n === at}
            shown=${line.path === shown}
            hidden=${line.open === false ? tally(tree.beneath(line.path), now) : null}
            now=${now}
            language=${language}
            t=${t}
            on=${on}
          />`,
      )}
    </div>
  </div>`;
}

/** Where a path's line is; the nearest above it where that is not to be seen. */
function placeOf(lines, path) {
  for (let sought = path; sought !== null; sought = above(sought)) {
    const at = lines.findIndex((line) => line.path === sought);
    if (at >= 0) return at;
  }
  return 0;
}

/** How much room a line has. */
function useShape(box) {
  const [width, setWidth] = useState(1000);
  useEffect(() => {
    const watch = new ResizeObserver(([entry]) => setWidth(Math.round(entry.contentRect.width)));
    watch.observe(box.current);
    return () => watch.disconnect();
  }, []);
  return width >= 820 ? "wide" : width >= 520 ? "middle" : "narrow";
}

/** The first line on the screen and the one behind the last, with some beyond. */
function useWindow(box, height) {
  const [range, setRange] = useState([0, 64]);
  const look = () => {
    if (!box.current) return;
    const { top } = box.current.getBoundingClientRect();
    const stepped = (pixels, round) => round(pixels / height / STEP) * STEP;
    const next = [stepped(-top, Math.floor) - BEYOND, stepped(window.innerHeight - top, Math.ceil) + BEYOND];
    setRange((before) => (before[0] === next[0] && before[1] === next[1] ? before : next));
  };
  const latest = useRef(look);
  latest.current = look;
  useLayoutEffect(look);
  useEffect(() => {
    const moved = () => latest.current();
    window.addEventListener("scroll", moved, { passive: true });
    window.addEventListener("resize", moved);
    return () => {
      window.removeEventListener("scroll", moved);
      window.removeEventListener("resize", moved);
    };
  }, []);
  return range;
}
