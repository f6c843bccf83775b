/** The sandbox's simulated phones: people with whom a gateway can be tried out; below a number, that phone. */

import { html } from "../lib/vendor/preact.js";
import { Phone } from "./phones/phone.js";
import { Phones } from "./phones/list.js";

export default function PhonesPage({ parts: [number, peer] }) {
  return number === undefined ? html`<${Phones} />` : html`<${Phone} key=${number} number=${number} peer=${peer ?? null} />`;
}
