export const words = {
  en: {
    enter: "Sign in",
    name: "Name",
    password: "Password",
    forgotten: "The first password was printed at the first start. Forgotten? Run on the gateway's machine:",
  },
  es: {
    enter: "Entrar",
    name: "Nombre",
    password: "Contraseña",
    forgotten: "La primera contraseña se mostró en el primer arranque. ¿Olvidada? Ejecute en la máquina de la pasarela:",
  },
};
