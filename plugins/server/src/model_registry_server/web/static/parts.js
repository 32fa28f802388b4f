import { fieldsOf } from "./upload.js";
import { forget, recall, remember } from "./remembered.js";

const PART = 16 * 1024 * 1024;
const TRIES = 5;
const JSON_TYPE = { Accept: "application/json", "Content-Type": "application/json" };

// Sends files part by part, each again if the connection breaks, and has them registered.
// begun: what earlier() found, to go on with it.
export async function inParts(form, files, tell, begun) {
  const upload = begun ?? (await begin(form, files));
  const total = sizeOf(files);
  let sent = arrivedOf(upload);
  for (const { file, path } of files) {
    const number = upload.files.findIndex((each) => each.path === path);
    for (let offset = upload.files[number].offset; offset < file.size; offset += PART) {
      const part = file.slice(offset, offset + PART);
      await again(() => put(upload.id, number, offset, part));
      sent += part.size;
      tell(Math.min(sent / total, 0.9999));
    }
  }
  tell(1);
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

async function again(work) {
  for (let left = TRIES; ; left -= 1) {
    try {
      return await work();
    } catch (problem) {
      if (problem.status || left <= 1) throw problem; // the server said no: it would again
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
}

async function ask(url, options) {
  const response = await fetch(url, options);
  const told = await response.json();
  if (response.ok) return told;
  const problem = new Error(said(told));
  problem.status = response.status;
  throw problem;
}

// A problem document in one line: of what kind it is, in the reader's language, and what it says itself.
export function said(told) {
  return `${told.title}. ${told.detail}${told.hint ? ` — ${told.hint}` : ""}`;
}
