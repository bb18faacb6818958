import type { Me, Role } from "../../api/types";

/** Strongest first. */
export const roles: Role[] = ["owner", "admin", "operator", "viewer"];

/** Roles that a person may give and take: only owners make owners. */
export function offeredRoles(me: Pick<Me, "role" | "platformAdmin">): Role[] {
  return me.role === "owner" || me.platformAdmin ? roles : roles.filter((role) => role !== "owner");
}
