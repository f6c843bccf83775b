export const words = {
  en: {
    apiKey: "API key",
    copyKey: "Copy the key",
    header: "Programs send it in the header",
    once: "Keep this key now: it is not shown again.",
  },
  es: {
    apiKey: "Clave de API",
    copyKey: "Copiar la clave",
    header: "Los programas la envían en la cabecera",
    once: "Guarde esta clave ahora: no se mostrará otra vez.",
  },
};
