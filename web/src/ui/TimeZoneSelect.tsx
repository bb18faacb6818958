import { memo } from "react";
import { useTranslation } from "react-i18next";
import { setTimeZone, useLocale } from "../texts/locale";
import { Select } from "./Select";

/** The zone that all times of the page are shown in; kept in the browser. */
export const TimeZoneSelect = memo(function TimeZoneSelect() {
  const { t } = useTranslation("common");
  const { timeZone } = useLocale();
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const names = new Set(["UTC", ...Intl.supportedValuesOf("timeZone")]);
  if (timeZone) names.add(timeZone);
  return (
    <Select
      label={t("timeZone.label")}
      hideLabel
      value={timeZone}
      options={[
        { value: "", label: t("timeZone.own", { zone: own }) },
        ...[...names].map((name) => ({ value: name, label: name })),
      ]}
      onChange={setTimeZone}
      size="xs"
      className="time-zone"
    />
  );
});
