import { fieldsOf } from "./upload.js";
import { forget, recall, remember } from "./remembered.js";

const PART = 16 * 1024 * 1024;
// Seconds to wait before each further try: two minutes, in which a network comes back, or a server is started anew.
const WAITS = [1, 2, 4, 8, 15, 30, 30, 30];
// What the server, or a proxy before it, says of something that passes. 409: it still has the part that broke off in hand.
const PASSING = [408, 409, 429, 502, 503, 504];
const JSON_TYPE = { Accept: "application/json", "Content-Type": "application/json" };

// Sends files part by part, each again if the connection breaks, and has them registered.
// tell(share, isWaiting): how far it is, and whether it waits for the connection.
// begun: what earlier() found, to go on with it.
export async function inParts(form, files, tell, begun) {
  const total = sizeOf(files);
  let share = 0;
  const wait = () => tell(share, true);
  const upload = begun ?? (await again(() => begin(form, files), wait));
  let sent = arrivedOf(upload);
  for (const { file, path } of files) {
    const number = upload.files.findIndex((each) => each.path === path);
    for (let offset = upload.files[number].offset; offset < file.size; offset += PART) {
      const part = file.slice(offset, offset + PART);
      await again(() => put(upload.id, number, offset, part), wait);
      sent += part.size;
      share = Math.min(sent / total, 0.9999);
      tell(share, false);
    }
  }
  tell(1, false);
  const body = JSON.stringify({ ...Object.fromEntries(fieldsOf(form)), upload: upload.id });
  const made = await ask("/ui/upload", { method: "POST", headers: JSON_TYPE, body });
  forget(files);
  return made;
}

// An upload of these files that was begun before and has not ended; with the fields of its form and the share that came.
export async function earlier(files) {
  const known = recall(files);
  if (!known) return null;
  try {
    const upload = await ask(`/ui/uploads/${encodeURIComponent(known.id)}`, { headers: { Accept: "application/json" } });
    return { ...upload, fields: known.fields, share: arrivedOf(upload) / sizeOf(files) };
  } catch (problem) {
    if (problem.status) forget(files); // it was given up, or is somebody else's
    return null;
  }
}

export async function giveUp(files, upload) {
  forget(files);
  await ask(`/ui/uploads/${upload.id}`, { method: "DELETE", headers: { Accept: "application/json" } });
}

async function begin(form, files) {
  const announced = { files: files.map(({ file, path }) => ({ path, size: file.size })) };
  const upload = await ask("/ui/uploads", { method: "POST", headers: JSON_TYPE, body: JSON.stringify(announced) });
  remember(files, upload.id, fieldsOf(form));
  return upload;
}

function sizeOf(files) {
  return files.reduce((sum, { file }) => sum + file.size, 0);
}

function arrivedOf(upload) {
  return upload.files.reduce((sum, { offset }) => sum + offset, 0);
}

async function put(id, number, offset, part) {
  const now = await ask(`/ui/uploads/${id}`, { headers: { Accept: "application/json" } });
  const begin = now.files[number].offset - offset; // of a part that broke off, some has come
  if (begin >= part.size) return;
  const headers = { Accept: "application/json", "Upload-Offset": String(offset + begin) };
  await ask(`/ui/uploads/${id}/files/${number}`, { method: "PATCH", headers, body: part.slice(begin) });
}

async function again(work, wait) {
  for (let tried = 0; ; tried += 1) {
    try {
      return await work();
    } catch (problem) {
      const passes = !problem.status || PASSING.includes(problem.status); // else the server said no: it would again
      if (!passes || tried === WAITS.length) throw problem;
      wait();
      await pause(WAITS[tried]);
    }
  }
}

// Some seconds, or until the network is back.
function pause(seconds) {
  return new Promise((resolve) => {
    setTimeout(resolve, 1000 * seconds);
    addEventListener("online", resolve, { once: true });
  });
}

async function ask(url, options) {
  const response = await fetch(url, options);
  const told = await response.json().catch(() => null); // a proxy answers in HTML
  if (response.ok && told) return told;
  throw refusal(response.status, told);
}

// An error that knows its status and, if the server itself said no, what it told.
export function refusal(status, told) {
  return Object.assign(new Error(`${status}`), { status, told });
}
