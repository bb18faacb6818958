import { Button, TextInput } from "@mantine/core";
import { useDebouncedCallback } from "@mantine/hooks";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { LetterFilter } from "../../api/deadLetters";
import { formatCount, fromInputTime, toInputTime } from "../../ui/format";
import { Select } from "../../ui/Select";
import { reasons } from "./letters";

interface LetterFiltersProps {
  filter: LetterFilter;
  /** Dead events by reason, as the books count them. */
  counts: Record<string, number>;
  onChange(filter: LetterFilter): void;
}

const everything: LetterFilter = { reason: "", device: "", from: null, to: null };

/** Which letters are shown: by reason, device and received time. */
export function LetterFilters({ filter, counts, onChange }: LetterFiltersProps) {
  const { t } = useTranslation("deadLetters");
  const [device, setDevice] = useState(filter.device);
  const latest = useDebouncedCallback((typed: string) => onChange({ ...filter, device: typed.trim() }), 300);
  const names = [...new Set([...reasons, ...Object.keys(counts)])];
  const edge = (name: "from" | "to") => (
    <TextInput
      type="datetime-local"
      label={t(`filter.${name}`)}
      value={filter[name] === null ? "" : toInputTime(filter[name])}
      onChange={(event) => onChange({ ...filter, [name]: fromInputTime(event.currentTarget.value) })}
    />
  );
  const filtered = filter.reason || filter.device || filter.from !== null || filter.to !== null;
  return (
    <search className="filters letters-filters">
      <Select
        label={t("filter.reason")}
        value={filter.reason}
        options={[
          { value: "", label: t("filter.anyReason") },
          ...names.map((name) => ({
            value: name,
            label: counts[name] ? `${name} (${formatCount(counts[name])})` : name,
          })),
        ]}
        onChange={(reason) => onChange({ ...filter, reason })}
      />
      <TextInput
        label={t("filter.device")}
        placeholder="dev-001"
        value={device}
        onChange={(event) => {
          setDevice(event.currentTarget.value);
          latest(event.currentTarget.value);
        }}
        spellCheck={false}
      />
      {edge("from")}
      {edge("to")}
      {filtered && (
        <Button
          variant="default"
          onClick={() => {
            setDevice("");
            onChange(everything);
          }}
        >
          {t("filter.clear")}
        </Button>
      )}
    </search>
  );
}
