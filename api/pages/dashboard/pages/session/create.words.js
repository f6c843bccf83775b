export const words = {
  en: {
    advanced: "Proxy and limits",
    id: "Id",
    idHint: "Letters, digits, - and _. Programs name the session by it. Left empty, one is made.",
    made: "{name} is there",
    nameHint: "For people: a shop, a person, a number.",
    new: "New session",
    proxy: "Proxy",
    proxyHint: "What the session connects through: http, https or socks5.",
    toPairing: "Go on: link a phone",
  },
  es: {
    advanced: "Proxy y límites",
    id: "Id",
    idHint: "Letras, cifras, - y _. Los programas nombran así la sesión. Si queda vacío, se crea uno.",
    made: "{name} ya está",
    nameHint: "Para las personas: una tienda, alguien, un número.",
    new: "Nueva sesión",
    proxy: "Proxy",
    proxyHint: "Por dónde se conecta la sesión: http, https o socks5.",
    toPairing: "Seguir: vincular un teléfono",
  },
};
