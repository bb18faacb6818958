/**
 * The words of the page, by language and feature: `const { t } = useTranslation("fleet")`, outside of components
 * `text("fleet:title")`. English is the catalogue that the others are measured by (texts.test.ts).
 */

import i18next from "i18next";
import { initReactI18next } from "react-i18next";
import english from "./en";
import { type Language, locale, rememberLanguage } from "./locale";

declare module "i18next" {
  interface CustomTypeOptions {
    defaultNS: "common";
    resources: typeof english;
    returnNull: false;
  }
}

type Catalogue = Record<keyof typeof english, object>;

const others: Record<Exclude<Language, "en">, () => Promise<Catalogue>> = {
  de: async () => (await import("./de")).default,
};

void i18next.use(initReactI18next).init({
  lng: "en",
  fallbackLng: "en",
  defaultNS: "common",
  resources: { en: english },
  interpolation: { escapeValue: false },
  initAsync: false,
});

/** The page in a language, from now on. Rejects when its catalogue cannot be loaded. */
export async function setLanguage(language: Language): Promise<void> {
  if (language !== "en" && !i18next.hasResourceBundle(language, "common")) {
    for (const [namespace, words] of Object.entries(await others[language]())) {
      i18next.addResourceBundle(language, namespace, words);
    }
  }
  await i18next.changeLanguage(language);
  document.documentElement.lang = language;
  rememberLanguage(language);
}

/** Loads the words of the chosen language; English stays where they cannot be had. */
export async function startTexts(): Promise<void> {
  const { language } = locale();
  if (language === "en") return;
  try {
    await setLanguage(language);
  } catch {
    rememberLanguage("en");
  }
}

export const text = i18next.t;
