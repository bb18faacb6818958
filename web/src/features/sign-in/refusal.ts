const words: Record<string, string> = {
  denied: "You have not signed in there.",
  expired: "That took too long, or was begun in another window. Try again.",
  no_role: "You are known there, but have no role here. Ask your administrator.",
  too_many: "Too many attempts. Wait a minute, then try again.",
  unavailable: "The provider does not answer. Try again later.",
  untrusted: "The provider's answer cannot be trusted. Tell your administrator.",
};

/** Why a provider's sign-in came to nothing, as the server says in the address of the sign-in page. */
export function explainRefusal(search: string): string | undefined {
  const refused = new URLSearchParams(search).get("refused");
  if (refused === null) return undefined;
  return Object.hasOwn(words, refused) ? words[refused] : "Signing in has failed.";
}
