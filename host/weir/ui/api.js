// The JSON of the admin side. Pages use nothing else of the server.

/** A refusal or a failure, with the server's own words. */
export class ApiError extends Error {
  constructor(status, code, message) {
    super(message);
    Object.assign(this, { status, code });
  }
}

let session = null;
let skew = 0;

/** Who uses the dashboard, and what they may do; null before the login. */
export const who = () => session;
/** Whether the caller may change everything. */
export const may_write = () => session?.access === "write";
/** The value that requests of this page repeat when they change something. */
export const csrf = () => session?.csrf_token ?? "";
/** The server's time: the browser's clock may be wrong. */
export const now = () => Date.now() + skew;

/** Where pages hear that the session ended, and that the server is gone or back. */
export const news = new EventTarget();

async function call(method, path, body, signal, more = {}) {
  const headers = { accept: "application/json", ...more };
  const isReady = typeof body === "string" || body instanceof Blob;
  if (body !== undefined) headers["content-type"] ??= typeof body === "string" ? "text/plain" : "application/json";
  if (method !== "GET" && session?.csrf_token) headers["x-csrf-token"] = session.csrf_token;
  const text = body === undefined || isReady ? body : JSON.stringify(body);
  let response;
  try {
    response = await fetch(path, { method, headers, body: text, signal, credentials: "same-origin", cache: "no-store" });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    news.dispatchEvent(new Event("gone"));
    throw new ApiError(0, "unreachable", "Weir does not answer.");
  }
  const date = Date.parse(response.headers.get("date") ?? "");
  if (!Number.isNaN(date)) skew = Math.abs(date - Date.now()) > 5000 ? date - Date.now() : 0;
  if (response.ok) return response;
  const problem = await response.json().then((answer) => answer.error, () => null);
  const failure = new ApiError(response.status, problem?.code ?? "failed", problem?.message ?? `The server answered ${response.status}.`);
  if (response.status === 401 && session) {
    session = null;
    news.dispatchEvent(new Event("ended"));
  }
  throw failure;
}

/** A path with parameters; empty ones are left out. */
export function url(path, parameters = {}) {
  const known = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return known.length ? `${path}?${new URLSearchParams(known)}` : path;
}

/** Reads JSON. */
export const get = async (path, parameters, signal) => (await call("GET", url(path, parameters), undefined, signal)).json();

/** Reads text. */
export const text = async (path, parameters, signal) => (await call("GET", url(path, parameters), undefined, signal)).text();

/** Changes something; returns the answer's JSON, or nothing. */
export async function send(method, path, body, headers) {
  const response = await call(method, path, body, undefined, headers);
  const answer = await response.text();
  return answer ? JSON.parse(answer) : undefined;
}

/** Learns who the caller is. */
export async function identify() {
  session = await get("/admin/v1/session");
  return session;
}

/** Begins a session. */
export async function login(token) {
  session = await send("POST", "/admin/v1/session", { token });
  return session;
}

/** Ends the session. */
export async function logout() {
  await send("DELETE", "/admin/v1/session");
  session = null;
  news.dispatchEvent(new Event("ended"));
}

/** How long until a stream that was refused is asked for again, in milliseconds. */
const AGAIN = 2_000;

/**
 * Follows requests as they end: `take` gets each, `skip` the number of those that were not sent, and `lapse` is called when the
 * stream goes on after it was cut, since requests of that time were neither sent nor counted. If the server or the session is
 * gone, the page hears of it, since nothing else may ask the server while a page follows.
 */
export function follow(parameters, signal, take, skip, lapse = () => {}, wasOpen = false) {
  const source = new EventSource(url("/admin/v1/requests/tail", parameters));
  source.addEventListener("open", () => {
    if (wasOpen) lapse();
    wasOpen = true;
  });
  source.addEventListener("request", (event) => take(JSON.parse(event.data)));
  source.addEventListener("missed", (event) => skip(Number(event.data)));
  source.addEventListener("error", async () => {
    const isWell = await get("/admin/v1/session", {}, signal).then(() => true, () => false);
    // The browser tries again after a cut, and not after a refusal.
    if (!isWell || source.readyState !== EventSource.CLOSED) return;
    setTimeout(() => signal.aborted || follow(parameters, signal, take, skip, lapse, wasOpen), AGAIN);
  });
  signal.addEventListener("abort", () => source.close());
}
