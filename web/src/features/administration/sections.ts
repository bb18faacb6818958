import type { Me } from "../../api/types";

/** Places of the administration, in the order of its navigation. */
const tenantSections = ["devices", "keys", "people", "settings", "audit"] as const;
export const platformSections = ["tenants", "installation-audit"] as const;
export type Section = (typeof tenantSections)[number] | (typeof platformSections)[number];

type Person = Pick<Me, "kind" | "role" | "platformAdmin"> & { tenant: Me["tenant"] };

/** Where a person may go: not to what would be refused. */
export function sectionsOf(me: Person): Section[] {
  const sections: Section[] = [];
  if (me.tenant && me.role && me.role !== "viewer") {
    sections.push(...(me.role === "operator" ? (["devices"] as const) : tenantSections));
  }
  if (me.platformAdmin) sections.push(...platformSections);
  return sections;
}

/** The section of an address; the first one for an address that names none, null for one that is not theirs. */
export function sectionOf(me: Person, name: string): Section | null {
  const sections = sectionsOf(me);
  if (name === "") return sections[0] ?? null;
  return sections.find((section) => section === name) ?? null;
}
