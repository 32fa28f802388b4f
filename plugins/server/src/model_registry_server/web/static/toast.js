// What was done is told once: not again when the page is loaded anew.
export function toast() {
  const place = document.querySelector("[data-toast]");
  if (!place) return;
  const address = new URL(location.href);
  for (const key of ["done", "alias", "version", "move"]) address.searchParams.delete(key);
  history.replaceState(null, "", address);
  place.querySelector(".close").addEventListener("click", (event) => {
    event.preventDefault();
    place.remove();
  });
  const said = place.querySelector("p");
  const words = [...said.childNodes];
  said.replaceChildren();
  setTimeout(() => said.append(...words), 100); // a screen reader tells what changes, not what is there
}
