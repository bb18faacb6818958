/** Milliseconds after which a file that was handed to the browser is forgotten: it has read it long before. */
const FORGET_MS = 60_000;

/** Hands a file to the browser, which saves it under a name. */
export function saveAs(content: Blob, name: string): void {
  const address = URL.createObjectURL(content);
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), FORGET_MS);
}
