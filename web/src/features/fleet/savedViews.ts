/** A named address of the fleet page, kept in this browser. */
export interface SavedView {
  name: string;
  search: string;
}

const MOST = 50;

/** The views of one person in one tenant. */
export function storageKey(person: string, tenant: string): string {
  return `tslice.views.${tenant}.${person}`;
}

export function readViews(key: string, storage: Storage | undefined = globalThis.localStorage): SavedView[] {
  try {
    const kept: unknown = JSON.parse(storage?.getItem(key) ?? "[]");
    return Array.isArray(kept) ? kept.filter(isView).slice(0, MOST) : [];
  } catch {
    // Storage is refused, or somebody else wrote there.
    return [];
  }
}

/** False when the browser does not keep them. */
export function writeViews(key: string, views: SavedView[], storage: Storage | undefined = globalThis.localStorage) {
  try {
    storage?.setItem(key, JSON.stringify(views.slice(0, MOST)));
    return storage !== undefined;
  } catch {
    return false;
  }
}

/** With the view added; one of the same name is replaced where it stands. */
export function withView(views: SavedView[], view: SavedView): SavedView[] {
  const at = views.findIndex(({ name }) => name === view.name);
  return at < 0 ? [...views, view] : views.with(at, view);
}

/** With the view called otherwise; another of that name gives way. */
export function renamed(views: SavedView[], name: string, next: string): SavedView[] {
  return views
    .filter((view) => view.name === name || view.name !== next)
    .map((view) => (view.name === name ? { ...view, name: next } : view));
}

function isView(value: unknown): value is SavedView {
  const view = value as Partial<SavedView> | null;
  return typeof view?.name === "string" && view.name !== "" && typeof view.search === "string";
}
