import { randomBytes } from "node:crypto";
import { describe, expect, it } from "vitest";
import { initialFiles, measure } from "./budget.js";

const noise = (bytes) => `/*${randomBytes(bytes).toString("base64")}*/`;
const page = {
  "index.html":
    '<script type="module" src="/assets/a.js"></script><link rel="modulepreload" href="/assets/b.js"><link rel="stylesheet" href="/assets/a.css">',
  "assets/a.css": "a{}",
  "assets/a.js": 'import{x as y}from"./b.js";import"./c.js";const d=()=>import("./late.js");export{d}from"./d.js";',
  "assets/b.js": "export const x=1;",
  "assets/c.js": 'import * as z from"./b.js";',
  "assets/d.js": "",
  "assets/late.js": noise(1_000_000),
};
const of = (files) => (name) => {
  if (!(name in files)) throw new Error(name);
  return files[name];
};

describe("the budget", () => {
  it("counts what is imported statically, once, and not what comes later", () => {
    expect(initialFiles(of(page)).sort()).toEqual(Object.keys(page).slice(0, -1).sort());
    expect(measure(of(page)).over).toEqual([]);
  });

  it("is broken by a script that is too large, wherever it is imported", () => {
    expect(measure(of({ ...page, "assets/d.js": noise(300_000) })).over).toEqual([
      expect.stringMatching(/^js: \d+ bytes gzipped at the start, the budget is 250000$/),
    ]);
  });

  it("is broken by a page that it does not understand", () => {
    expect(measure(of({ "index.html": "<html></html>" })).over).toHaveLength(2);
  });
});
