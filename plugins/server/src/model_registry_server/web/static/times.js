// Times come in UTC, for readers without scripts; others see them in their own zone.
const language = document.documentElement.lang;
const full = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });
const day = new Intl.DateTimeFormat(language, { dateStyle: "medium" });

export function times(root) {
  for (const element of root.querySelectorAll("time[datetime]")) {
    const at = new Date(element.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    element.textContent = ("day" in element.dataset ? day : full).format(at);
    element.title = at.toISOString();
  }
}
