/** Dashboards that are ready: each with the name and the words of the language that it is made in. */

import type { DashboardDocument } from "../../api/dashboardTypes";
import { text } from "../../texts";

export const TEMPLATES = ["fleet", "device", "site", "computer"] as const;
export type Template = (typeof TEMPLATES)[number] | "empty";

const word = (key: string): string => text(`dashboards:template.${key}` as "dashboards:template.fleet.name");

export const templateName = (template: Template): string => word(`${template}.name`);
export const templateWords = (template: Template): string => word(`${template}.words`);

export function templateDocument(template: Template): DashboardDocument {
  return documents[template]();
}

const documents: Record<Template, () => DashboardDocument> = {
  empty: () => ({ schema: 1, range: "24h", refreshSeconds: 30, variables: [], panels: [] }),
  fleet: () => ({
    schema: 1,
    description: templateWords("fleet"),
    range: "24h",
    refreshSeconds: 10,
    variables: [{ name: "location", kind: "location", label: word("location") }],
    panels: [
      { id: "places", kind: "locations", title: word("places"), at: { x: 0, y: 0, w: 4, h: 4 }, of: {} },
      { id: "silent", kind: "attention", title: word("silent"), at: { x: 4, y: 0, w: 4, h: 4 }, of: {} },
      {
        id: "received",
        kind: "bar",
        title: word("received"),
        at: { x: 8, y: 0, w: 4, h: 4 },
        of: { variable: "location" },
        types: ["temperature"],
        show: "count",
        per: "device",
      },
      {
        id: "temperature",
        kind: "line",
        title: word("temperature"),
        at: { x: 0, y: 4, w: 8, h: 6 },
        of: { variable: "location" },
        types: ["temperature"],
      },
      {
        id: "latest",
        kind: "table",
        title: word("latest"),
        at: { x: 8, y: 4, w: 4, h: 6 },
        of: { variable: "location" },
      },
    ],
  }),
  device: () => ({
    schema: 1,
    description: templateWords("device"),
    range: "24h",
    refreshSeconds: 10,
    variables: [{ name: "device", kind: "device", label: word("deviceChoice"), default: ["dev-001"] }],
    panels: [
      {
        id: "now",
        kind: "stat",
        title: word("temperature"),
        at: { x: 0, y: 0, w: 4, h: 4 },
        of: { variable: "device" },
        types: ["temperature"],
        show: "last",
        sparkline: true,
        thresholds: [
          { at: -50, level: "good", label: "" },
          { at: 88, level: "warning", label: "" },
          { at: 94, level: "critical", label: "" },
        ],
      },
      {
        id: "gauge",
        kind: "gauge",
        title: word("gauge"),
        at: { x: 4, y: 0, w: 4, h: 4 },
        of: { variable: "device" },
        types: ["temperature"],
        show: "last",
        min: 0,
        max: 120,
        thresholds: [
          { at: 0, level: "good", label: "" },
          { at: 88, level: "warning", label: "" },
          { at: 94, level: "critical", label: "" },
        ],
      },
      {
        id: "hours",
        kind: "bar",
        title: word("hours"),
        at: { x: 8, y: 0, w: 4, h: 4 },
        of: { variable: "device" },
        types: ["temperature"],
        show: "max",
        per: "time",
      },
      {
        id: "course",
        kind: "line",
        title: word("temperature"),
        at: { x: 0, y: 4, w: 8, h: 6 },
        of: { variable: "device" },
        types: ["temperature"],
      },
      {
        id: "latest",
        kind: "table",
        title: word("latest"),
        at: { x: 8, y: 4, w: 4, h: 6 },
        of: { variable: "device" },
      },
    ],
  }),
  site: () => ({
    schema: 1,
    description: templateWords("site"),
    range: "24h",
    refreshSeconds: 30,
    variables: [{ name: "site", kind: "location", label: word("location"), default: ["Plant A"] }],
    panels: [
      {
        id: "now",
        kind: "stat",
        title: word("temperature"),
        at: { x: 0, y: 0, w: 6, h: 3 },
        of: { variable: "site" },
        types: ["temperature"],
        show: "last",
        decimals: 1,
      },
      {
        id: "average",
        kind: "bar",
        title: word("average"),
        at: { x: 6, y: 0, w: 6, h: 3 },
        of: { variable: "site" },
        types: ["temperature"],
        show: "avg",
        per: "device",
        decimals: 1,
      },
      {
        id: "temperature",
        kind: "line",
        title: word("temperature"),
        at: { x: 0, y: 3, w: 12, h: 6 },
        of: { variable: "site" },
        types: ["temperature"],
      },
      {
        id: "pressure",
        kind: "line",
        title: word("pressure"),
        at: { x: 0, y: 9, w: 6, h: 5 },
        of: { variable: "site" },
        types: ["pressure"],
      },
      {
        id: "flow",
        kind: "line",
        title: word("flow"),
        at: { x: 6, y: 9, w: 6, h: 5 },
        of: { variable: "site" },
        types: ["flow"],
      },
    ],
  }),
  computer: () => ({
    schema: 1,
    description: templateWords("computer"),
    range: "1h",
    refreshSeconds: 5,
    variables: [{ name: "host", kind: "device", label: word("host"), default: ["host"] }],
    panels: [
      {
        id: "cpu",
        kind: "gauge",
        title: word("cpu"),
        at: { x: 0, y: 0, w: 3, h: 4 },
        of: { variable: "host" },
        types: ["cpu"],
        show: "last",
        min: 0,
        max: 100,
        decimals: 0,
        thresholds: [
          { at: 0, level: "good", label: "" },
          { at: 70, level: "warning", label: "" },
          { at: 90, level: "critical", label: "" },
        ],
      },
      {
        id: "memory",
        kind: "gauge",
        title: word("memory"),
        at: { x: 3, y: 0, w: 3, h: 4 },
        of: { variable: "host" },
        types: ["memory"],
        show: "last",
        min: 0,
        max: 100,
        decimals: 0,
      },
      {
        id: "course",
        kind: "line",
        title: word("load"),
        at: { x: 6, y: 0, w: 6, h: 6 },
        of: { variable: "host" },
        types: ["cpu", "memory"],
      },
      { id: "all", kind: "table", title: word("latest"), at: { x: 0, y: 4, w: 6, h: 6 }, of: { variable: "host" } },
      {
        id: "network",
        kind: "line",
        title: word("network"),
        at: { x: 6, y: 6, w: 6, h: 5 },
        of: { variable: "host" },
        types: ["networkIn", "networkOut"],
      },
    ],
  }),
};
