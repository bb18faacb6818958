import { ApiError, messageOf } from "../../api/errors";

/** Why a proof was not taken. Who is signed in and told 401 has given a wrong password, or a wrong code beside it. */
export function refusalOf(error: unknown, withCode = false): string {
  if (error instanceof ApiError && error.status === 401)
    return withCode ? "Password or code is not right." : "The current password is not right.";
  if (error instanceof ApiError && error.status === 429) return "Too many attempts. Wait some minutes, then try again.";
  return messageOf(error);
}
