/** Who is signed in, and what they may. */

import { createContext, useContext } from "./vendor/preact.js";

export const Me = createContext(null);

/** The answer of GET /api/me: {name, role, scopes, sessions, sandbox, version}. */
export const useMe = () => useContext(Me);

/** Whether `me` has a scope, on this session if one is named. */
export function can(me, scope, session = null) {
  if (session !== null && me.sessions !== null && !me.sessions.includes(session)) return false;
  return me.scopes.includes(scope);
}
