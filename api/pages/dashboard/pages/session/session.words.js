export const words = {
  en: {
    health: "Health",
    keys: "Keys",
    overview: "Overview",
    pairing: "Pairing",
    queue: "Queue",
    settings: "Settings",
    webhooks: "Webhooks",
  },
  es: {
    health: "Salud",
    keys: "Claves",
    overview: "Resumen",
    pairing: "Vinculación",
    queue: "Cola",
    settings: "Ajustes",
    webhooks: "Webhooks",
  },
};
