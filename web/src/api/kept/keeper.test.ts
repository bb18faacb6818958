import { onlineManager, QueryClient } from "@tanstack/react-query";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { meKey } from "../meKey";
import type { Me } from "../types";
import { Keeper, LONGEST_MS, MOST_LETTERS } from "./keeper";
import type { Kept, KeptStore } from "./store";

/** As the browser's, without one. */
function memoryStore(): KeptStore & { kept: Kept | null; owner: string | null } {
  return {
    kept: null,
    owner: null,
    async claim(owner) {
      if (this.owner !== owner) this.kept = null;
      this.owner = owner;
    },
    async save(kept) {
      if (this.owner === kept.owner) this.kept = kept;
    },
    async load() {
      return this.kept && this.kept.owner === this.owner ? this.kept : null;
    },
    async erase() {
      this.kept = null;
      this.owner = null;
    },
  };
}

const person = (id: string, tenant = "acme") =>
  ({ kind: "user", user: { id, email: `${id}@x`, name: id }, tenant: { id: tenant, name: tenant } }) as Me;
const settle = () => vi.advanceTimersByTimeAsync(20_000);
const SECRET = "shown-once";

let store: ReturnType<typeof memoryStore>;

/** A window with the page in it. */
function visit(build = "one") {
  const client = new QueryClient();
  const keeper = new Keeper(client, store, build);
  keeper.start();
  return {
    client,
    keeper,
    signIn: (me: Me | null) => client.setQueryData(meKey, me),
    read: (key: unknown[], data: unknown) => client.setQueryData(key, data),
  };
}

beforeEach(() => {
  vi.useFakeTimers();
  onlineManager.setOnline(true);
  store = memoryStore();
});
afterEach(() => void vi.useRealTimers());

/** Ann has read something, and it is kept. */
async function annWasHere() {
  const window = visit();
  window.signIn(person("ann"));
  window.read(["devices", {}], ["boiler"]);
  await settle();
  expect(store.kept?.queries).toContain("boiler");
  return window;
}

describe("what was last seen", () => {
  it("is there again without a connection, with its time", async () => {
    const savedAfter = Date.now();
    await annWasHere();
    onlineManager.setOnline(false);
    const { client, keeper } = visit();
    const recalled = await keeper.recall();
    expect(recalled?.me.user?.id).toBe("ann");
    expect(recalled?.savedAt).toBeGreaterThan(savedAfter);
    expect(client.getQueryData(["devices", {}])).toEqual(["boiler"]);
  });

  it("is only what is named: no secret, no link's token, no unknown query", async () => {
    const { signIn, read, client } = visit();
    signIn(person("ann"));
    for (const key of [["invitation", SECRET], ["keys", "dev-001"], ["sessions"], ["anything"]]) read(key, SECRET);
    client.setMutationDefaults(["issue"], { mutationFn: async () => SECRET });
    await client
      .getMutationCache()
      .build(client, { mutationKey: ["issue"] })
      .execute(undefined);
    read(["device", "dev-001"], "boiler");
    await settle();
    expect(store.kept?.queries).toContain("boiler");
    expect(JSON.stringify(store.kept)).not.toContain(SECRET);
  });

  it("is bounded; what was read last stays", async () => {
    const { signIn, read } = visit();
    signIn(person("ann"));
    for (let n = 0; n < 5; n += 1) {
      await vi.advanceTimersByTimeAsync(1_000);
      read(["telemetry", n], `${n}`.repeat(MOST_LETTERS / 3));
    }
    await settle();
    expect(store.kept?.queries.length).toBeLessThanOrEqual(MOST_LETTERS + 40);
    const there = JSON.parse(store.kept?.queries ?? "").queries.map((query: { queryKey: unknown[] }) => query.queryKey);
    expect(there).toEqual([
      ["telemetry", 4],
      ["telemetry", 3],
    ]);
  });

  it("is not shown when it is old, or of another build", async () => {
    await annWasHere();
    expect(await visit("two").keeper.recall()).toBeNull();
    vi.setSystemTime(Date.now() + LONGEST_MS + 1);
    expect(await visit().keeper.recall()).toBeNull();
  });
});

describe("nothing of a former session stays", () => {
  it("after signing out, also when another window goes on writing", async () => {
    const here = await annWasHere();
    const elsewhere = visit();
    elsewhere.signIn(person("ann"));
    await here.keeper.forget();
    expect(store.kept).toBeNull();
    here.read(["devices", {}], ["boiler", "pump"]);
    elsewhere.read(["devices", {}], ["boiler", "pump"]);
    await settle();
    await Promise.all([here.keeper.save(), elsewhere.keeper.save()]);
    expect(store.kept).toBeNull();
    expect(await visit().keeper.recall()).toBeNull();
  });

  it("once the server says that nobody is signed in", async () => {
    const { signIn } = await annWasHere();
    signIn(null);
    await settle();
    expect(store.kept).toBeNull();
  });

  it.each([person("bob"), person("ann", "beta")])("once somebody else, or another tenant, is there", async (next) => {
    await annWasHere();
    const { signIn, keeper } = visit();
    signIn(next);
    await settle();
    expect(store.kept).toBeNull();
    expect(await keeper.recall()).toBeNull();
  });

  it("in the same window, whose cache still holds the former person's", async () => {
    const window = await annWasHere();
    window.signIn(person("bob"));
    window.read(["devices", {}], ["of ann"]);
    await settle();
    await window.keeper.save();
    expect(store.owner).toBe("bob/acme");
    expect(store.kept).toBeNull();
  });

  it("and a window of the former person cannot write over the next one's", async () => {
    const ann = await annWasHere();
    const bob = visit();
    bob.signIn(person("bob"));
    bob.read(["devices", {}], ["of bob"]);
    await settle();
    ann.read(["devices", {}], ["of ann"]);
    await settle();
    expect(store.kept?.queries).toContain("of bob");
    expect(JSON.stringify(store.kept)).not.toContain("of ann");
  });

  it("and what was recalled is not written again before the server has said who is there", async () => {
    await annWasHere();
    onlineManager.setOnline(false);
    const window = visit();
    const recalled = await window.keeper.recall();
    window.signIn(recalled?.me ?? null);
    onlineManager.setOnline(true);
    window.read(["devices", {}], ["later"]);
    await settle();
    expect(store.kept?.queries).not.toContain("later");
    window.signIn(null);
    await settle();
    expect(store.kept).toBeNull();
  });
});
