/**
 * What was typed into letters and is not saved yet, by letter; kept while the page is open, so that a closed letter, another
 * page in between or a list that is read again lose nothing. A full load of the page, as another person's sign-in, forgets it.
 */
const drafts = new Map<number, string>();

export function draftOf(letterId: number): string | undefined {
  return drafts.get(letterId);
}

/** Keeps what was typed; null when there is nothing to keep any more. */
export function keepDraft(letterId: number, text: string | null): void {
  if (text === null) drafts.delete(letterId);
  else drafts.set(letterId, text);
}
