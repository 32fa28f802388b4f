// A job as it goes on. When it has ended, the page is asked for anew: it knows what to show of the result.
const ENDED = ["succeeded", "failed", "cancelled"];

export function job() {
  const place = document.querySelector("[data-job]");
  if (!place) return;
  const words = Object.fromEntries(place.dataset.words.split("|").map((pair) => pair.split("=")));
  const source = new EventSource(place.dataset.job);
  for (const state of ["queued", "running", "cancelling", ...ENDED]) {
    source.addEventListener(state, (event) => {
      show(place, JSON.parse(event.data), words);
      if (ENDED.includes(state)) {
        source.close();
        location.reload();
      }
    });
  }
  addEventListener("pagehide", () => source.close());
}

function show(place, told, words) {
  const state = place.querySelector("[data-job-state] .state");
  state.className = `state state-${told.state}`;
  state.textContent = words[told.state] ?? told.state;
  const progress = told.progress;
  const bar = place.querySelector("[data-job-bar]");
  if (!progress || !bar) return;
  place.querySelector("[data-job-what]").textContent = progress.what;
  const [done, total] = progress.bytes_total
    ? [progress.bytes_done, progress.bytes_total]
    : [progress.items_done, progress.items_total];
  if (total) bar.value = Math.min(1, done / total);
}
