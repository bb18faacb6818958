import type { Me } from "../api/types";
import type { IconName } from "../ui/Icon";

type Role = NonNullable<Me["role"]>;

interface Place {
  path: string;
  /** Its name and its short name are in the catalogue under this key; it is its icon's, too. */
  name: "devices" | "dashboards" | "books" | "deadLetters" | "administration" | "audit";
  /** Who may go there; everybody if absent. */
  roles?: readonly Role[];
}

const places: readonly Place[] = [
  { path: "/devices", name: "devices" },
  { path: "/books", name: "books" },
  { path: "/dead-letters", name: "deadLetters" },
  { path: "/audit", name: "audit", roles: ["owner", "admin"] },
];

/** Where a person can go: not to what would be refused. */
export function placesOf(me: Me): (Place & { icon: IconName })[] {
  return places
    .filter(({ roles }) => !roles || (me.role && roles.includes(me.role)))
    .map((place) => ({ ...place, icon: place.name }));
}

/** Whether an address is at a place, or below it. */
export function isAt(path: string, place: string): boolean {
  return path === place || path.startsWith(`${place}/`);
}
