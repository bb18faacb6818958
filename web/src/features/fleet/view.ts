import type { DeviceFilter, DeviceOrder, DeviceSort } from "../../api/fleet";
import type { DeviceStatus } from "../../api/types";

/** What the fleet page shows: the whole of it is in the address, so that an address is a view. */
export interface View extends DeviceFilter, DeviceOrder {
  grouped: boolean;
  /** Locations whose group is not as groups are by default. */
  flipped: string[];
}

export const sorts: DeviceSort[] = ["label", "deviceId", "location", "status", "lastSeen", "createdAt"];
export const statuses: DeviceStatus[] = ["online", "late", "silent", "new"];
/** Filters with several choices. */
export const choices = ["status", "location", "type", "tag"] as const;

/** The direction in which an order says the most at first. */
function naturalOrder(sort: DeviceSort): "asc" | "desc" {
  return sort === "lastSeen" || sort === "createdAt" ? "desc" : "asc";
}

export function viewOf(search: string): View {
  const params = new URLSearchParams(search);
  const wanted = params.get("sort") as DeviceSort | null;
  const sort = wanted && sorts.includes(wanted) ? wanted : "label";
  const order = params.get("order");
  const all = (name: string) => [...new Set(params.getAll(name))];
  return {
    q: params.get("q") ?? "",
    status: statuses.filter((status) => params.getAll("status").includes(status)),
    location: all("location"),
    type: all("type"),
    tag: all("tag"),
    sort,
    order: order === "asc" || order === "desc" ? order : naturalOrder(sort),
    grouped: params.get("group") === "location",
    flipped: all("flip"),
  };
}

/** The search part of the view's address, without what is so by default. */
export function searchOf(view: View): string {
  const params = new URLSearchParams();
  if (view.q) params.set("q", view.q);
  for (const choice of choices) for (const value of view[choice]) params.append(choice, value);
  if (view.sort !== "label") params.set("sort", view.sort);
  if (view.order !== naturalOrder(view.sort)) params.set("order", view.order);
  if (view.grouped) params.set("group", "location");
  if (view.grouped) for (const location of view.flipped) params.append("flip", location);
  return params.toString();
}

/** The same address whatever the order in which its parts were chosen. */
export function sameView(one: string, other: string): boolean {
  const sorted = (search: string) =>
    [...new URLSearchParams(searchOf({ ...viewOf(search), flipped: [] }))].map((pair) => pair.join("=")).sort();
  return JSON.stringify(sorted(one)) === JSON.stringify(sorted(other));
}

export function withSort(view: View, sort: DeviceSort): View {
  if (view.sort === sort) return { ...view, order: view.order === "asc" ? "desc" : "asc" };
  return { ...view, sort, order: naturalOrder(sort) };
}

/** The choice made, or taken back. */
export function toggled<Value extends string>(chosen: Value[], value: Value): Value[] {
  return chosen.includes(value) ? chosen.filter((other) => other !== value) : [...chosen, value];
}

export function isFiltered(view: View): boolean {
  return view.q !== "" || choices.some((choice) => view[choice].length > 0);
}

export function cleared(view: View): View {
  return { ...view, q: "", status: [], location: [], type: [], tag: [] };
}
