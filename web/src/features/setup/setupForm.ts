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
  if (!form.tenantName.trim()) faults.tenantName = "Enter a name";
  if (!/^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/.test(form.tenantId.trim())) {
    faults.tenantId = "Use 1 to 64 lower-case letters, digits and hyphens";
  }
  if (!/^\S+@\S+$/.test(form.email.trim())) faults.email = "Enter an email address";
  if (form.password.length < 12) faults.password = "Use at least 12 characters";
  if (form.repeat !== form.password) faults.repeat = "The passwords differ";
  return faults;
}
