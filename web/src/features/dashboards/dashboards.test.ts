import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { Panel } from "../../api/dashboardTypes";
import { settled } from "../../panels/grid";
import {
  asKind,
  begun,
  cleaned,
  type Draft,
  newPanel,
  panelsOf,
  stepped,
  withoutPanel,
  withPanel,
  withTwin,
} from "./draft";
import { fileNameOf, fileOf, readFile } from "./exchange";
import { TEMPLATES, templateDocument, templateName } from "./templates";

const draft: Draft = { name: "Hall", visibleTo: "viewer", document: { schema: 1, panels: [] } };
const named = (name: string): Draft => ({ ...draft, name });

describe("a draft", () => {
  it("takes changes back and does them again", () => {
    let history = begun(draft);
    for (const name of ["a", "b"]) history = stepped(history, { kind: "change", draft: named(name) });
    history = stepped(history, { kind: "undo" });
    expect(history.now.name).toBe("a");
    history = stepped(stepped(history, { kind: "undo" }), { kind: "undo" });
    expect(history.now.name).toBe("Hall");
    history = stepped(stepped(stepped(history, { kind: "redo" }), { kind: "redo" }), { kind: "redo" });
    expect(history.now.name).toBe("b");
    history = stepped(stepped(history, { kind: "undo" }), { kind: "change", draft: named("c") });
    expect(stepped(history, { kind: "redo" }).now.name).toBe("c");
  });

  it("takes back a word that was typed as one", () => {
    let history = begun(draft);
    for (const name of ["H", "Ha", "Hal"])
      history = stepped(history, { kind: "change", draft: named(name), subject: "name" });
    expect(history.past.length).toBe(1);
    expect(stepped(history, { kind: "undo" }).now.name).toBe("Hall");
  });

  it("keeps a bounded number of steps", () => {
    let history = begun(draft);
    for (let step = 0; step < 500; step += 1) history = stepped(history, { kind: "change", draft: named(`${step}`) });
    expect(history.past.length).toBe(100);
  });

  it("adds, changes, duplicates and removes panels under ids of their own", () => {
    const first = newPanel("line", [], "temperature");
    let changed = withPanel(draft, first);
    changed = withTwin(withTwin(changed, first.id), first.id);
    const panels = panelsOf(changed.document);
    expect(new Set(panels.map((panel) => panel.id)).size).toBe(3);
    expect(settled(panels)).toEqual(panels);
    changed = withoutPanel(withPanel(changed, { ...first, title: "Warm" }), panels[1]?.id ?? "");
    expect(panelsOf(changed.document).map((panel) => panel.title)).toEqual(["Warm", ""]);
    expect(withTwin(changed, "unknown")).toBe(changed);
  });

  it("keeps what two kinds have in common", () => {
    const stat = { ...newPanel("stat", [], "x"), types: ["pressure"], title: "P", decimals: 2 };
    const gauge = asKind(stat, "gauge", "x");
    expect(gauge).toMatchObject({ kind: "gauge", id: stat.id, title: "P", types: ["pressure"], min: 0, max: 100 });
    expect(gauge).not.toHaveProperty("sparkline");
    expect(asKind(gauge, "line", "x")).not.toHaveProperty("min");
  });

  it("is sent without lists that are empty", () => {
    const panel: Panel = { ...newPanel("table", [], "x"), types: [], thresholds: [] };
    const [sent] = cleaned(withPanel(draft, panel)).document.panels ?? [];
    expect(sent).not.toHaveProperty("types");
    expect(sent).not.toHaveProperty("thresholds");
  });
});

describe("files", () => {
  it("come back as they were written", () => {
    expect(readFile(fileOf("Hälle ✓", draft.document), "x.json")).toEqual({
      name: "Hälle ✓",
      document: draft.document,
    });
    expect(readFile('{"schema": 1}', "My hall.json")).toEqual({ name: "My hall", document: { schema: 1 } });
  });

  it("that hold no dashboard are told apart", () => {
    for (const text of ["", "[]", "null", "1", "{}", '{"document": 1}', "{not json"])
      expect(readFile(text, "x.json")).toBeNull();
  });

  it("are named after the dashboard", () => {
    expect(fileNameOf("Hälle #1 / Süd")).toBe("halle-1-sud.json");
    expect(fileNameOf("計")).toBe("dashboard.json");
  });
});

describe("ready-made dashboards", () => {
  const german = JSON.parse(readFileSync("src/texts/de/dashboards.json", "utf8"));

  it.each(TEMPLATES)("%s is complete", (template) => {
    const document = templateDocument(template);
    const panels = panelsOf(document);
    expect(panels.length).toBeGreaterThan(3);
    expect(settled(panels)).toEqual(panels);
    expect(new Set(panels.map((panel) => panel.id)).size).toBe(panels.length);
    const variables = new Set((document.variables ?? []).map((each) => each.name));
    for (const panel of panels) {
      expect(panel.title).not.toMatch(/^template\./);
      if (panel.of?.variable) expect(variables).toContain(panel.of.variable);
    }
    expect(templateName(template)).not.toMatch(/template\./);
    expect(german.template[template].name).toBeTruthy();
  });
});
