/** Light, dark, or as the device has it. */

const KEPT = "terzetto-theme";

export const theme = () => localStorage.getItem(KEPT) ?? "auto";

export function setTheme(name) {
  localStorage.setItem(KEPT, name);
  show();
}

function show() {
  document.documentElement.dataset.theme = theme();
}

show();
