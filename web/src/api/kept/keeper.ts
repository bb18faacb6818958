import { dehydrate, hydrate, onlineManager, type Query, type QueryClient } from "@tanstack/react-query";
import { meKey } from "../meKey";
import type { Me } from "../types";
import type { Kept, KeptStore } from "./store";

/**
 * Keeps what was last seen, for when the page is opened without a connection.
 *
 * Only what is named here is kept: never a secret that is shown once, nor what a link's token has opened. It belongs to one
 * person in one tenant, and is gone when they sign out, when the server says that nobody is signed in, or somebody else is.
 */

/** First words of the keys of queries that are kept. A query may also say so of itself: `meta: { kept: true }`. */
const KEPT: ReadonlySet<unknown> = new Set(["devices", "device", "telemetry", "fleet", "books", "status"]);
/** Letters of JSON; the least recently read goes first. */
export const MOST_LETTERS = 2_000_000;
/** A session ends seven days after its last use: older things may be nobody's. */
export const LONGEST_MS = 7 * 86_400_000;
const PAUSE_MS = 10_000;
const BUILD = import.meta.url;

export function ownerOf(me: Me): string | null {
  return me.user ? `${me.user.id}/${me.tenant?.id ?? ""}` : null;
}

export class Keeper {
  private owner: string | null = null;
  private me: Me | null = null;
  private recalled: Me | null = null;
  private over = false;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private work: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly client: QueryClient,
    private readonly store: KeptStore,
    private readonly build = BUILD,
  ) {}

  /** Watch what is read, from now on. Returns how to stop. */
  start(): () => void {
    return this.client.getQueryCache().subscribe(({ type, query, ...event }) => {
      if (type !== "updated" || (event as { action: { type: string } }).action.type !== "success") return;
      if (query.queryKey[0] === meKey[0]) this.know((query.state.data ?? null) as Me | null);
      else if (isKept(query)) this.timer ??= setTimeout(() => void this.save(), PAUSE_MS);
    });
  }

  /** What was kept, back in the cache: who it was, and when; null where nothing is, or it is too old. */
  async recall(): Promise<{ me: Me; savedAt: number } | null> {
    const kept = await this.inTurn(() => this.store.load());
    if (!kept || this.over || kept.build !== this.build || Date.now() - kept.savedAt > LONGEST_MS) return null;
    hydrate(this.client, JSON.parse(kept.queries));
    this.recalled = kept.me;
    return { me: kept.me, savedAt: kept.savedAt };
  }

  /** Keep what there is now. */
  async save(): Promise<void> {
    clearTimeout(this.timer);
    this.timer = undefined;
    const { owner, me } = this;
    // What comes from an earlier visit is there already, and nobody knows yet whether it is still theirs.
    if (!owner || !me || this.over || !onlineManager.isOnline()) return;
    const kept: Kept = { owner, me, build: this.build, savedAt: Date.now(), queries: this.queries() };
    await this.inTurn(() => this.store.save(kept));
  }

  /** Nothing is kept any more, and nothing more until the page is loaded anew. */
  async forget(): Promise<void> {
    this.over = true;
    clearTimeout(this.timer);
    await this.inTurn(() => this.store.erase());
  }

  private know(me: Me | null): void {
    // The answer is the one that was kept: the server has not been heard.
    if (me !== null && me === this.recalled) return;
    this.recalled = null;
    const owner = me && ownerOf(me);
    if (!me || !owner) {
      this.owner = null;
      this.me = null;
      void this.inTurn(() => this.store.erase());
    } else if (this.owner === null && !this.over) {
      this.owner = owner;
      this.me = me;
      void this.inTurn(() => this.store.claim(owner));
    } else if (this.owner === owner) {
      this.me = me;
    } else {
      // Somebody else: the page is about to be loaded anew, and what it still holds is not theirs.
      this.over = true;
      void this.inTurn(() => this.store.claim(owner));
    }
  }

  /** The kept queries, the newest first, as far as there is room. */
  private queries(): string {
    const state = dehydrate(this.client, { shouldDehydrateQuery: isKept });
    const newest = [...state.queries].sort((a, b) => b.state.dataUpdatedAt - a.state.dataUpdatedAt);
    let room = MOST_LETTERS;
    const texts: string[] = [];
    for (const query of newest) {
      const text = JSON.stringify(query);
      room -= text.length + 1;
      if (room < 0) break;
      texts.push(text);
    }
    return `{"mutations":[],"queries":[${texts.join(",")}]}`;
  }

  /** One step on the store after another. */
  private inTurn<Result>(step: () => Promise<Result>): Promise<Result> {
    const next = this.work.then(step, step);
    this.work = next.catch(() => undefined);
    return next;
  }
}

function isKept(query: Query): boolean {
  return query.state.status === "success" && (KEPT.has(query.queryKey[0]) || query.meta?.kept === true);
}
