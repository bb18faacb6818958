import { useSyncExternalStore } from "react";

/** Languages of the page, each by its own name. */
export const languages = { en: "English", de: "Deutsch" } as const;
export type Language = keyof typeof languages;

/** What a person has chosen about words and times; kept in the browser. */
export interface Locale {
  language: Language;
  /** IANA name; empty for the time zone of the browser. */
  timeZone: string;
}

const LANGUAGE = "tslice.language";
const TIME_ZONE = "tslice.timeZone";

let current: Locale = { language: storedLanguage(), timeZone: storedTimeZone() };
const listeners = new Set<() => void>();

export function locale(): Locale {
  return current;
}

/** The locale, with the component drawn anew when it changes. */
export function useLocale(): Locale {
  return useSyncExternalStore(subscribe, locale);
}

/** Called by `setLanguage` once the words are there; alone it would change the numbers and not the words. */
export function rememberLanguage(language: Language): void {
  change({ ...current, language }, LANGUAGE, language);
}

export function setTimeZone(timeZone: string): void {
  if (timeZone === "" || isTimeZone(timeZone)) change({ ...current, timeZone }, TIME_ZONE, timeZone);
}

/** The browser's own zone, once it was asked for: asking costs more than formatting a time. */
let own = "";

/** The time zone that times are shown in, as an IANA name. */
export function shownTimeZone(): string {
  own ||= Intl.DateTimeFormat().resolvedOptions().timeZone;
  return current.timeZone || own;
}

function change(next: Locale, key: string, value: string): void {
  current = next;
  try {
    window.localStorage.setItem(key, value);
  } catch {
    // Storage is refused: the choice lasts until the page is left.
  }
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function stored(key: string): string | null {
  try {
    return globalThis.localStorage?.getItem(key) ?? null;
  } catch {
    return null;
  }
}

function storedLanguage(): Language {
  const wanted = [stored(LANGUAGE), ...(globalThis.navigator?.languages ?? [])];
  const known = wanted.map((tag) => tag?.slice(0, 2).toLowerCase()).find((tag) => tag && tag in languages);
  return (known as Language | undefined) ?? "en";
}

function storedTimeZone(): string {
  const zone = stored(TIME_ZONE);
  return zone && isTimeZone(zone) ? zone : "";
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
