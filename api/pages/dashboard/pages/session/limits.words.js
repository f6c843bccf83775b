export const words = {
  en: {
    burst: "At once after a pause",
    burstHint: "Messages. Empty: 10, and no more than a minute's.",
    newChatsPerDay: "New chats a day",
    newChatsPerDayHint: "Chats that begin with a message of this session. Empty: any number.",
    perMinute: "Messages a minute",
    perMinuteHint: "Empty: 10, unless the gateway is set otherwise.",
  },
  es: {
    burst: "De una vez tras una pausa",
    burstHint: "Mensajes. Vacío: 10, y no más que los de un minuto.",
    newChatsPerDay: "Chats nuevos al día",
    newChatsPerDayHint: "Chats que empiezan con un mensaje de esta sesión. Vacío: cualquier número.",
    perMinute: "Mensajes por minuto",
    perMinuteHint: "Vacío: 10, salvo que la pasarela tenga otro valor.",
  },
};
