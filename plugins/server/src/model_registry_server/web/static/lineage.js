// A long picture begins where the version is that was asked about.
export function lineage() {
  for (const picture of document.querySelectorAll("[data-lineage]")) {
    const asked = picture.querySelector(".asked rect");
    if (asked) picture.scrollLeft = Number(asked.getAttribute("x")) - picture.clientWidth / 2 + 82;
  }
}
