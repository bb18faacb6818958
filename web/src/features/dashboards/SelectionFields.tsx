import { Checkbox, TextInput } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Choice, DashboardVariable, PanelSelection } from "../../api/dashboardTypes";
import { Select } from "../../ui/Select";

/** So many devices are offered at once; further ones are found by typing. */
const OFFERED = 12;
const MOST = 50;

interface SelectionFieldsProps {
  of: PanelSelection;
  variables: DashboardVariable[];
  devices: Choice[];
  locations: string[];
  onChange(of: PanelSelection): void;
}

type Way = "all" | "ids" | "filter" | `variable ${string}`;

function wayOf(of: PanelSelection): Way {
  if (of.variable) return `variable ${of.variable}`;
  if ((of.deviceIds ?? []).length > 0) return "ids";
  return of.location || of.tag ? "filter" : "all";
}

/** Which devices a panel is about. */
export function SelectionFields({ of, variables, devices, locations, onChange }: SelectionFieldsProps) {
  const { t } = useTranslation("dashboards");
  // A way of choosing is kept while nothing is chosen by it yet.
  const [way, setWay] = useState<Way>(wayOf(of));
  const options: { value: Way; label: string }[] = [
    { value: "all", label: t("of.all") },
    ...variables.map(({ name, label }) => ({
      value: `variable ${name}` as Way,
      label: t("of.variable", { name: label || name }),
    })),
    { value: "ids", label: t("of.ids") },
    { value: "filter", label: t("of.filter") },
  ];
  return (
    <fieldset className="choices">
      <legend>{t("of.title")}</legend>
      <Select<Way>
        label={t("of.way")}
        value={way}
        options={options}
        onChange={(next) => {
          setWay(next);
          onChange(next.startsWith("variable ") ? { variable: next.slice(9) } : {});
        }}
      />
      {way === "ids" && (
        <Devices chosen={of.deviceIds ?? []} devices={devices} onChange={(deviceIds) => onChange({ deviceIds })} />
      )}
      {way === "filter" && (
        <div className="fields">
          <Select
            label={t("of.location")}
            value={of.location ?? ""}
            options={[{ value: "", label: t("of.anywhere") }, ...locations.map((value) => ({ value, label: value }))]}
            onChange={(location) => onChange({ ...of, location: location || null })}
          />
          <TextInput
            label={t("of.tag")}
            placeholder="type:boiler"
            maxLength={64}
            value={of.tag ?? ""}
            onChange={(event) => onChange({ ...of, tag: event.currentTarget.value || null })}
          />
        </div>
      )}
    </fieldset>
  );
}

function Devices({
  chosen,
  devices,
  onChange,
}: {
  chosen: string[];
  devices: Choice[];
  onChange(chosen: string[]): void;
}) {
  const { t } = useTranslation("dashboards");
  const [sought, setSought] = useState("");
  const wanted = sought.toLowerCase();
  const found = devices.filter(({ value, label }) => `${value} ${label}`.toLowerCase().includes(wanted));
  const shown = [
    ...chosen.map((value) => devices.find((each) => each.value === value) ?? { value, label: value }),
    ...found.filter(({ value }) => !chosen.includes(value)).slice(0, OFFERED),
  ];
  return (
    <>
      {devices.length > OFFERED && (
        <TextInput
          type="search"
          label={t("of.search")}
          value={sought}
          onChange={(event) => setSought(event.currentTarget.value)}
        />
      )}
      {shown.map(({ value, label }) => (
        <Checkbox
          key={value}
          label={label === value ? value : `${label} (${value})`}
          checked={chosen.includes(value)}
          disabled={!chosen.includes(value) && chosen.length >= MOST}
          onChange={(event) =>
            onChange(event.currentTarget.checked ? [...chosen, value] : chosen.filter((each) => each !== value))
          }
        />
      ))}
    </>
  );
}
