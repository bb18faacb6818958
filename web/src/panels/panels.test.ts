import { describe, expect, it } from "vitest";
import type { DashboardDocument } from "../api/dashboardTypes";
import { lineColumns } from "../charts/lines";
import { searchOf, viewOf } from "./address";
import { blocks, inline, safeAddress } from "./markdown";
import { pathOf } from "./sparkline";

describe("text of panels", () => {
  it("reads headings, paragraphs, lists and code", () => {
    const found = blocks("# Hall\n\nOne\ntwo **three**\n- a\n- b\n\n1. c\n```\n<b>x</b>\n```");
    expect(found.map((block) => block.kind)).toEqual(["heading", "paragraph", "list", "list", "code"]);
    expect(found[1]).toEqual({
      kind: "paragraph",
      parts: [
        { kind: "text", text: "One two " },
        { kind: "strong", text: "three" },
      ],
    });
    expect(found[3]).toMatchObject({ ordered: true });
    expect(found[4]).toEqual({ kind: "code", text: "<b>x</b>" });
  });

  it("follows no address that could run", () => {
    expect(inline("[a](https://example.org/x)")).toEqual([{ kind: "link", text: "a", href: "https://example.org/x" }]);
    for (const bad of [
      "javascript:alert`1`",
      "JaVaScRiPt:x",
      "data:text/html,x",
      "//evil.example",
      "/\\evil.example",
      "vbscript:x",
      "x",
    ]) {
      expect(safeAddress(bad)).toBeNull();
      expect(inline(`[a](${bad})`).some((part) => part.kind === "link")).toBe(false);
    }
    expect(["/devices/a", "mailto:a@example.org", "http://a.example"].map(safeAddress)).not.toContain(null);
  });

  it("ends, whatever the text", () => {
    for (const text of ["```", "#", "- ", "**a", "[a](", "\n\n\n", "*".repeat(5_000), "- a\n# b\n- c"]) {
      expect(Array.isArray(blocks(text))).toBe(true);
    }
  });
});

describe("the address of a dashboard", () => {
  const document: DashboardDocument = {
    schema: 1,
    range: "6h",
    refreshSeconds: 10,
    variables: [
      { name: "device", kind: "device" },
      { name: "place", kind: "location" },
    ],
  };

  it("says what was chosen, and comes back as it was", () => {
    const view = { range: "7d", refresh: 0, values: { device: ["a,b", "c&d"], place: ["Halle 1"] }, tv: true } as const;
    const search = searchOf(
      { ...view, values: { device: [...view.values.device], place: [...view.values.place] } },
      document,
    );
    expect(viewOf(search, document)).toEqual(view);
  });

  it("leaves out what the document says anyway", () => {
    expect(searchOf(viewOf("", document), document)).toBe("");
    expect(viewOf("", document)).toEqual({ range: "6h", refresh: 10, values: {}, tv: false });
  });

  it("takes nothing that there is not", () => {
    const view = viewOf("?range=9y&refresh=1&var.other=x&var.place=a&var.place=b&var.device=", document);
    expect(view).toEqual({ range: "6h", refresh: 10, values: { place: ["a"] }, tv: false });
  });
});

describe("several lines", () => {
  const line = (...points: [number, number][]) => ({
    label: "",
    bucketSeconds: 10,
    points: points.map(([time, value]) => ({ time, value })),
  });

  it("share the times, go on over those of others and break at gaps", () => {
    const columns = lineColumns([line([0, 1], [10, 2], [20, 2], [100, 3]), line([5, 9])]);
    expect(columns[0]).toEqual([0, 5, 10, 20, 60, 100]);
    expect(columns[1]).toEqual([1, undefined, 2, 2, null, 3]);
    expect(columns[2]).toEqual([undefined, 9, undefined, undefined, undefined, undefined]);
    expect(lineColumns([])).toEqual([[]]);
  });

  it("are small beside a figure, with gaps", () => {
    expect(pathOf([0, 5, null, 10, 10], 100, 10)).toBe("M0 11L25 6M75 1L100 1");
    expect(pathOf([3, null], 100, 10)).toBe("");
  });
});
