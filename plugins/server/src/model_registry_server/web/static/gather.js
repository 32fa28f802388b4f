// The files of what was dropped; those of one folder, under their paths within it.
export async function gather(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files].map((file) => ({ file, path: file.name }));
  const found = [];
  for (const entry of entries) await walk(entry, "", found);
  const isOneFolder = entries.length === 1 && entries[0].isDirectory;
  return isOneFolder ? found.map(({ file, path }) => ({ file, path: path.split("/").slice(1).join("/") })) : found;
}

async function walk(entry, above, found) {
  const path = above + entry.name;
  if (entry.isFile) {
    found.push({ file: await new Promise((resolve, reject) => entry.file(resolve, reject)), path });
    return;
  }
  const reader = entry.createReader();
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return;
    for (const each of some) await walk(each, `${path}/`, found);
  }
}
