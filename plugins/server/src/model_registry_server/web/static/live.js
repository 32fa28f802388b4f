import { times } from "./times.js";

const EVERY = 2000; // milliseconds between two looks while something runs
const FIRST = 500; // and to the first one: much has ended by then

// A list that is renewed while something in it runs. When nothing does, it is looked at only by those who come back.
export function live() {
  const place = document.querySelector("[data-live]");
  if (!place) return;
  let timer = 0;
  const drawn = new Map(rowsOf(place).map((row) => [row.dataset.id, row.innerHTML]));

  async function look() {
    clearTimeout(timer);
    let html = null;
    try {
      const response = await fetch(place.dataset.live);
      if (response.redirected || !response.ok) return; // the login, or an error: what is there stays
      html = await response.text();
    } catch {
      // The server is away for now.
    }
    if (html !== null) renew(place, html, drawn);
    again();
  }

  function again(wait = EVERY) {
    clearTimeout(timer);
    if (!document.hidden && place.querySelector("[data-busy]")) timer = setTimeout(look, wait);
  }

  document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : look()));
  addEventListener("focus", look);
  again(FIRST);
}

function rowsOf(root) {
  return [...root.querySelectorAll("[data-rows] > [data-id]")];
}

// Puts in what is new, row by row, so that nobody loses their place: the focus, and what they unfolded.
function renew(place, html, drawn) {
  const page = document.createElement("template");
  page.innerHTML = html; // made by the server's templates, which escape every text
  const old = new Map(rowsOf(place).map((row) => [row.dataset.id, row]));
  const news = [];
  const focused = place.contains(document.activeElement) ? document.activeElement : null; // moving a row takes it away
  const [id, index] = focused ? spotOf(focused) : [null, -1];
  for (const row of rowsOf(page.content)) {
    const before = old.get(row.dataset.id);
    const isSame = before && drawn.get(row.dataset.id) === row.innerHTML;
    drawn.set(row.dataset.id, row.innerHTML);
    if (before?.dataset.said !== row.dataset.said) news.push(row.dataset.said);
    if (isSame) row.replaceWith(before);
    else if (before) goOn(before, row);
  }
  times(page.content);
  place.replaceChildren(page.content);
  if (focused && focused !== document.activeElement) {
    const row = rowsOf(place).find((each) => each.dataset.id === id);
    row?.querySelectorAll("a, button, summary")[index]?.focus({ preventScroll: true });
  }
  if (news.length) document.querySelector("[data-live-said]").textContent = news.slice(0, 5).join("; ");
}

function spotOf(element) {
  const row = element.closest("[data-id]");
  return row ? [row.dataset.id, [...row.querySelectorAll("a, button, summary")].indexOf(element)] : [null, -1];
}

function goOn(before, row) {
  const unfolded = [...before.querySelectorAll("details")].map((each) => each.open);
  row.querySelectorAll("details").forEach((each, place) => (each.open = unfolded[place] ?? false));
}
