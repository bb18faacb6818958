import { readFileSync } from "node:fs";
import { runInNewContext } from "node:vm";
import { beforeEach, describe, expect, it } from "vitest";

const SOURCE = readFileSync(new URL("./sw.js", import.meta.url), "utf8");
const FILES = ["/index.html", "/assets/app-1.js", "/favicon.svg"];

let stored;
let asked;
let online;

/** A worker of a version, in a browser that is as much of one as it needs. */
function worker(version) {
  const handlers = {};
  const state = { claimed: false, took: false };
  const fetch = async (request) => {
    asked.push(`${request.url} ${request.cache}`);
    if (!online) throw new TypeError("offline");
    return `${request.url} from the network`;
  };
  class Request {
    constructor(url, { cache = "default" } = {}) {
      this.url = url;
      this.cache = cache;
    }
  }
  const caches = {
    keys: async () => [...stored.keys()],
    delete: async (name) => stored.delete(name),
    open: async (name) => {
      const cache = stored.get(name) ?? new Map();
      stored.set(name, cache);
      return {
        addAll: async (requests) => {
          const answers = await Promise.all(requests.map(async (request) => [request.url, await fetch(request)]));
          for (const [url, answer] of answers) cache.set(url, `${answer}, kept as ${version}`);
        },
        match: async (path) => cache.get(path),
      };
    },
  };
  const self = {
    location: { origin: "https://slice.example" },
    clients: {
      claim: async () => {
        state.claimed = true;
      },
    },
    skipWaiting: () => {
      state.took = true;
    },
    addEventListener: (kind, handler) => {
      handlers[kind] = handler;
    },
  };
  runInNewContext(SOURCE, { self, caches, fetch, Request, URL, FILES, VERSION: version });
  const wait = async (kind) => {
    let work;
    handlers[kind]({ waitUntil: (promise) => (work = promise) });
    await work;
  };
  return {
    state,
    install: () => wait("install"),
    activate: () => wait("activate"),
    say: (data) => handlers.message({ data }),
    async get(path, { mode = "cors", method = "GET", origin = "https://slice.example" } = {}) {
      let answer;
      const request = { url: origin + path, mode, method, cache: "default" };
      handlers.fetch({ request, respondWith: (promise) => (answer = promise) });
      return answer === undefined ? "left alone" : await answer;
    },
  };
}

beforeEach(() => {
  stored = new Map([["of somebody else", new Map()]]);
  asked = [];
  online = true;
});

describe("the service worker", () => {
  it("keeps every file of its version, and asks past the browser's cache for those whose name stays", async () => {
    const first = worker("1");
    await first.install();
    expect(asked).toEqual(["/index.html reload", "/assets/app-1.js default", "/favicon.svg reload"]);
    await first.activate();
    expect(first.state.claimed).toBe(true);
    online = false;
    expect(await first.get("/devices/dev-001?range=1h", { mode: "navigate" })).toMatch("/index.html from the network");
    expect(await first.get("/assets/app-1.js")).toMatch("kept as 1");
  });

  it("keeps nothing of the server's, and touches nothing that is not the page's", async () => {
    const first = worker("1");
    await first.install();
    for (const path of [
      "/api/v1/me",
      "/api/v1/auth/oidc/corp/start",
      "/health",
      "/metrics",
      "/docs",
      "/openapi.json",
      "/sw.js",
    ]) {
      expect(await first.get(path, { mode: "navigate" })).toBe("left alone");
    }
    expect(await first.get("/index.html", { method: "POST" })).toBe("left alone");
    expect(await first.get("/assets/other-2.js")).toBe("left alone");
    expect(await first.get("/favicon.svg", { origin: "https://elsewhere.example" })).toBe("left alone");
    expect([...stored.keys()]).toEqual(["of somebody else", "tslice-page-1"]);
    expect([...stored.get("tslice-page-1").keys()]).toEqual(FILES);
  });

  it("is no version when a file is missing", async () => {
    online = false;
    await expect(worker("1").install()).rejects.toThrow("offline");
  });

  it("leaves the page to the old version until it is told, and takes its files away then", async () => {
    const first = worker("1");
    await first.install();
    await first.activate();
    const second = worker("2");
    await second.install();
    expect(await first.get("/", { mode: "navigate" })).toMatch("kept as 1");
    second.say("something");
    expect(second.state.took).toBe(false);
    second.say("take over");
    expect(second.state.took).toBe(true);
    await second.activate();
    expect([...stored.keys()]).toEqual(["of somebody else", "tslice-page-2"]);
    expect(await second.get("/", { mode: "navigate" })).toMatch("kept as 2");
  });

  it("asks the server where its own copy was taken away", async () => {
    const first = worker("1");
    await first.install();
    stored.clear();
    expect(await first.get("/devices", { mode: "navigate" })).toBe("https://slice.example/devices from the network");
  });
});
