import { earlier, giveUp, inParts, refusal } from "./parts.js";
import { gather } from "./gather.js";

const LARGE = 32 * 1024 * 1024; // from here on, files go in parts: a connection that breaks costs one of them
const FEW = 100; // files that may go in parts only because all of them together are large
const SHOWN = 8; // files that are listed

export function upload() {
  const form = document.querySelector("[data-upload]");
  if (!form) return;
  const input = form.querySelector("[data-files]");
  const folder = form.querySelector("[data-folder]");
  const drop = form.querySelector("[data-drop]");
  let files = [];

  form.querySelector("[data-drop-help]").hidden = false;
  form.querySelector("[data-folder-line]").hidden = false;
  const choose = (chosen) => {
    files = chosen;
    input.required = !files.length;
    list(form.querySelector("[data-chosen]"), files);
    offer();
  };

  const resume = form.querySelector("[data-resume]");
  async function offer() {
    const chosen = files;
    const begun = isLarge(chosen) ? await earlier(chosen) : null;
    if (chosen !== files) return; // others were chosen meanwhile
    resume.hidden = begun === null;
    if (begun === null) return;
    resume.querySelector("[data-resume-share]").textContent = `${Math.floor(100 * begun.share)}%`;
    for (const [key, value] of begun.fields) {
      const field = form.elements.namedItem(key);
      if (field && !field.value) field.value = value;
    }
  }

  async function send() {
    if (!isLarge(files)) return atOnce(form, files, (share) => progress(form, share));
    let begun = await earlier(files);
    if (begun && !resume.hidden && !resume.querySelector("input").checked) {
      await giveUp(files, begun);
      begun = null;
    }
    return inParts(form, files, (share, isWaiting) => progress(form, share, isWaiting), begun);
  }

  input.addEventListener("change", () => choose([...input.files].map((file) => ({ file, path: file.name }))));
  folder.addEventListener("change", () =>
    choose([...folder.files].map((file) => ({ file, path: file.webkitRelativePath.split("/").slice(1).join("/") }))),
  );
  for (const kind of ["dragenter", "dragover"]) {
    drop.addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
  }
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", async (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    choose(await gather(event.dataTransfer));
  });
  form.addEventListener("submit", async (event) => {
    if (!files.length) return;
    event.preventDefault();
    const error = form.querySelector("[data-upload-error]");
    const button = form.querySelector("button.primary");
    error.hidden = true;
    form.elements.name.removeAttribute("aria-invalid");
    button.disabled = true;
    try {
      const told = await send();
      location.assign(
        `/ui/models/${encodeURIComponent(told.name)}/versions/${encodeURIComponent(told.version)}?done=uploaded`,
      );
    } catch (problem) {
      form.querySelector("[data-progress]").hidden = true;
      button.disabled = false;
      tell(form, error, problem);
      offer();
    }
  });
}

function isLarge(files) {
  const total = files.reduce((sum, { file }) => sum + file.size, 0);
  return files.some(({ file }) => file.size >= LARGE) || (total >= LARGE && files.length <= FEW);
}

export function fieldsOf(form) {
  return [...new FormData(form)].filter(([key, value]) => key !== "file" && value);
}

// What was chosen, with sizes; of many files, the first.
function list(place, files) {
  const total = files.reduce((sum, { file }) => sum + file.size, 0);
  const lines = files.slice(0, SHOWN).map(({ file, path }) => [path, file.size]);
  if (files.length > 1) lines.push([files.length > SHOWN ? `… (${files.length})` : `(${files.length})`, total]);
  place.replaceChildren(
    ...lines.map(([name, bytes]) => {
      const line = document.createElement("li");
      line.append(name, " ", Object.assign(document.createElement("span"), { textContent: size(bytes) }));
      return line;
    }),
  );
}

// Bytes in powers of 1000, as the server writes them.
function size(bytes) {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  for (; bytes >= 999.5 && unit < units.length - 1; unit += 1) bytes /= 1000;
  return `${unit ? Number(bytes.toPrecision(3)) : bytes} ${units[unit]}`;
}

// Why it failed: of what kind that is, in the reader's language, and what the server says itself.
function tell(form, place, problem) {
  const told = problem.told;
  const kind = Object.assign(document.createElement("b"), { textContent: told?.title ?? form.dataset.textFailed });
  const rest = told ? [told.detail, told.hint].filter(Boolean).join(" — ") : form.dataset.textBroken;
  place.replaceChildren(kind, document.createElement("br"), rest);
  place.hidden = false;
  if (told?.error === "InvalidNameError") {
    form.elements.name.setAttribute("aria-invalid", "true");
    form.elements.name.focus();
  }
}

function progress(form, share, isWaiting = false) {
  const place = form.querySelector("[data-progress]");
  const bar = place.querySelector("progress");
  place.hidden = false;
  place.querySelector("[data-progress-text]").textContent =
    isWaiting ? form.dataset.textWaiting : share < 1 ? form.dataset.textSending : form.dataset.textRegistering;
  if (share < 1) bar.value = share;
  else bar.removeAttribute("value");
}

function atOnce(form, files, tell) {
  const data = new FormData();
  for (const [key, value] of fieldsOf(form)) data.append(key, value);
  for (const { file, path } of files) data.append("file", file, path);
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/ui/upload");
    request.setRequestHeader("Accept", "application/json");
    request.responseType = "json";
    request.upload.addEventListener("progress", (event) => tell(event.total ? event.loaded / event.total : 0));
    request.upload.addEventListener("load", () => tell(1));
    request.addEventListener("error", () => reject(new Error("the connection broke")));
    request.addEventListener("load", () => {
      const told = request.response;
      if (request.status === 201) resolve(told);
      else reject(refusal(request.status, told));
    });
    request.send(data);
  });
}
