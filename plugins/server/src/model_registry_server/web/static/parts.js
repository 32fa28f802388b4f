import { fieldsOf } from "./upload.js";

const PART = 16 * 1024 * 1024;
const TRIES = 5;
const JSON_TYPE = { Accept: "application/json", "Content-Type": "application/json" };

// Sends files part by part, each again if the connection breaks, and has them registered.
export async function inParts(form, files, tell) {
  const total = files.reduce((sum, { file }) => sum + file.size, 0);
  const announced = { files: files.map(({ file, path }) => ({ path, size: file.size })) };
  const upload = await ask("/ui/uploads", { method: "POST", headers: JSON_TYPE, body: JSON.stringify(announced) });
  let sent = 0;
  for (const [number, { file }] of files.entries()) {
    for (let offset = 0; offset < file.size; offset += PART) {
      const part = file.slice(offset, offset + PART);
      await again(() => put(upload.id, number, offset, part));
      sent += part.size;
      tell(Math.min(sent / total, 0.9999));
    }
  }
  tell(1);
  const body = JSON.stringify({ ...Object.fromEntries(fieldsOf(form)), upload: upload.id });
  return ask("/ui/upload", { method: "POST", headers: JSON_TYPE, body });
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
  const problem = new Error(`${told.detail}${told.hint ? ` — ${told.hint}` : ""}`);
  problem.status = response.status;
  throw problem;
}
