import { Checkbox, NumberInput, Textarea, TextInput } from "@mantine/core";
import { useMemo } from "react";
import { useTranslation } from "react-i18next";
import { useChoices, usePanels, type Values } from "../../api/dashboards";
import type { DashboardVariable, Panel } from "../../api/dashboardTypes";
import { Select } from "../../ui/Select";
import { asKind } from "./draft";
import { SelectionFields } from "./SelectionFields";
import { ThresholdFields } from "./ThresholdFields";

const CHARTED: Panel["kind"][] = ["line", "stat", "gauge", "bar"];
const SHOWS = ["last", "avg", "min", "max", "count"] as const;
const SEE_ALL: DashboardVariable[] = [
  { name: "device", kind: "device" },
  { name: "location", kind: "location" },
];

interface PanelFieldsProps {
  panel: Panel;
  variables: DashboardVariable[];
  values: Values;
  onChange(panel: Panel): void;
}

export function PanelFields({ panel, variables, values, onChange }: PanelFieldsProps) {
  const { t } = useTranslation("dashboards");
  const choices = useChoices(SEE_ALL);
  const set = (part: Partial<Panel>) => onChange({ ...panel, ...part });
  // What the chosen devices measure: asked as a table of them.
  const probe: Panel = { id: "probe", kind: "table", at: { x: 0, y: 0, w: 1, h: 1 }, of: panel.of ?? {} };
  const measured = usePanels({ panels: [probe], variables, values, range: "24h" }, 0, panel.kind !== "text");
  const types = useMemo(
    () => [...new Set((measured.data?.panels[0]?.latest ?? []).map((latest) => latest.type))].sort(),
    [measured.data],
  );
  const chosen = panel.types ?? [];
  return (
    <>
      <div className="fields">
        <TextInput
          label={t("edit.title")}
          value={panel.title ?? ""}
          maxLength={200}
          onChange={(event) => set({ title: event.currentTarget.value })}
        />
        {CHARTED.includes(panel.kind) && (
          <Select
            label={t("edit.kind")}
            value={panel.kind}
            options={CHARTED.map((kind) => ({ value: kind, label: t(`kind.${kind}`) }))}
            onChange={(kind) => onChange(asKind(panel, kind, chosen[0] ?? ""))}
          />
        )}
      </div>
      {panel.kind === "text" && (
        <Textarea
          label={t("edit.text")}
          description={t("edit.textHint")}
          rows={8}
          maxLength={10_000}
          value={panel.text ?? ""}
          onChange={(event) => set({ text: event.currentTarget.value })}
        />
      )}
      {panel.kind !== "text" && (
        <SelectionFields
          of={panel.of ?? {}}
          variables={variables}
          devices={choices.data?.choices.device ?? []}
          locations={(choices.data?.choices.location ?? []).map((each) => each.value)}
          onChange={(of) => set({ of })}
        />
      )}
      {(CHARTED.includes(panel.kind) || panel.kind === "table") && (
        <fieldset className="choices">
          <legend>{t("edit.types")}</legend>
          {[...new Set([...types, ...chosen])].map((type) => (
            <Checkbox
              key={type}
              label={type}
              checked={chosen.includes(type)}
              disabled={!chosen.includes(type) && chosen.length >= 5}
              onChange={(event) =>
                set({ types: event.currentTarget.checked ? [...chosen, type] : chosen.filter((each) => each !== type) })
              }
            />
          ))}
          {measured.data && types.length === 0 && <p className="muted small">{t("edit.noTypes")}</p>}
          {panel.kind === "table" && <p className="muted small">{t("edit.allTypes")}</p>}
          {CHARTED.includes(panel.kind) && chosen.length === 0 && (
            <p className="fault" role="alert">
              {t("edit.needsType")}
            </p>
          )}
        </fieldset>
      )}
      <div className="fields">
        {(["stat", "gauge", "bar"] as Panel["kind"][]).includes(panel.kind) && (
          <Select
            label={t("edit.show")}
            value={panel.show ?? "last"}
            options={SHOWS.map((show) => ({ value: show, label: t(`show.${show}`) }))}
            onChange={(show) => set({ show })}
          />
        )}
        {panel.kind === "bar" && (
          <Select
            label={t("edit.per")}
            value={panel.per ?? "device"}
            options={(["device", "time"] as const).map((per) => ({ value: per, label: t(`per.${per}`) }))}
            onChange={(per) => set({ per })}
          />
        )}
        {panel.kind === "gauge" && (
          <>
            <NumberInput
              label={t("edit.min")}
              value={panel.min ?? 0}
              hideControls
              onChange={(min) => set({ min: Number(min) })}
            />
            <NumberInput
              label={t("edit.max")}
              value={panel.max ?? 100}
              hideControls
              error={(panel.min ?? 0) >= (panel.max ?? 100) ? t("edit.minMax") : undefined}
              onChange={(max) => set({ max: Number(max) })}
            />
          </>
        )}
        {(["stat", "gauge", "bar"] as Panel["kind"][]).includes(panel.kind) && (
          <Select
            label={t("edit.decimals")}
            value={panel.decimals === null || panel.decimals === undefined ? "" : String(panel.decimals)}
            options={["", "0", "1", "2", "3"].map((value) => ({ value, label: value || t("edit.decimalsAuto") }))}
            onChange={(value) => set({ decimals: value === "" ? null : Number(value) })}
          />
        )}
      </div>
      {panel.kind === "line" && (
        <Checkbox
          label={t("edit.band")}
          checked={panel.band !== false}
          onChange={(event) => set({ band: event.currentTarget.checked })}
        />
      )}
      {panel.kind === "stat" && (
        <Checkbox
          label={t("edit.sparkline")}
          checked={panel.sparkline !== false}
          onChange={(event) => set({ sparkline: event.currentTarget.checked })}
        />
      )}
      {(panel.kind === "stat" || panel.kind === "gauge") && (
        <ThresholdFields thresholds={panel.thresholds ?? []} onChange={(thresholds) => set({ thresholds })} />
      )}
    </>
  );
}
