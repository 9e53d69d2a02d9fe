// Light or dark: as the system says, until the button is pressed. Pages are whole without it.
const system = matchMedia("(prefers-color-scheme: dark)");
const root = document.documentElement;

try {
  root.style.colorScheme = localStorage.getItem("tarm-theme") ?? "";
} catch { /* storage is forbidden: the choice holds for this page */ }

addEventListener("DOMContentLoaded", () => {
  const button = document.getElementById("theme");
  button.hidden = false;
  button.onclick = () => {
    const dark = (root.style.colorScheme || (system.matches ? "dark" : "light")) === "dark";
    root.style.colorScheme = dark ? "light" : "dark";
    try { localStorage.setItem("tarm-theme", root.style.colorScheme); } catch { /* as above */ }
  };
  for (const link of document.querySelectorAll("#contents a")) {
    link.onclick = () => document.getElementById("contents").hidePopover?.();
  }
});
