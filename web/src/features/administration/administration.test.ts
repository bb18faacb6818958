import { describe, expect, it } from "vitest";
import type { ProvisionedRow } from "../../api/provisioning";
import { csvLine, parseCsv, plainCell } from "./csv";
import { keysFile, preview, readTable, serverList, tally } from "./deviceList";
import { offeredRoles } from "./roles";
import { sectionOf, sectionsOf } from "./sections";
import { endOf, limitTexts, readLimits, stateOf } from "./terms";

function table(text: string) {
  const read = readTable(text);
  if (!read.ok) throw new Error(read.reason);
  return read.table;
}

describe("CSV", () => {
  it("is read with quotes, other separators, a mark of the byte order and any end of line", () => {
    const csv = parseCsv('\ufeffid;name\r\n1;"Boiler ""3"";\nhall"\r\n\r\n2;Chiller\r3;');
    expect(csv).toEqual({
      ok: true,
      separator: ";",
      rows: [
        { line: 1, cells: ["id", "name"] },
        { line: 2, cells: ["1", 'Boiler "3";\nhall'] },
        { line: 5, cells: ["2", "Chiller"] },
        { line: 6, cells: ["3", ""] },
      ],
    });
  });

  it.each([
    ['a,b\n"never closed,1\n2,3', 2],
    ['a,b\n1,2\n"x"y,1', 3],
  ])("says where %j is none", (text, line) => {
    expect(parseCsv(text)).toEqual({ ok: false, line });
  });

  it("comes back as it was written, a row a line", () => {
    const cells = ["a,b", ' "x" ', "", "two\nlines", "ü"];
    const read = parseCsv(`${csvLine(cells)}\n`);
    expect(read.ok && read.rows[0]?.cells).toEqual(["a,b", ' "x" ', "", "two lines", "ü"]);
  });

  it("holds no formulas for a spreadsheet", () => {
    expect(["=1+1", "-x", "dev-1"].map(plainCell)).toEqual(["'=1+1", "'-x", "dev-1"]);
  });
});

describe("a list of devices", () => {
  it("finds the columns by the names that people give them", () => {
    expect(table("Serial Number;Site;Name\n1;Hall;Boiler").mapping).toEqual({
      deviceId: 0,
      label: 2,
      location: 1,
      type: null,
      tags: null,
    });
  });

  it("needs no names: then the first column holds the ids", () => {
    const read = table("dev-1,Boiler\ndev-2,Chiller");
    expect([read.named, read.rows.length, read.mapping.deviceId, read.mapping.label]).toEqual([false, 2, 0, 1]);
    expect(read.header).toEqual(["#1", "#2"]);
  });

  it("is told to the server in its own words, each row in a line of its own", () => {
    const read = table('Name,Device ID\n"Boiler,\nbig",dev-1\nlone\n,\n');
    expect(serverList(read).split("\r\n")).toEqual(["deviceId,label", 'dev-1,"Boiler, big"', ",lone", ","]);
    expect(serverList(table("id\n \nx")).split("\r\n")).toEqual(["deviceId", "x"]);
  });

  it("shows what the server says at the line of the file", () => {
    const read = table('id,label\ndev-1,"two\nlines"\ndev-1,again\ndev-2,\n');
    const answers: ProvisionedRow[] = [
      { line: 2, deviceId: "dev-1", outcome: "created" },
      { line: 3, deviceId: "dev-1", outcome: "error", column: "deviceId", detail: "twice" },
      { line: 3, deviceId: "dev-1", outcome: "error", column: "label", detail: "bad" },
      { line: 4, deviceId: "dev-2", outcome: "kept" },
    ];
    const rows = preview(read, answers);
    expect(rows.map((row) => [row.line, row.deviceId, row.outcome, row.faults.length])).toEqual([
      [2, "dev-1", "created", 0],
      [4, "dev-1", "error", 2],
      [5, "dev-2", "kept", 0],
    ]);
    expect(tally(rows)).toEqual({ created: 1, kept: 1, issued: 0, error: 1 });
    expect(preview(read, []).every((row) => row.outcome === null)).toBe(true);
  });

  it("says what is wrong with a text that is none", () => {
    expect(readTable("id,label\n")).toEqual({ ok: false, reason: "empty", line: 1 });
    expect(readTable('id\n"x')).toEqual({ ok: false, reason: "quotes", line: 2 });
    const long = ["id", ...Array.from({ length: 10_001 }, (_, n) => `d${n}`)].join("\n");
    expect(readTable(long)).toEqual({ ok: false, reason: "tooMany", line: 10_002 });
  });

  it("hands out the keys that there are", () => {
    const rows: ProvisionedRow[] = [
      { line: 2, deviceId: "=dev", outcome: "created", keyId: "k1", key: "tsk_1" },
      { line: 3, deviceId: "b", outcome: "kept", keyId: null, key: null },
    ];
    expect(keysFile(rows)).toBe("deviceId,keyId,key\r\n'=dev,k1,tsk_1\r\n");
  });
});

describe("the places of the administration", () => {
  const tenant = { id: "a", name: "A" };
  const person = { kind: "user", role: "viewer", platformAdmin: false, tenant } as const;

  it.each([
    [person, []],
    [{ ...person, role: "operator" } as const, ["devices"]],
    [{ ...person, role: "admin" } as const, ["devices", "keys", "people", "settings", "audit"]],
    [{ ...person, role: null, tenant: null, platformAdmin: true } as const, ["tenants", "installation-audit"]],
    [
      { ...person, role: "owner", platformAdmin: true } as const,
      ["devices", "keys", "people", "settings", "audit", "tenants", "installation-audit"],
    ],
  ])("%j", (me, sections) => {
    expect(sectionsOf(me)).toEqual(sections);
    expect(sectionOf(me, "")).toBe(sections[0] ?? null);
    expect(sectionOf(me, "tenants")).toBe(me.platformAdmin ? "tenants" : null);
    expect(sectionOf(me, "constructor")).toBeNull();
  });

  it("owners alone give the role of owner", () => {
    expect(offeredRoles({ role: "admin", platformAdmin: false })).not.toContain("owner");
    expect(offeredRoles({ role: "owner", platformAdmin: false })).toContain("owner");
  });
});

describe("the terms of keys and limits", () => {
  it("tells live keys from those that end soon, have ended or were revoked", () => {
    const key = { revokedAt: null, expiresAt: null, expiresSoon: false };
    const at = (moment: number) => new Date(moment).toISOString();
    expect(stateOf(key, 0)).toBe("live");
    expect(stateOf({ ...key, expiresAt: at(10), expiresSoon: true }, 5)).toBe("soon");
    expect(stateOf({ ...key, expiresAt: at(10), expiresSoon: true }, 10)).toBe("ended");
    expect(stateOf({ ...key, revokedAt: at(1) }, 5)).toBe("revoked");
    expect(endOf(1, 0)).toBe("1970-01-02T00:00:00.000Z");
    expect(endOf(0, 0)).toBeNull();
  });

  it("reads limits as they are typed: empty is everywhere's, 0 is none", () => {
    const typed = { keyPerSecond: "", tenantPerSecond: "0", keyEventsPerSecond: "2 000", tenantEventsPerSecond: "5" };
    const limits = { keyPerSecond: null, tenantPerSecond: 0, keyEventsPerSecond: 2_000, tenantEventsPerSecond: 5 };
    expect(readLimits(typed)).toEqual({ ok: true, limits });
    expect(limitTexts(limits)).toEqual({ ...typed, keyEventsPerSecond: "2000" });
    for (const wrong of ["-1", "1.5", "many", "1e3", "2000000000"]) {
      expect(readLimits({ ...typed, keyPerSecond: wrong })).toEqual({ ok: false, faults: ["keyPerSecond"] });
    }
  });
});
