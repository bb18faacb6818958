import { Button, Group, SegmentedControl, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { edgesOf, type Span } from "../../api/span";
import { shownTimeZone } from "../../texts/locale";
import { fromInputTime, toInputTime } from "../../ui/format";
import { nameOf, presets } from "./range";

export function RangePicker({ span, onChange }: { span: Span; onChange(span: Span): void }) {
  const { t } = useTranslation("device");
  const [editing, setEditing] = useState(false);
  const custom = editing || span.kind === "fixed";
  const options = [
    ...presets.map(({ name }) => ({ value: name as string, label: t(`range.${name}`) })),
    { value: "custom", label: t("range.custom") },
  ];

  const choose = (value: string) => {
    const preset = presets.find(({ name }) => name === value);
    setEditing(!preset);
    if (preset) onChange({ kind: "rolling", seconds: preset.seconds });
  };

  return (
    <div className="range">
      <SegmentedControl
        data={options}
        value={custom ? "custom" : nameOf(span)}
        onChange={choose}
        size="xs"
        aria-label={t("range.label")}
        className="range-presets"
      />
      {custom && <CustomRange key={`${JSON.stringify(span)} ${shownTimeZone()}`} span={span} onChange={onChange} />}
    </div>
  );
}

function CustomRange({ span, onChange }: { span: Span; onChange(span: Span): void }) {
  const { t } = useTranslation("device");
  const [edges] = useState(() => edgesOf(span, Date.now()));
  const [from, setFrom] = useState(toInputTime(edges.from));
  const [to, setTo] = useState(toInputTime(edges.to));
  const [fault, setFault] = useState<"range.bothTimes" | "range.order" | null>(null);

  const submit = (event: FormEvent) => {
    event.preventDefault();
    const start = fromInputTime(from);
    const end = fromInputTime(to);
    if (start === null || end === null) return setFault("range.bothTimes");
    if (start >= end) return setFault("range.order");
    setFault(null);
    onChange({ kind: "fixed", from: start, to: end });
  };

  return (
    <form onSubmit={submit} noValidate>
      <Group gap="xs" align="end">
        <TextInput
          label={t("range.from")}
          type="datetime-local"
          size="xs"
          value={from}
          onChange={(event) => setFrom(event.currentTarget.value)}
        />
        <TextInput
          label={t("range.to")}
          type="datetime-local"
          size="xs"
          value={to}
          onChange={(event) => setTo(event.currentTarget.value)}
        />
        <Button type="submit" size="xs" variant="default">
          {t("range.show")}
        </Button>
      </Group>
      {fault && (
        <p className="fault" role="alert">
          {t(fault)}
        </p>
      )}
    </form>
  );
}
