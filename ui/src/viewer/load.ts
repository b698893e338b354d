// Grey pictures by address, decoded by two helpers beside the page; by the page itself where a browser has no such helpers.
import { fetchGray, type Gray } from "./png";

interface Answer { no: number; gray?: Gray; fault?: string }
interface Waiting { url: string; resolve: (gray: Gray) => void; reject: (error: Error) => void }

const HELPERS = 2;
const waiting = new Map<number, Waiting>();
const helpers: Worker[] = [];
let hasHelpers = typeof Worker !== "undefined";
let next = 0;

function onAnswer({ data }: MessageEvent<Answer>): void {
  const one = waiting.get(data.no);
  waiting.delete(data.no);
  if (data.gray !== undefined) one?.resolve(data.gray);
  else one?.reject(new Error(data.fault ?? ""));
}

// An older browser does not understand the helper's script: what waits for it is done here.
function onBroken(): void {
  hasHelpers = false;
  const left = [...waiting.values()];
  waiting.clear();
  for (const one of left) fetchGray(one.url).then(one.resolve, one.reject);
}

function helper(): Worker {
  const at = next % HELPERS;
  helpers[at] ??= Object.assign(new Worker(new URL("./decode_worker.ts", import.meta.url), { type: "module" }), { onmessage: onAnswer, onerror: onBroken });
  return helpers[at]!;
}

export function loadGray(url: string): Promise<Gray> {
  if (!hasHelpers) return fetchGray(url);
  return new Promise((resolve, reject) => {
    waiting.set(++next, { url, resolve, reject });
    helper().postMessage({ no: next, url });
  });
}
