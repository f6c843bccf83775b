/** A part of the queue: a list in a card. */

import { html } from "../../../lib/vendor/preact.js";
import { Card, Failure, More, Spinner } from "../../../parts/page.js";
import { Table } from "../../../parts/table.js";

/** `rows` are those of `found`, the answer of useFirst; `empty` is said where there are none. */
export function List({ title, actions = null, found, rows, columns, keyOf, empty }) {
  return html`<${Card} title=${title} actions=${actions}>
    ${found.error && html`<${Failure} problem=${found.error} retry=${found.reload} />`}
    ${!found.data && !found.error && html`<${Spinner} />`}
    ${rows?.length === 0 && html`<p class="dim">${empty}</p>`}
    ${rows?.length > 0 && html`<${Table} columns=${columns} rows=${rows} keyOf=${keyOf} caption=${title} />`}
    <${More} onMore=${found.more} />
  <//>`;
}
