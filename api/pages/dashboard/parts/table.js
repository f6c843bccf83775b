/** Rows in columns; on a phone each row is a card. */

import { html } from "../lib/vendor/preact.js";

/**
 * `columns` are [{key, title, cell(row), align}], the first names the row; `keyOf(row)` tells rows apart;
 * `caption` says to a screen reader what they are.
 */
export function Table({ columns, rows, keyOf, caption }) {
  return html`<div class="table">
    <table>
      <caption class="unseen">${caption}</caption>
      <thead><tr>${columns.map((column) => html`<th scope="col" class=${column.align}>${column.title}</th>`)}</tr></thead>
      <tbody>
        ${rows.map(
          (row) => html`<tr key=${keyOf(row)}>
            ${columns.map((column, n) =>
              n === 0
                ? html`<th scope="row" class=${column.align}>${column.cell(row)}</th>`
                : html`<td class=${column.align} data-title=${column.title}>${column.cell(row)}</td>`,
            )}
          </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}
