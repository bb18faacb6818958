/**
 * The service worker (public/sw.js): keeps the page's own files, so that it opens without a connection, and takes a new
 * version only when the person says so.
 */

import { useSyncExternalStore } from "react";

/** Milliseconds after the page has loaded: what the person waits for comes first. */
const CALM_MS = 3_000;
/** How often an open page asks for a new version. */
const ASK_MS = 30 * 60_000;

let waiting: ServiceWorker | null = null;
const listeners = new Set<() => void>();

interface TrustedTypes {
  createPolicy(name: string, rules: { createScriptURL(url: string): string }): { createScriptURL(url: string): string };
}

/** The policy of the page lets nothing but a trusted address become a script. */
function trusted(url: string): string {
  const types = (window as unknown as { trustedTypes?: TrustedTypes }).trustedTypes;
  return types ? types.createPolicy("tslice-worker", { createScriptURL: () => url }).createScriptURL(url) : url;
}

export function startWorker(): void {
  if (!import.meta.env.PROD || !("serviceWorker" in navigator)) return;
  const begin = () => setTimeout(() => void register().catch(() => undefined), CALM_MS);
  if (document.readyState === "complete") begin();
  else window.addEventListener("load", begin, { once: true });
}

async function register(): Promise<void> {
  const registration = await navigator.serviceWorker.register(trusted("/sw.js"), { updateViaCache: "none" });
  const look = () => {
    // A first worker has nobody to relieve.
    if (!registration.waiting || !navigator.serviceWorker.controller) return;
    waiting = registration.waiting;
    for (const listener of listeners) listener();
  };
  registration.addEventListener("updatefound", () => registration.installing?.addEventListener("statechange", look));
  look();
  setInterval(() => void registration.update().catch(() => undefined), ASK_MS);
}

/** Whether a new version waits. */
export function useUpdate(): boolean {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => waiting !== null,
  );
}

export function reloadForUpdate(): void {
  navigator.serviceWorker.addEventListener("controllerchange", () => window.location.reload(), { once: true });
  waiting?.postMessage("take over");
}
