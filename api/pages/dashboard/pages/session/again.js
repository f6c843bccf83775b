/** Asking again when something was heard. */

import { useEffect, useRef } from "../../lib/vendor/preact.js";

/** Call `reload()` whenever one of `watched` becomes another: not at first, when it is asked anyway. */
export function useAgain(reload, watched) {
  const first = useRef(true);
  useEffect(() => {
    if (!first.current) reload();
    first.current = false;
  }, watched);
}
