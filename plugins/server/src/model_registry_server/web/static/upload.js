import { earlier, giveUp, inParts, said } from "./parts.js";
import { gather } from "./gather.js";

const LARGE = 32 * 1024 * 1024; // from here on, files go in parts: a connection that breaks costs one of them

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
    const size = files.reduce((sum, { file }) => sum + file.size, 0);
    form.querySelector("[data-chosen]").textContent = files.length
      ? `${form.dataset.textFiles} ${files.length} (${(size / 1e6).toFixed(1)} MB): ` +
        files.slice(0, 8).map(({ path }) => path).join(", ") + (files.length > 8 ? " …" : "")
      : "";
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
    return inParts(form, files, (share) => progress(form, share), begun);
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
    button.disabled = true;
    try {
      const told = await send();
      location.assign(
        `/ui/models/${encodeURIComponent(told.name)}/versions/${encodeURIComponent(told.version)}?done=uploaded`,
      );
    } catch (problem) {
      form.querySelector("[data-progress]").hidden = true;
      error.textContent = `${form.dataset.textFailed} ${problem.message}`;
      error.hidden = false;
      button.disabled = false;
      offer();
    }
  });
}

function isLarge(files) {
  return files.some(({ file }) => file.size >= LARGE);
}

export function fieldsOf(form) {
  return [...new FormData(form)].filter(([key, value]) => key !== "file" && value);
}

function progress(form, share) {
  const place = form.querySelector("[data-progress]");
  const bar = place.querySelector("progress");
  place.hidden = false;
  place.querySelector("[data-progress-text]").textContent =
    share < 1 ? form.dataset.textSending : form.dataset.textRegistering;
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
    request.addEventListener("error", () => reject(new Error("")));
    request.addEventListener("load", () => {
      const told = request.response;
      if (request.status === 201) resolve(told);
      else reject(new Error(told ? said(told) : String(request.status)));
    });
    request.send(data);
  });
}
