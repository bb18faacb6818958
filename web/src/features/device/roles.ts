import type { Me } from "../../api/types";

/** Who may change devices and see to their keys; the server decides, the page does not offer what it would refuse. */
export function mayOperate(me: Me | null | undefined): boolean {
  return me?.role === "owner" || me?.role === "admin" || me?.role === "operator";
}
