import type { QueryClient } from "@tanstack/react-query";
import { connection } from "../connection";
import type { Me } from "../types";
import { Keeper } from "./keeper";
import { browserStore } from "./store";

let keeper: Keeper | null = null;
let recalled: Me | null = null;
const others = typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel("tslice.session");

/** Keeps what this client reads, from now on. */
export function startKeeping(client: QueryClient): void {
  keeper = new Keeper(client, browserStore());
  keeper.start();
  const leaving = () => {
    if (document.visibilityState === "hidden") void keeper?.save();
  };
  document.addEventListener("visibilitychange", leaving);
  window.addEventListener("pagehide", () => void keeper?.save());
  // Another window of this browser has signed out: what this one shows is nobody's any more.
  if (others) others.onmessage = () => void keeper?.forget();
}

/** Who was here last, with what they saw back in the cache; null where nothing is kept. */
export async function recallKept(): Promise<Me | null> {
  const kept = (await keeper?.recall()) ?? null;
  if (!kept) return null;
  connection.recall(kept.savedAt);
  recalled = kept.me;
  return recalled;
}

/** Whether this is who was recalled: the server has not said yet that they are still signed in. */
export function isRecalled(me: Me | null): boolean {
  return me !== null && me === recalled;
}

/** To be called before signing out: nothing of this session may be seen afterwards. */
export async function forgetKept(): Promise<void> {
  others?.postMessage("ended");
  await keeper?.forget();
}
