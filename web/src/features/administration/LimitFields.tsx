import { TextInput } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { type LimitName, type LimitTexts, limitNames } from "./terms";

interface LimitFieldsProps {
  texts: LimitTexts;
  faults: LimitName[];
  onChange(texts: LimitTexts): void;
}

/** A tenant's own limits per second. */
export function LimitFields({ texts, faults, onChange }: LimitFieldsProps) {
  const { t } = useTranslation("administration");
  return limitNames.map((name) => (
    <TextInput
      key={name}
      label={t(`limits.${name}`)}
      inputMode="numeric"
      placeholder={t("limits.installation")}
      value={texts[name]}
      onChange={(event) => onChange({ ...texts, [name]: event.currentTarget.value })}
      error={faults.includes(name) && t("limits.number")}
    />
  ));
}
