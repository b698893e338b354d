// The one way to the server: session secret, ETags, errors as one kind.
import type { Change, Session, UploadAnswer } from "./types";

export class ApiError extends Error {
  constructor(readonly status: number, readonly code: string, message: string, readonly hint: string) {
    super(message);
  }
}

let session: Session | null = null;
let onSignedOut: () => void = () => undefined;

export const currentSession = (): Session | null => session;
export const setSession = (value: Session | null): void => void (session = value);
export const whenSignedOut = (action: () => void): void => void (onSignedOut = action);
export const may = (permission: string): boolean => session?.permissions.includes(permission) ?? false;

function toError(status: number, text: string): ApiError {
  try {
    const { error } = JSON.parse(text) as { error: { code: string; message: string; hint: string } };
    return new ApiError(status, error.code, error.message, error.hint);
  } catch {
    return new ApiError(status, "unreachable", status === 0 ? "The server does not answer." : `The server answered ${status}.`, "");
  }
}

export const newKey = (): string => crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;

// `key`: the same for all tries of one request, which is then done once.
export function api<T>(method: string, path: string, body?: unknown, version?: number, key?: string): Promise<T> {
  const headers: Record<string, string> = {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (method !== "GET" && session !== null) headers["X-CSRF-Token"] = session.csrf;
  if (key !== undefined) headers["Idempotency-Key"] = key;
  if (version !== undefined) headers["If-Match"] = `"${version}"`;
  return send<T>(path, { method, headers, body: body === undefined ? null : JSON.stringify(body) });
}

async function answered(path: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(`/api/v1${path}`, { credentials: "same-origin", ...init });
  } catch {
    throw toError(0, "");
  }
  if (response.ok) return response;
  const error = toError(response.status, await response.text());
  if (response.status === 401 && session !== null) {
    session = null;
    onSignedOut();
  }
  throw error;
}

async function send<T>(path: string, init: RequestInit): Promise<T> {
  const text = await (await answered(path, init)).text();
  return (text === "" ? undefined : JSON.parse(text)) as T;
}

// A file that may be refused with a reason: a plain link would save the refusal.
export async function download(path: string, name: string): Promise<void> {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await (await answered(path, { method: "GET" })).blob());
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

export const get = <T>(path: string): Promise<T> => api<T>("GET", path);

export function query(values: Record<string, string | number | null | undefined>): string {
  const pairs = Object.entries(values).filter(([, v]) => v !== null && v !== undefined && v !== "");
  return pairs.length === 0 ? "" : `?${pairs.map(([k, v]) => `${k}=${encodeURIComponent(String(v))}`).join("&")}`;
}

// XMLHttpRequest, because fetch tells no progress of what it sends. One key for all tries of one file.
export function upload(file: File, values: Record<string, string | number | null>, onProgress: (ratio: number) => void): Promise<UploadAnswer> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `/api/v1/uploads${query(values)}`);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.setRequestHeader("X-CSRF-Token", session?.csrf ?? "");
    request.setRequestHeader("X-File-Name", encodeURIComponent(file.name));
    request.setRequestHeader("Idempotency-Key", newKey());
    request.upload.onprogress = (e) => e.lengthComputable && onProgress(e.loaded / e.total);
    request.onload = () =>
      request.status < 300 ? resolve(JSON.parse(request.responseText) as UploadAnswer) : reject(toError(request.status, request.responseText));
    request.onerror = () => reject(toError(0, ""));
    request.send(file);
  });
}

// Changes as the server tells them. Closed after a quarter of an hour without a hand on the page, so that an open
// page alone does not keep a session alive.
const listeners = new Set<(changes: Change[], lost: boolean) => void>();
const IDLE_MS = 15 * 60 * 1000;
let source: EventSource | null = null;
let idleTimer = 0;

function openEvents(): void {
  if (source !== null || session === null) return;
  source = new EventSource("/api/v1/events");
  source.addEventListener("changes", (event) => {
    const data = JSON.parse((event as MessageEvent<string>).data) as { lost: boolean; items: Change[] };
    listeners.forEach((listener) => listener(data.items, data.lost));
  });
  source.addEventListener("signed-out", () => {
    closeEvents();
    if (session !== null) {
      session = null;
      onSignedOut();
    }
  });
}

export function closeEvents(): void {
  source?.close();
  source = null;
}

function onActivity(): void {
  window.clearTimeout(idleTimer);
  idleTimer = window.setTimeout(closeEvents, IDLE_MS);
  if (source === null && session !== null) {
    openEvents();
    listeners.forEach((listener) => listener([], true));
  }
}

export function startEvents(): void {
  openEvents();
  onActivity();
}
for (const name of ["pointerdown", "keydown", "wheel"]) window.addEventListener(name, onActivity, { passive: true });

export function onChanges(listener: (changes: Change[], lost: boolean) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
