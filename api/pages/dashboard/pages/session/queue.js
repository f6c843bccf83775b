/** What a session has yet to send: the queue, what has a time, and batches. */

import { html } from "../../lib/vendor/preact.js";
import { Batches } from "./queue/batches.js";
import { Scheduled } from "./queue/scheduled.js";
import { Waiting } from "./queue/waiting.js";

/** The tab at #/sessions/ID/queue. */
export default function Queue({ session }) {
  return html`<${Waiting} session=${session} /><${Scheduled} session=${session} /><${Batches} session=${session} />`;
}
