/** The supervision tree, live: every actor and supervisor, what it does and how it is; and the dead letters. */

import { html, useCallback, useEffect, useReducer, useRef, useState } from "../lib/vendor/preact.js";
import { useSocket } from "../lib/live.js";
import { count } from "../lib/format.js";
import { go, href, swap } from "../lib/route.js";
import { useWords } from "../lib/words.js";
import { Badge } from "../parts/badge.js";
import { Button } from "../parts/button.js";
import { Empty, Page, Search, Spinner, Tabs } from "../parts/page.js";
import { Detail } from "./tree/detail.js";
import { kindOf, pairs, tally } from "./tree/health.js";
import { DeadLetters } from "./tree/letters.js";
import { Tree } from "./tree/model.js";
import { Picture } from "./tree/picture.js";
import { Shape } from "./tree/shape.js";
import { inSight } from "./tree/sight.js";
import { TreeView } from "./tree/view.js";
import { words } from "./tree.words.js";

const ONE_AT_A_TIME = "(max-width: 69.99rem)"; // as in style.css: there the details take the tree's place

export default function TreePage({ parts, query }) {
  const t = useWords(words);
  const [tree] = useState(() => new Tree());
  const draw = useFrames();
  const state = useSocket({
    path: () => "/api/tree/ws",
    onMessage: (message) => {
      tree.hear(message);
      draw();
    },
  });
  const letters = parts[0] === "dead-letters";
  const tabs = [
    { id: "tree", title: t("actors"), href: href("tree") },
    { id: "letters", title: t("deadLetters"), href: href("tree", "dead-letters") },
  ];
  const live = html`<${Badge} kind=${state === "live" ? "good" : "busy"}>${t(state)}<//>`;
  return html`<${Page} title=${t("page.tree")} actions=${live}>
    <${Tabs} tabs=${tabs} current=${letters ? "letters" : "tree"} label=${t("page.tree")} />
    ${letters ? html`<${DeadLetters} />` : html`<${Actors} tree=${tree} query=${query} stale=${state !== "live"} t=${t} />`}
  <//>`;
}

/** To draw again with the next frame, however often it is asked until then; and once a second, for the ages. */
function useFrames() {
  const [, again] = useReducer((n) => n + 1, 0);
  const due = useRef(null);
  const draw = useCallback(() => {
    due.current ??= requestAnimationFrame(() => {
      due.current = null;
      again();
    });
  }, []);
  useEffect(() => {
    const timer = setInterval(draw, 1000);
    return () => {
      clearInterval(timer);
      cancelAnimationFrame(due.current);
    };
  }, []);
  return draw;
}

function Actors({ tree, query, stale, t }) {
  const [, again] = useReducer((n) => n + 1, 0);
  const now = Math.floor(tree.now() / 1000) * 1000; // whole seconds: lines whose age is the same are not drawn again
  const looks = new Set((query.state ?? "").split(",").filter(Boolean));
  const text = query.q ?? "";
  const shown = query.node === "/" ? "" : (query.node ?? null); // the root's path is empty
  useBack(shown);
  if (!tree.nodes.size) return html`<${Spinner} />`;
  const lines = inSight(tree, { text, looks }, now);
  const sought = text || looks.size ? new Set(lines.map(({ path }) => path)) : null;
  const counted = tally(tree.nodes.values(), now);
  const open = (path) => go("tree", { ...query, node: path || "/" });
  const seek = (change) => swap("tree", { ...query, ...change });
  const toggle = (look) => {
    const next = looks.has(look) ? [...looks].filter((each) => each !== look) : [...looks, look];
    seek({ state: next.join(",") });
  };
  const fold = (path, folded) => {
    tree.folded[folded ? "add" : "delete"](path);
    again();
  };
  const all = (folded) => {
    tree.folded = new Set(folded ? [...tree.below.keys()].filter(Boolean) : []);
    again();
  };
  const close = () => go("tree", { ...query, node: null });
  return html`<div class="tree-page ${shown === null ? "" : "detailed"}">
    <div class="tree-main">
      <div class="filters">
        <${Search} value=${text} onInput=${(q) => seek({ q })} label=${t("seek")} />
        <${Button} kind="quiet" onClick=${() => all(false)}>${t("unfoldAll")}<//>
        <${Button} kind="quiet" onClick=${() => all(true)}>${t("foldAll")}<//>
      </div>
      <${Looks} counted=${counted} looks=${looks} toggle=${toggle} t=${t} />
      <${Picture} tree=${tree} now=${now} sought=${sought} counted=${counted} t=${t} onOpen=${open} />
      <${TreeView} tree=${tree} lines=${lines} shown=${shown} now=${now} t=${t} stale=${stale}
        onOpen=${open} onFold=${fold} />
      ${!lines.length && html`<${Empty} title=${t("nothingFound")} />`}
    </div>
    ${shown !== null && html`<${Detail} key=${shown} tree=${tree} path=${shown} now=${now} t=${t} onChange=${again} onClose=${close} />`}
  </div>`;
}

/** When details are closed the tree has the focus again, at the line it had. */
function useBack(shown) {
  const before = useRef(shown);
  useEffect(() => {
    if (shown === null && before.current !== null) {
      document.querySelector("[role=tree]")?.focus({ preventScroll: true });
      if (matchMedia(ONE_AT_A_TIME).matches) document.querySelector("[role=treeitem].active")?.scrollIntoView({ block: "center" });
    }
    before.current = shown;
  }, [shown]);
}

/** How many nodes have each look; each a switch that shows those alone. */
function Looks({ counted, looks, toggle, t }) {
  const there = pairs(counted);
  const missing = [...looks].filter((look) => !counted.includes(look)).map((look) => [look, 0]);
  return html`<div class="looks" role="group" aria-label=${t("byState")}>
    ${[...there, ...missing].map(
      ([look, many]) => html`<button key=${look} type="button" class="look ${kindOf(look)}" aria-pressed=${looks.has(look)} onClick=${() => toggle(look)}>
        <${Shape} look=${look} />${t(`is.${look}`)} <b>${count(many)}</b>
      </button>`,
    )}
  </div>`;
}
