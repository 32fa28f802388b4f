// «/» goes to the search; arrows go through a list.
export function keys() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const box = document.querySelector("[data-search-box]");
    if (event.key === "/" && !isTyping(event.target)) {
      event.preventDefault();
      if (box) {
        box.focus();
        box.select();
      } else {
        location.assign("/ui/models#q");
      }
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      move(event, event.key === "ArrowDown" ? 1 : -1, box);
    }
  });
  if (location.hash === "#q") document.querySelector("[data-search-box]")?.focus();
}

function isTyping(element) {
  return element.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(element.tagName);
}

function move(event, step, box) {
  const rows = [...document.querySelectorAll("[data-list] [data-row]")];
  const place = rows.indexOf(document.activeElement);
  const fromBox = box !== null && document.activeElement === box && step > 0;
  if (!rows.length || (place < 0 && !fromBox)) return;
  event.preventDefault();
  if (place + step < 0) box?.focus();
  else rows[Math.min(place + step, rows.length - 1)].focus();
}
