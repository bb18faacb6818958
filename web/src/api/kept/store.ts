import type { Me } from "../types";

/** What was last seen by one person in one tenant, for when there is no connection. */
export interface Kept {
  /** Whose it is: account and tenant. */
  owner: string;
  /** What the build of the page was that has written it: another one may not understand it. */
  build: string;
  /** Epoch ms. */
  savedAt: number;
  me: Me;
  /** The dehydrated queries as JSON. */
  queries: string;
}

/** Where it is kept: by at most one owner at a time. A store that cannot be had keeps nothing; nothing here rejects. */
export interface KeptStore {
  /** From now on it is this owner's. What was another's is gone. */
  claim(owner: string): Promise<void>;
  /** Kept only as long as the owner is who has claimed the store last: in the same step, whatever other windows do. */
  save(kept: Kept): Promise<void>;
  load(): Promise<Kept | null>;
  /** It is nobody's from now on. */
  erase(): Promise<void>;
}

const NAME = "tslice";
const TABLE = "kept";

/** In the browser's own database. */
export function browserStore(): KeptStore {
  const ask = async <Result>(work: (table: IDBObjectStore, done: (result: Result) => void) => void, none: Result) => {
    try {
      const database = await open();
      try {
        return await new Promise<Result>((resolve, reject) => {
          let answer = none;
          const transaction = database.transaction(TABLE, "readwrite");
          transaction.oncomplete = () => resolve(answer);
          transaction.onabort = () => reject(transaction.error);
          work(transaction.objectStore(TABLE), (result) => {
            answer = result;
          });
        });
      } finally {
        database.close();
      }
    } catch {
      // A private window, or no room: nothing is kept.
      return none;
    }
  };
  return {
    claim: (owner) =>
      ask((table) => {
        const known = table.get("owner");
        known.onsuccess = () => {
          if (known.result === owner) return;
          table.clear();
          table.put(owner, "owner");
        };
      }, undefined),
    save: (kept) =>
      ask((table) => {
        const known = table.get("owner");
        known.onsuccess = () => {
          if (known.result === kept.owner) table.put(kept, "kept");
        };
      }, undefined),
    load: () =>
      ask<Kept | null>((table, done) => {
        const owner = table.get("owner");
        const kept = table.get("kept");
        kept.onsuccess = () => {
          const found = kept.result as Kept | undefined;
          done(found && found.owner === owner.result ? found : null);
        };
      }, null),
    erase: () => ask((table) => void table.clear(), undefined),
  };
}

function open(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const asked = indexedDB.open(NAME, 1);
    asked.onupgradeneeded = () => asked.result.createObjectStore(TABLE);
    asked.onsuccess = () => resolve(asked.result);
    asked.onerror = () => reject(asked.error);
    asked.onblocked = () => reject(new Error("blocked"));
  });
}
