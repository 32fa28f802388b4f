import { times } from "./times.js";

// What takes a worker is fetched when it is unfolded.
export function fragments(root) {
  for (const details of root.querySelectorAll("details[data-fragment]")) {
    details.addEventListener("toggle", () => load(details), { once: true });
  }
}

async function load(details) {
  const place = details.querySelector("[data-place]");
  const link = place.innerHTML;
  place.textContent = "…";
  details.setAttribute("aria-busy", "true");
  try {
    const response = await fetch(details.dataset.fragment);
    if (!response.ok) throw new Error(String(response.status));
    const holder = document.createElement("div");
    holder.innerHTML = await response.text(); // made by the server's templates, which escape every text
    times(holder);
    place.replaceWith(holder);
  } catch {
    place.innerHTML = link;
    place.prepend(details.dataset.failed, " ");
  } finally {
    details.removeAttribute("aria-busy");
  }
}
