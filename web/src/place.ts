// Where the app runs, and how it was opened.
import type { Home } from "./ui/view.ts";

/**
 * openedLink is the pairing link that the app was opened by, or "". It goes out
 * of the address bar and the history at once: it holds the computer's key.
 */
export function openedLink(): string {
  if (location.hash.length < 2) return "";
  const link = location.href;
  history.replaceState(null, "", location.pathname);
  return link;
}

/** home tells an installed app from a tab, and a tab on iOS from others. */
export function home(): Home {
  const standalone = "standalone" in navigator && navigator.standalone === true; // Safari's own
  if (standalone || matchMedia("(display-mode: standalone)").matches) return "installed";
  return "standalone" in navigator && navigator.maxTouchPoints > 1 ? "tab" : "browser";
}

/** persist asks the browser to keep the storage when it runs short. */
export async function persist(): Promise<boolean> {
  return (await navigator.storage.persisted()) || navigator.storage.persist();
}

/** share opens the system's sheet, or copies where there is none. */
export async function share(text: string): Promise<void> {
  if (!("share" in navigator)) return copy(text);
  await sheet({ text });
}

async function sheet(data: ShareData): Promise<void> {
  await navigator.share(data).catch((err: unknown) => {
    if (!(err instanceof DOMException && err.name === "AbortError")) throw err; // given up
  });
}

export async function copy(text: string): Promise<void> {
  await navigator.clipboard.writeText(text);
}

/** save gives people a file: by the system's sheet on iOS, whose installed apps download nothing, else as a download. */
export async function save(name: string, text: string): Promise<void> {
  const file = new File([text], name, { type: "application/json" });
  if ("standalone" in navigator && navigator.canShare({ files: [file] })) return sheet({ files: [file] });
  const link = document.createElement("a");
  [link.href, link.download] = [URL.createObjectURL(file), name];
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
