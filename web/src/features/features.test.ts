import { describe, expect, it } from "vitest";
import type { Books } from "../api/types";
import { sendingLine, uuid7 } from "../ui/curl";
import { checkNewPassword } from "../ui/newPassword";
import { nameOfAgent } from "./account/agent";
import { detailOf, whoOf } from "./audit/record";
import { ranked, verdictOf } from "./books/balance";
import { forecastOf } from "./books/forecast";
import { outcomeText, parseBody } from "./dead-letters/letters";
import { nameOf, spanOf, withSpan } from "./device/range";
import { checkSetup, suggestTenantId } from "./setup/setupForm";
import { explainRefusal } from "./sign-in/refusal";

describe("the range of a device page", () => {
  it("survives the address, both ways", () => {
    for (const name of ["1h", "6h", "24h", "7d", "30d"]) {
      const span = spanOf(new URLSearchParams({ range: name }));
      expect(nameOf(span)).toBe(name);
      expect(withSpan(new URLSearchParams("type=x&from=1&to=2"), span).toString()).toBe(`type=x&range=${name}`);
    }
    const custom = { kind: "fixed", from: 1_000, to: 2_000 } as const;
    expect(spanOf(withSpan(new URLSearchParams("range=1h"), custom))).toEqual(custom);
  });

  it("falls back to the default for nonsense", () => {
    for (const search of ["", "range=2y", "from=x&to=y", "from=2026-01-02&to=2026-01-01"]) {
      expect(nameOf(spanOf(new URLSearchParams(search)))).toBe("6h");
    }
  });
});

describe("the forecast of the disk", () => {
  it.each([
    [null, null, /not enough history/i],
    [0, null, /does not grow/],
    [5, 0.4, /less than a day/],
    [5, 1.9, /about 1 day\./],
    [5, 1_085.2, /about 1,085 days/],
    [5, 4_000, /more than ten years/],
  ])("%s bytes a day and %s days left", (bytesPerDay, daysLeft, words) => {
    const storage = { dataBytes: 1, freeBytes: 2, bytesPerDay, daysLeft, ingest: "open" };
    expect(forecastOf(storage)).toMatch(words);
  });
});

describe("the verdict of the books", () => {
  const books: Books = {
    from: null,
    to: null,
    received: 10,
    accepted: 10,
    rejected: {},
    stored: 6,
    duplicate: 2,
    dead: { clock: 1 },
    inFlight: 1,
    balanced: true,
  };

  it("is the server's; the figures explain it", () => {
    expect(verdictOf(books).balanced).toBe(true);
    expect(verdictOf({ ...books, accepted: 13, balanced: false }).explanation).toContain("3 accepted events");
    expect(verdictOf({ ...books, accepted: 8, balanced: false }).explanation).toContain("2 more events");
    expect(verdictOf({ ...books, balanced: false })).toMatchObject({ balanced: false });
  });

  it("lists reasons by weight and leaves out zeros", () => {
    expect(ranked({ a: 1, b: 0, d: 5, c: 5 })).toEqual([
      ["c", 5],
      ["d", 5],
      ["a", 1],
    ]);
  });
});

describe("the first reading of a new device", () => {
  it("survives a shell, whatever the id", () => {
    const line = sendingLine({ origin: "http://h", key: "tsk_1", deviceId: "d'1", now: new Date(0) });
    expect(line).toContain("'Authorization: Bearer tsk_1'");
    expect(line).toContain("d'\\''1");
  });

  it("gets an id of version 7 that carries its time", () => {
    const id = uuid7(0x0123456789ab, new Uint8Array(10).fill(255));
    expect(id).toBe("01234567-89ab-7fff-bfff-ffffffffffff");
  });
});

describe("a dead letter's body", () => {
  it("must be a JSON object", () => {
    expect(parseBody('{"a": 1}')).toEqual({ ok: true, body: { a: 1 } });
    for (const text of ["", "[1]", "null", "{"]) expect(parseBody(text).ok).toBe(false);
    expect(outcomeText({ outcome: "dead", reason: "clock" })).toContain("clock");
  });
});

describe("the set-up form", () => {
  it("suggests an id and says what is missing", () => {
    expect(suggestTenantId("  Société Générale & Co. ")).toBe("societe-generale-co");
    const form = { tenantName: "A", tenantId: "a", email: "a@b", password: "x".repeat(12), repeat: "x".repeat(12) };
    expect(checkSetup(form)).toEqual({});
    expect(Object.keys(checkSetup({ ...form, tenantId: "-a", email: "a", password: "short" }))).toEqual([
      "tenantId",
      "email",
      "password",
      "repeat",
    ]);
  });
});

describe("a new password", () => {
  it.each([
    ["short", "short", { password: "Use at least 12 characters" }],
    ["correct horse battery", "correct horse", { repeat: "The passwords differ" }],
    ["correct horse battery", "correct horse battery", {}],
  ])("%s, repeated as %s", (password, repeat, faults) => {
    expect(checkNewPassword({ password, repeat })).toEqual(faults);
  });
});

describe("the name of a session's program", () => {
  it.each([
    ["Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"],
    ["Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML) Chrome/140 Safari/537.36 Edg/140", "Edge on Windows"],
    ["Mozilla/5.0 (Macintosh; Intel Mac OS X 15_0) AppleWebKit/605 Version/18 Safari/605", "Safari on macOS"],
    ["Mozilla/5.0 (Linux; Android 16) AppleWebKit/537.36 (KHTML) Chrome/140 Mobile Safari/537.36", "Chrome on Android"],
    ["curl/8.5.0", "curl/8.5.0"],
    [null, "Unknown program"],
  ])("%s", (agent, name) => {
    expect(nameOfAgent(agent)).toBe(name);
  });
});

it("a record says who and what in words", () => {
  expect(whoOf({ kind: "user", id: "u1", name: "ada@example.com" })).toBe("ada@example.com");
  expect(whoOf({ kind: "device key", id: "k1", name: "" })).toBe("k1");
  expect(whoOf({ kind: "unknown", id: "", name: "" })).toBe("–");
  expect(detailOf({ detail: { role: "viewer", before: null, count: 0, quiet: false, name: "" } })).toBe(
    "role: viewer, count: 0, quiet: false",
  );
});

describe("a provider's sign-in that came to nothing", () => {
  it("is told in words, whatever the address says", () => {
    expect(explainRefusal("")).toBeUndefined();
    expect(explainRefusal("refused=no_role")).toMatch(/no role here/);
    for (const other of ["constructor", "<b>", ""]) expect(explainRefusal(`refused=${other}`)).toMatch(/has failed/);
  });
});
