import { text } from "../texts";

/** What keeps a new password from being sent, by field; empty when nothing does. */
export function checkNewPassword(form: { password: string; repeat: string }): { password?: string; repeat?: string } {
  const faults: { password?: string; repeat?: string } = {};
  if (form.password.length < 12) faults.password = text("ui:password.tooShort");
  if (form.repeat !== form.password) faults.repeat = text("ui:password.differ");
  return faults;
}
