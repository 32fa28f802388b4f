import { times } from "./times.js";

const WAIT = 180; // milliseconds of silence after which somebody has stopped typing

export function search() {
  const form = document.querySelector("[data-search]");
  const found = document.querySelector("[data-found]");
  if (!form || !found) return;
  let timer = 0;
  let asked = null;
  const box = form.querySelector("[data-search-box]");

  box.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => show(address()), WAIT);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(timer);
    show(address());
  });
  found.addEventListener("click", (event) => {
    const link = event.target.closest("[data-more]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    more(link);
  });

  function address() {
    const query = new URLSearchParams();
    for (const [key, value] of new FormData(form)) if (value) query.set(key, value);
    const text = query.toString();
    return text ? `/ui/models?${text}` : "/ui/models";
  }

  async function show(url) {
    const html = await get(url);
    if (html === null) return;
    found.innerHTML = html; // made by the server's templates, which escape every text
    times(found);
    history.replaceState(null, "", url);
  }

  async function more(link) {
    const html = await get(link.getAttribute("href"));
    if (html === null) return;
    const page = document.createElement("div");
    page.innerHTML = html;
    times(page);
    const rows = page.querySelectorAll("[data-rows] > tr");
    found.querySelector("[data-rows]").append(...rows);
    rows[0]?.querySelector("[data-row]")?.focus();
    const next = page.querySelector("[data-more]");
    if (next) link.replaceWith(next);
    else link.parentElement.remove();
  }

  // The text of a page's part; null if something else was asked for meanwhile, or it cannot be had.
  async function get(url) {
    asked?.abort();
    const mine = (asked = new AbortController());
    found.setAttribute("aria-busy", "true");
    try {
      const parted = url + (url.includes("?") ? "&" : "?") + "fragment=true";
      const response = await fetch(parted, { signal: mine.signal });
      if (response.redirected || !response.ok) {
        location.assign(url);
        return null;
      }
      return await response.text();
    } catch (error) {
      if (error.name !== "AbortError") location.assign(url);
      return null;
    } finally {
      if (asked === mine) found.setAttribute("aria-busy", "false");
    }
  }
}
