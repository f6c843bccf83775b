/** Rows in columns; on a phone each row is a card. */

import { html, useMemo } from "../lib/vendor/preact.js";

/**
 * `columns` are [{key, title, cell(row), align}], the first names the row; `keyOf(row)` tells rows apart;
 * `caption` says to a screen reader what they are. Where columns are kept (useMemo), only rows that are others are made
 * anew: worth it for hundreds.
 */
export function Table({ columns, rows, keyOf, caption }) {
  return html`<div class="table">
    <table>
      <caption class="unseen">${caption}</caption>
      <thead><tr>${columns.map((column) => html`<th scope="col" class=${column.align}>${column.title}</th>`)}</tr></thead>
      <tbody>
        ${rows.map((row) => html`<${Row} key=${keyOf(row)} columns=${columns} row=${row} />`)}
      </tbody>
    </table>
  </div>`;
}

function Row({ columns, row }) {
  return useMemo(
    () => html`<tr>
      ${columns.map((column, n) =>
        n === 0
          ? html`<th scope="row" class=${column.align}>${column.cell(row)}</th>`
          : html`<td class=${column.align} data-title=${column.title}>${column.cell(row)}</td>`,
      )}
    </tr>`,
    [columns, row],
  );
}
