/** A part of the queue: a list that is asked for anew while it is seen, longer on demand. */

import { html, useEffect, useState } from "../../../lib/vendor/preact.js";
import { get } from "../../../lib/http.js";
import { usePolled } from "../../../lib/live.js";
import { Card, Failure, More, Spinner } from "../../../parts/page.js";
import { Table } from "../../../parts/table.js";

const LOOK = 3000; // ms
const PAGE = 25;
const MOST = 500; // of a page of the API

/** The first of `path`, live: {data, error, reload, more}; `more` is null where there are no others to show. */
export function useFirst(path) {
  const [limit, setLimit] = useState(PAGE);
  const { data, error, reload } = usePolled(() => get(path, { limit }), LOOK, [path]);
  useEffect(() => {
    if (limit > PAGE) reload();
  }, [limit]);
  const more = data?.cursor && limit < MOST ? () => setLimit(Math.min(limit * 2, MOST)) : null;
  return { data, error, reload, more };
}

/** Its card: `rows` are of `found.data`, `empty` is said where there are none. */
export function List({ title, actions = null, found, rows, columns, keyOf, empty }) {
  return html`<${Card} title=${title} actions=${actions}>
    ${found.error && html`<${Failure} problem=${found.error} retry=${found.reload} />`}
    ${!found.data && !found.error && html`<${Spinner} />`}
    ${rows?.length === 0 && html`<p class="dim">${empty}</p>`}
    ${rows?.length > 0 && html`<${Table} columns=${columns} rows=${rows} keyOf=${keyOf} caption=${title} />`}
    <${More} onMore=${found.more} />
  <//>`;
}
