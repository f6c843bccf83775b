/** All that is known of one node, beside the tree. */

import { html, useEffect, useRef } from "../../lib/vendor/preact.js";
import { get } from "../../lib/http.js";
import { usePolled } from "../../lib/live.js";
import { href } from "../../lib/route.js";
import { Button, Copy } from "../../parts/button.js";
import { Failure, Spinner } from "../../parts/page.js";
import { Acts, treePath } from "./acts.js";
import { Facts, Settings } from "./facts.js";
import { lookOf } from "./health.js";
import { Lately } from "./lately.js";
import { Shape } from "./shape.js";
import { LastExit, Tasks } from "./traces.js";

const AGAIN = 3000; // ms between two looks at where its tasks stand

/** `path` of the node; `onChange()` when the tree was told something. */
export function Detail({ tree, path, now, t, onChange, onClose }) {
  const node = tree.nodes.get(path);
  const heading = useRef(null);
  useEffect(() => heading.current?.focus({ preventScroll: matchMedia("(min-width: 70rem)").matches }), []);
  const escape = (event) => {
    if (event.key === "Escape" && !event.target.closest("dialog")) onClose();
  };
  return html`<aside class="card node" aria-labelledby="node-title" onKeyDown=${escape}>
    <header>
      <h2 id="node-title" tabindex="-1" ref=${heading}>${node && html`<${Shape} look=${lookOf(node, now)} />`}${node?.id ?? path}</h2>
      <div class="actions"><${Button} kind="quiet" aria-label=${t("close")} onClick=${onClose}>✕<//></div>
    </header>
    ${node ? html`<${Known} tree=${tree} node=${node} now=${now} t=${t} onChange=${onChange} />` : html`<p>${t("gone")}</p>`}
  </aside>`;
}

/** The tree goes on telling how it is; what it does not tell is asked for. */
function Known({ tree, node, now, t, onChange }) {
  const { path } = node;
  // A supervisor is answered with all beneath it and has no tasks: it is asked about only when something became of it.
  const { data, error, reload } = usePolled(() => get(treePath(path)), node.type === "supervisor" ? 0 : AGAIN, [path]);
  const first = useRef(true);
  useEffect(() => {
    if (!first.current) reload();
    first.current = false;
  }, [node.state, node.restarts, node.message]);
  const done = (after) => {
    if (after) tree.told(after);
    onChange();
    reload();
  };
  return html`
    ${path && html`<p class="path"><code>${path}</code><${Copy} value=${path} /></p>`}
    <${Acts} node=${node} settings=${data?.settings} beneath=${[...tree.beneath(path)].length} onDone=${done} t=${t} />
    ${path.startsWith("sessions/") && html`<p><a href=${href("sessions", node.id)}>${t("toSession")}</a></p>`}
    <${Facts} tree=${tree} node=${node} now=${now} t=${t} />
    <${Lately} tree=${tree} node=${node} t=${t} />
    ${error && html`<${Failure} problem=${error} retry=${reload} />`}
    ${!data && !error && html`<${Spinner} />`}
    ${data &&
    html`<${LastExit} node=${node} lines=${data.traceback} t=${t} />
      <${Tasks} node=${node} tasks=${data.tasks ?? []} now=${now} t=${t} />
      <${Settings} settings=${data.settings} t=${t} />`}
  `;
}
