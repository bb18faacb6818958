import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { Values } from "../api/dashboards";
import type { Choice, DashboardVariable, Range, RefreshSeconds } from "../api/dashboardTypes";
import { Select } from "../ui/Select";
import { RANGES, REFRESHES, type View } from "./address";
import { rangeWord, refreshWord } from "./words";

interface ViewBarProps {
  view: View;
  variables: DashboardVariable[];
  choices: Record<string, Choice[]>;
  onChange(view: View): void;
  children?: ReactNode;
}

/** What is chosen at the top of a dashboard: its variables, the range of time, how often it is read anew. */
export function ViewBar({ view, variables, choices, onChange, children }: ViewBarProps) {
  const { t } = useTranslation("dashboards");
  const set = (values: Values) => onChange({ ...view, values });
  return (
    <div className="view-bar">
      {variables.map((variable) => {
        const offered = choices[variable.name];
        // A link shows what it may not change by its default alone.
        if (!offered) return null;
        const chosen = view.values[variable.name]?.[0] ?? "";
        const otherwise = (variable.default ?? []).map(
          (value) => offered.find((choice) => choice.value === value)?.label ?? value,
        );
        return (
          <Select
            key={variable.name}
            label={variable.label || variable.name}
            value={chosen}
            options={[
              { value: "", label: otherwise.length > 0 ? otherwise.join(", ") : t("view.all") },
              ...offered.filter(({ value }) => !(otherwise.length === 1 && value === variable.default?.[0])),
              ...(chosen && !offered.some(({ value }) => value === chosen) ? [{ value: chosen, label: chosen }] : []),
            ]}
            onChange={(value) => {
              const { [variable.name]: _, ...others } = view.values;
              set(value ? { ...others, [variable.name]: [value] } : others);
            }}
          />
        );
      })}
      <Select<Range>
        label={t("view.range")}
        value={view.range}
        options={RANGES.map((value) => ({ value, label: rangeWord(value) }))}
        onChange={(range) => onChange({ ...view, range })}
      />
      <Select
        label={t("view.refresh")}
        value={String(view.refresh)}
        options={REFRESHES.map((value) => ({ value: String(value), label: refreshWord(value) }))}
        onChange={(value) => onChange({ ...view, refresh: Number(value) as RefreshSeconds })}
      />
      {children}
    </div>
  );
}
