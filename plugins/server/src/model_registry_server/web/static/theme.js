// Before anything is drawn, so that no page flashes in the other theme.
(() => {
  let theme = null;
  try {
    theme = localStorage.getItem("theme");
  } catch {
    // Storage may be forbidden; then the system's theme it is.
  }
  if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
  document.documentElement.classList.add("scripted");
})();
