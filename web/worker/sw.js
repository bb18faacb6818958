/**
 * The service worker: keeps the page's own files, so that the page opens without a connection. vite.config.ts puts FILES and
 * VERSION in front. It never keeps what the API answers: what a person has read is kept by the page (src/api/kept).
 *
 * A new version is fetched whole beside the old one, and takes over when the page says so.
 */

/* global FILES, VERSION */

const PREFIX = "tslice-page-";
const CACHE = PREFIX + VERSION;
const PAGE = "/index.html";
/** The server's own addresses, as in http/page.py; what an address of the page is, the page knows. */
const SERVER = ["/api/", "/health", "/metrics", "/openapi.json", "/docs", "/.well-known/", "/sw.js"];

self.addEventListener("install", (event) => event.waitUntil(fetchAll()));
self.addEventListener("activate", (event) => event.waitUntil(dropOthers().then(() => self.clients.claim())));
self.addEventListener("message", (event) => {
  if (event.data === "take over") self.skipWaiting();
});
self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin) return;
  if (SERVER.some((path) => url.pathname.startsWith(path))) return;
  if (request.mode === "navigate") event.respondWith(answer(PAGE, request));
  else if (FILES.includes(url.pathname)) event.respondWith(answer(url.pathname, request));
});

/** All or nothing: a version that lacks a file is none. */
async function fetchAll() {
  const cache = await caches.open(CACHE);
  // Names with a digest never change; all others are asked for anew.
  await cache.addAll(
    FILES.map((path) => new Request(path, { cache: path.startsWith("/assets/") ? "default" : "reload" })),
  );
}

async function dropOthers() {
  for (const name of await caches.keys()) {
    if (name.startsWith(PREFIX) && name !== CACHE) await caches.delete(name);
  }
}

async function answer(path, request) {
  const cache = await caches.open(CACHE);
  return (await cache.match(path)) ?? fetch(request);
}
