import { text } from "../../texts";
import { checkNewPassword } from "../../ui/newPassword";

export interface SetupForm {
  tenantName: string;
  tenantId: string;
  email: string;
  password: string;
  repeat: string;
}

/** An id made from a name: `Acme Corporation` becomes `acme-corporation`. */
export function suggestTenantId(name: string): string {
  return name
    .normalize("NFKD")
    .replace(/[\u0300-\u036f]/g, "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 64);
}

/** What keeps the form from being sent, by field; empty when nothing does. */
export function checkSetup(form: SetupForm): Partial<Record<keyof SetupForm, string>> {
  const faults: Partial<Record<keyof SetupForm, string>> = {};
  if (!form.tenantName.trim()) faults.tenantName = text("setup:fault.name");
  if (!/^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/.test(form.tenantId.trim())) {
    faults.tenantId = text("setup:fault.id");
  }
  if (!/^\S+@\S+$/.test(form.email.trim())) faults.email = text("setup:fault.email");
  return { ...faults, ...checkNewPassword(form) };
}
