// Reads QR codes by the camera: by the browser where it can, else by ours.
import { codes } from "./qr.ts";
import { sleep } from "./wait.ts";

type Reader = (video: HTMLVideoElement) => Promise<string | null>;

// Not in TypeScript's DOM yet: https://wicg.github.io/shape-detection-api/
interface Detector {
  detect(source: HTMLVideoElement): Promise<{ rawValue: string }[]>;
}
declare const globalThis: {
  BarcodeDetector?: { new (options: { formats: string[] }): Detector; getSupportedFormats(): Promise<string[]> };
};

const pause = 150; // ms between two looks, so that the page stays quick
const most = 960; // pixels of the longer side that are looked at

/** scan shows the camera in video until it sees a code, and gives the code's text. */
export async function scan(video: HTMLVideoElement, wasm: string, signal: AbortSignal): Promise<string> {
  const stream = await camera();
  try {
    signal.throwIfAborted();
    video.srcObject = stream;
    video.muted = true;
    video.playsInline = true;
    await video.play();
    const read = await reader(wasm, signal);
    for (;;) {
      const text = video.videoWidth > 0 ? await read(video) : null;
      if (text) return text;
      await sleep(pause, signal);
    }
  } finally {
    video.srcObject = null;
    for (const track of stream.getTracks()) track.stop();
  }
}

async function camera(): Promise<MediaStream> {
  if (!navigator.mediaDevices) throw new Error("this browser gives no camera here: paste the link instead");
  try {
    return await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment", width: { ideal: 1280 } }, audio: false });
  } catch (err) {
    const name = err instanceof DOMException ? err.name : "";
    if (name === "NotAllowedError") throw new Error("the camera is not allowed: allow it in the browser's settings for this page, or paste the link", { cause: err });
    if (name === "NotFoundError") throw new Error("this device has no camera: paste the link instead", { cause: err });
    throw new Error(`the camera did not start (${String(err)}): paste the link instead`, { cause: err });
  }
}

async function reader(wasm: string, signal: AbortSignal): Promise<Reader> {
  const own = globalThis.BarcodeDetector;
  if (own && (await own.getSupportedFormats()).includes("qr_code")) {
    const detector = new own({ formats: ["qr_code"] });
    return async (video) => (await detector.detect(video))[0]?.rawValue ?? null;
  }
  const read = await codes(wasm, signal);
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error("this browser draws no pictures: paste the link instead");
  return async (video) => {
    const scale = Math.min(1, most / Math.max(video.videoWidth, video.videoHeight));
    canvas.width = Math.round(video.videoWidth * scale);
    canvas.height = Math.round(video.videoHeight * scale);
    context.drawImage(video, 0, 0, canvas.width, canvas.height);
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    return read(new Uint8Array(data.buffer), canvas.width, canvas.height);
  };
}
