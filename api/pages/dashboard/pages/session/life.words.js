export const words = {
  en: {
    deleted: "{name} was deleted",
    deleteLinkedText: "Its keys, messages, events and webhooks go with it. The phone goes on listing the linked device: log out first.",
    deleteText: "Its keys, messages, events and webhooks go with it.",
    deleteTitle: "Delete the session?",
    logout: "Log out",
    logoutText: "The phone is unlinked. To use the session again a phone has to be linked anew.",
    logoutTitle: "Log out?",
    stopText: "It disconnects and stays stopped, also over a restart of the gateway. What comes in meanwhile is delivered by WhatsApp once it runs again; what is queued waits.",
    stopTitle: "Stop the session?",
  },
  es: {
    deleted: "Se eliminó {name}",
    deleteLinkedText: "Sus claves, mensajes, eventos y webhooks se van con ella. El teléfono seguirá mostrando el dispositivo vinculado: desvincúlelo antes.",
    deleteText: "Sus claves, mensajes, eventos y webhooks se van con ella.",
    deleteTitle: "¿Eliminar la sesión?",
    logout: "Desvincular",
    logoutText: "Se desvincula el teléfono. Para volver a usar la sesión habrá que vincular un teléfono otra vez.",
    logoutTitle: "¿Desvincular?",
    stopText: "Se desconecta y queda detenida, también si la pasarela se reinicia. Lo que llegue mientras tanto lo entrega WhatsApp cuando vuelva a funcionar; lo que está en cola espera.",
    stopTitle: "¿Detener la sesión?",
  },
};
