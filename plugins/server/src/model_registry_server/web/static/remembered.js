// Uploads that were begun in this browser, so that one goes on after the page was closed. What identifies one are its
// files: path, size and time of the last change.
const PLACE = "uploads";
const MOST = 10;
const LONGEST = 50_000; // characters; a folder of more files than that is begun anew

export function remember(files, id, fields) {
  const key = keyOf(files);
  if (key.length > LONGEST) return;
  save([{ key, id, fields }, ...load().filter((each) => each.key !== key)].slice(0, MOST));
}

export function forget(files) {
  const key = keyOf(files);
  save(load().filter((each) => each.key !== key));
}

// What was begun with these files: { id, fields }.
export function recall(files) {
  const key = keyOf(files);
  return load().find((each) => each.key === key);
}

function keyOf(files) {
  return JSON.stringify(files.map(({ file, path }) => [path, file.size, file.lastModified]).sort());
}

function load() {
  try {
    const kept = JSON.parse(localStorage.getItem(PLACE));
    return Array.isArray(kept) ? kept : [];
  } catch {
    return []; // storage is forbidden, or holds something else
  }
}

function save(kept) {
  try {
    localStorage.setItem(PLACE, JSON.stringify(kept));
  } catch {
    // Then an upload does not outlive its page.
  }
}
