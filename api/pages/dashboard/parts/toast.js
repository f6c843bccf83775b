/** Short words at the edge that go by themselves. */

import { createContext, html, useCallback, useContext, useState } from "../lib/vendor/preact.js";
import { orProblem } from "../lib/http.js";

const SHOWN = 6000; // ms
const Toasting = createContext(null);

/** `toast(text, "good" | "bad")`; `toast.doing(promise)` shows its Problem and swallows that. */
export const useToast = () => useContext(Toasting);

export function Toasts({ children }) {
  const [shown, setShown] = useState([]);
  const toast = useCallback((text, kind = "good") => {
    const one = { text, kind };
    setShown((all) => [...all.slice(-3), one]);
    setTimeout(() => setShown((all) => all.filter((each) => each !== one)), SHOWN);
  }, []);
  toast.doing = (promise) => orProblem(() => promise, (problem) => toast(problem.detail, "bad"));
  return html`<${Toasting.Provider} value=${toast}>
    ${children}
    <div class="toasts" role="status" aria-live="polite">${shown.map((each) => html`<p class="toast ${each.kind}">${each.text}</p>`)}</div>
  <//>`;
}
