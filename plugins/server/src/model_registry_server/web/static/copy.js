export function copying(root) {
  if (!navigator.clipboard) return; // only where the page came by a safe way
  for (const button of root.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    const label = button.textContent;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(button.parentElement.querySelector("code").textContent);
      button.textContent = button.dataset.done;
      setTimeout(() => (button.textContent = label), 1500);
    });
  }
}
