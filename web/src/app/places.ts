import type { Me } from "../api/types";
import type { IconName } from "../ui/Icon";

interface Place {
  path: string;
  /** Its name and its short name are in the catalogue under this key; it is its icon's, too. */
  name: "devices" | "dashboards" | "books" | "deadLetters" | "administration";
}

const telemetry: readonly Place[] = [
  { path: "/devices", name: "devices" },
  { path: "/dashboards", name: "dashboards" },
  { path: "/books", name: "books" },
  { path: "/dead-letters", name: "deadLetters" },
];
const administration: Place = { path: "/administration", name: "administration" };

/** Where a person can go: not to what would be refused. */
export function placesOf(me: Me): (Place & { icon: IconName })[] {
  const places = me.tenant ? [...telemetry] : [];
  if (me.platformAdmin || (me.tenant && me.role !== "viewer")) places.push(administration);
  return places.map((place) => ({ ...place, icon: place.name }));
}

/** Whether an address is at a place, or below it. */
export function isAt(path: string, place: string): boolean {
  return path === place || path.startsWith(`${place}/`);
}
