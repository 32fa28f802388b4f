// Times come in UTC, for readers without scripts; others see them in their own zone.
const language = document.documentElement.lang;
const dateStyle = language.startsWith("zh") ? "short" : "medium"; // 2026/11/29, and Nov 29, 2026
const full = new Intl.DateTimeFormat(language, { dateStyle, timeStyle: "short" });
const day = new Intl.DateTimeFormat(language, { dateStyle });

export function times(root) {
  for (const element of root.querySelectorAll("time[datetime]")) {
    const at = new Date(element.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    element.textContent = ("day" in element.dataset ? day : full).format(at);
    element.title = at.toISOString();
  }
}
