import { ActionIcon, Button, NumberInput, TextInput } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Threshold } from "../../api/dashboardTypes";
import { Select } from "../../ui/Select";
import { EditIcon } from "./EditIcon";

const LEVELS: Threshold["level"][] = ["good", "notice", "warning", "critical"];

/** From which value on there is which level. */
export function ThresholdFields({
  thresholds,
  onChange,
}: {
  thresholds: Threshold[];
  onChange(thresholds: Threshold[]): void;
}) {
  const { t } = useTranslation("dashboards");
  const set = (index: number, part: Partial<Threshold>) =>
    onChange(thresholds.map((each, place) => (place === index ? { ...each, ...part } : each)));
  return (
    <fieldset className="choices thresholds">
      <legend>{t("edit.thresholds")}</legend>
      {thresholds.map((threshold, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: rows are known by their place alone
        <div key={index} className="threshold">
          <NumberInput
            label={t("edit.from")}
            value={threshold.at}
            hideControls
            onChange={(at) => set(index, { at: Number(at) })}
          />
          <Select
            label={t("edit.level")}
            value={threshold.level}
            options={LEVELS.map((level) => ({ value: level, label: t(`level.${level}`) }))}
            onChange={(level) => set(index, { level })}
          />
          <TextInput
            label={t("edit.levelWord")}
            value={threshold.label ?? ""}
            maxLength={40}
            onChange={(event) => set(index, { label: event.currentTarget.value })}
          />
          <ActionIcon
            variant="default"
            size={36}
            aria-label={t("edit.removeThreshold", { number: index + 1 })}
            onClick={() => onChange(thresholds.filter((_, place) => place !== index))}
          >
            <EditIcon name="bin" />
          </ActionIcon>
        </div>
      ))}
      {thresholds.length < 8 && (
        <Button
          size="xs"
          variant="default"
          onClick={() =>
            onChange([...thresholds, { at: (thresholds.at(-1)?.at ?? 0) + 10, level: "warning", label: "" }])
          }
        >
          {t("edit.addThreshold")}
        </Button>
      )}
    </fieldset>
  );
}
