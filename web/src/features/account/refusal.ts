import { ApiError, messageOf } from "../../api/errors";
import { text } from "../../texts";

/** Why a proof was not taken. Who is signed in and told 401 has given a wrong password, or a wrong code beside it. */
export function refusalOf(error: unknown, withCode = false): string {
  if (error instanceof ApiError && error.status === 401)
    return text(withCode ? "account:refusal.passwordOrCode" : "account:refusal.password");
  if (error instanceof ApiError && error.status === 429) return text("account:refusal.tooMany");
  return messageOf(error);
}
