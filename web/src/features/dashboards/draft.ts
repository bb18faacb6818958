/** A dashboard that is being changed: every change can be taken back, and done again. */

import type { DashboardDocument, NewDashboard, Panel, Role, WholeDashboard } from "../../api/dashboardTypes";
import { freePlace, settled } from "../../panels/grid";

export interface Draft {
  name: string;
  visibleTo: Role;
  document: DashboardDocument;
}

export interface History {
  past: Draft[];
  now: Draft;
  future: Draft[];
  /** Changes of one thing, letter by letter, are one step. */
  subject: string | null;
}

export type Step =
  | { kind: "change"; draft: Draft; subject?: string }
  | { kind: "undo" | "redo" }
  | { kind: "begin"; draft: Draft };

const LONGEST = 100;

export const begun = (draft: Draft): History => ({ past: [], now: draft, future: [], subject: null });

export function stepped(history: History, step: Step): History {
  const { past, now, future, subject } = history;
  switch (step.kind) {
    case "begin":
      return begun(step.draft);
    case "change": {
      const goesOn = step.subject !== undefined && step.subject === subject;
      return {
        past: goesOn ? past : [...past, now].slice(-LONGEST),
        now: step.draft,
        future: [],
        subject: step.subject ?? null,
      };
    }
    case "undo": {
      const before = past[past.length - 1];
      return before ? { past: past.slice(0, -1), now: before, future: [now, ...future], subject: null } : history;
    }
    case "redo": {
      const [next, ...rest] = future;
      return next ? { past: [...past, now], now: next, future: rest, subject: null } : history;
    }
  }
}

export function draftOf({ name, visibleTo, document }: WholeDashboard): Draft {
  return { name, visibleTo, document };
}

export const panelsOf = (document: DashboardDocument): Panel[] => document.panels ?? [];

const withPanels = (draft: Draft, panels: Panel[]): Draft => ({
  ...draft,
  document: { ...draft.document, panels: settled(panels) },
});

/** An id that no panel has. */
export function newId(panels: readonly Panel[]): string {
  let number = panels.length + 1;
  while (panels.some((panel) => panel.id === `p${number}`)) number += 1;
  return `p${number}`;
}

const sizes: Record<Panel["kind"], [number, number]> = {
  line: [6, 6],
  stat: [3, 3],
  gauge: [3, 4],
  bar: [4, 5],
  table: [6, 5],
  locations: [4, 5],
  attention: [4, 5],
  text: [4, 3],
};

/** A new panel, complete enough to be shown, at the first place that is free. */
export function newPanel(kind: Panel["kind"], panels: readonly Panel[], type: string): Panel {
  const [w, h] = sizes[kind];
  const own: Partial<Panel> = {
    line: { types: [type], of: {} },
    stat: { types: [type], of: {}, show: "last" as const },
    gauge: { types: [type], of: {}, show: "last" as const, min: 0, max: 100 },
    bar: { types: [type], of: {}, show: "avg" as const, per: "device" as const },
    table: { of: {} },
    locations: { of: {} },
    attention: { of: {} },
    text: { text: "" },
  }[kind];
  return { id: newId(panels), kind, title: "", at: freePlace(panels, w, h), ...own };
}

/** A panel as another kind: what both know is kept. */
export function asKind(panel: Panel, kind: Panel["kind"], type: string): Panel {
  const fresh = newPanel(kind, [], type);
  const kept = Object.fromEntries(
    Object.keys(fresh)
      .filter((name) => ["of", "types", "show", "min", "max", "text"].includes(name))
      .map((name) => [name, panel[name as keyof Panel] ?? fresh[name as keyof Panel]]),
  );
  return { ...fresh, ...kept, id: panel.id, title: panel.title, at: panel.at };
}

export function withPanel(draft: Draft, panel: Panel): Draft {
  const panels = panelsOf(draft.document);
  const known = panels.some((each) => each.id === panel.id);
  return withPanels(draft, known ? panels.map((each) => (each.id === panel.id ? panel : each)) : [...panels, panel]);
}

export function withoutPanel(draft: Draft, id: string): Draft {
  return withPanels(
    draft,
    panelsOf(draft.document).filter((panel) => panel.id !== id),
  );
}

/** With a panel once more, beside or below. */
export function withTwin(draft: Draft, id: string): Draft {
  const panels = panelsOf(draft.document);
  const panel = panels.find((each) => each.id === id);
  if (!panel) return draft;
  return withPanels(draft, [...panels, { ...panel, id: newId(panels), at: freePlace(panels, panel.at.w, panel.at.h) }]);
}

/** Panels as they are sent: nothing that their kind does not know, and no empty lists of types. */
export function cleaned(draft: Draft): NewDashboard {
  const panels = panelsOf(draft.document).map((panel) => {
    const { types, thresholds, ...others } = panel;
    return {
      ...others,
      ...(types && types.length > 0 && { types }),
      ...(thresholds && thresholds.length > 0 && { thresholds }),
    };
  });
  return { name: draft.name, visibleTo: draft.visibleTo, document: { ...draft.document, panels } };
}

export const isSame = (one: Draft, other: Draft): boolean => JSON.stringify(one) === JSON.stringify(other);
