import { fieldsOf } from "./upload.js";
import { forget, recall, remember } from "./remembered.js";

const PART = 16 * 1024 * 1024;
// Seconds to wait before each further try: two minutes, in which a network comes back, or a server is started anew.
const WAITS = [1, 2, 4, 8, 15, 30, 30, 30];
// What the server, or a proxy before it, says of something that passes.
const PASSING = [408, 429, 502, 503, 504];
// Of parts: where the file ends is asked anew; bytes that changed on their way are sent again.
const REPEATED = ["OffsetError", "DigestMismatchError"];
// An earlier try of ours, whose connection broke, is still at it. That ends by itself, so it is no failure.
const HELD_UP = "ConflictError";
const JSON_TYPE = { Accept: "application/json", "Content-Type": "application/json" };

// Sends files part by part, each again if the connection breaks, and has them registered.
// tell(share, isWaiting): how far it is, and whether it waits for the connection.
// begun: what earlier() found, to go on with it.
export async function inParts(form, files, tell, begun) {
  const made = begun ? null : await madeBefore(form, files);
  if (made) return made;
  let share = 0;
  const wait = () => tell(share, true);
  const upload = begun ?? (await again(() => begin(form, files), wait));
  for (const { file, path } of files) {
    const number = upload.files.findIndex((each) => each.path === path);
    while (!upload.files[number].done) {
      upload.files[number] = await again(() => putNext(upload.id, number, file), wait);
      share = Math.min(arrivedOf(upload) / sizeOf(files), 0.9999);
      tell(share, false);
    }
  }
  share = 1;
  tell(share, false);
  remember(files, upload.id, fieldsOf(form)); // the words may have been changed since it was begun
  const done = await again(() => register(form, upload.id), wait);
  forget(files);
  return done;
}

// An upload of these files that was begun before and has not ended; with the fields of its form and the share that came.
export async function earlier(files) {
  const known = recall(files);
  if (!known) return null;
  try {
    const upload = await stateOf(known.id);
    return { ...upload, fields: known.fields, share: arrivedOf(upload) / sizeOf(files) };
  } catch {
    return null; // it has ended, is somebody else's, or the server is away
  }
}

// The version that an earlier try made of these files with the same words, if only its answer did not arrive.
async function madeBefore(form, files) {
  const known = recall(files);
  if (!known || JSON.stringify(known.fields) !== JSON.stringify(fieldsOf(form))) return null;
  const made = await register(form, known.id).catch(() => null);
  if (made) forget(files);
  return made;
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

// Sends the part that comes next. Where that begins is the server's to say: what it could not keep comes again.
async function putNext(id, number, file) {
  const now = (await stateOf(id)).files[number];
  if (now.done) return now; // only the answer was lost
  const { offset } = now;
  const part = file.slice(offset, offset + PART);
  const headers = { Accept: "application/json", "Upload-Offset": String(offset), ...(await digestOf(part)) };
  return ask(`/ui/uploads/${id}/files/${number}`, { method: "PATCH", headers, body: part });
}

async function digestOf(part) {
  if (!crypto.subtle) return {}; // browsers have it only where nobody can change the page on its way
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", await part.arrayBuffer()));
  return { "Content-Digest": `sha-256=:${btoa(String.fromCharCode(...digest))}:` };
}

// Asked again, the server answers with the version that it made of the upload before.
function register(form, id) {
  const body = JSON.stringify({ ...Object.fromEntries(fieldsOf(form)), upload: id });
  return ask("/ui/upload", { method: "POST", headers: JSON_TYPE, body });
}

function stateOf(id) {
  return ask(`/ui/uploads/${encodeURIComponent(id)}`, { headers: { Accept: "application/json" } });
}

async function again(work, wait) {
  for (let tried = 0; ; ) {
    try {
      return await work();
    } catch (problem) {
      const isHeldUp = problem.told?.error === HELD_UP;
      const passes = !problem.status || PASSING.includes(problem.status) || REPEATED.includes(problem.told?.error);
      if (!isHeldUp && (!passes || tried === WAITS.length)) throw problem; // the server said no: it would again
      if (!isHeldUp) wait();
      await pause(isHeldUp ? WAITS[1] : WAITS[tried++]);
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
