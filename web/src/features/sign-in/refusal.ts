import { text } from "../../texts";

const known = ["denied", "expired", "no_role", "too_many", "unavailable", "untrusted"] as const;

/** Why a provider's sign-in came to nothing, as the server says in the address of the sign-in page. */
export function explainRefusal(search: string): string | undefined {
  const refused = new URLSearchParams(search).get("refused");
  if (refused === null) return undefined;
  return text(`signIn:refused.${known.find((reason) => reason === refused) ?? "other"}`);
}
