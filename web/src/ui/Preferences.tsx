import { type MantineColorScheme, useMantineColorScheme } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { setLanguage } from "../texts";
import { type Language, languages, useLocale } from "../texts/locale";
import { Select } from "./Select";

const colours: readonly MantineColorScheme[] = ["auto", "light", "dark"];

/** The language of the page and its colours, as this browser keeps them. */
export function Preferences() {
  const { t } = useTranslation("ui");
  const { language } = useLocale();
  // Keeping transitions: the kit would switch them off with a style element.
  const { colorScheme, setColorScheme } = useMantineColorScheme({ keepTransitions: true });
  return (
    <div className="preferences">
      <Select
        label={t("language")}
        value={language}
        options={Object.entries(languages).map(([value, label]) => ({ value: value as Language, label }))}
        onChange={(chosen) => void setLanguage(chosen)}
      />
      <Select
        label={t("colours")}
        value={colorScheme}
        options={colours.map((value) => ({ value, label: t(`colour.${value}`) }))}
        onChange={setColorScheme}
      />
    </div>
  );
}
