/** What is loaded when it is first seen: a page, or a tab of one. */

import { html, useEffect, useState } from "../lib/vendor/preact.js";
import { Failure, Spinner } from "./page.js";

/** The default export of the module that `load()` promises; what else is given goes to it. */
export function Loaded({ load, ...given }) {
  const [found, setFound] = useState(null); // of which load, so that none is shown in another's place
  const [error, setError] = useState(null);
  useEffect(() => {
    let over = false;
    load().then(
      (module) => over || setFound({ load, page: module.default }),
      () => over || setError({ detail: "The page could not be loaded. Is the gateway there?" }),
    );
    return () => {
      over = true;
    };
  }, [load]);
  if (error) return html`<${Failure} problem=${error} retry=${() => location.reload()} />`;
  return found?.load === load ? html`<${found.page} ...${given} />` : html`<${Spinner} />`;
}
