import { Button, Group, SegmentedControl, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { edgesOf, type Span } from "../../api/span";
import { fromInputTime, toInputTime } from "../../ui/format";
import { nameOf, presets } from "./range";

export function RangePicker({ span, onChange }: { span: Span; onChange(span: Span): void }) {
  const [editing, setEditing] = useState(false);
  const custom = editing || span.kind === "fixed";
  const options = [
    ...presets.map(({ name }) => ({ value: name as string, label: name as string })),
    { value: "custom", label: "Custom" },
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
        aria-label="Time range"
        className="range-presets"
      />
      {custom && <CustomRange key={JSON.stringify(span)} span={span} onChange={onChange} />}
    </div>
  );
}

function CustomRange({ span, onChange }: { span: Span; onChange(span: Span): void }) {
  const [edges] = useState(() => edgesOf(span, Date.now()));
  const [from, setFrom] = useState(toInputTime(edges.from));
  const [to, setTo] = useState(toInputTime(edges.to));
  const [fault, setFault] = useState("");

  const submit = (event: FormEvent) => {
    event.preventDefault();
    const start = fromInputTime(from);
    const end = fromInputTime(to);
    if (start === null || end === null) return setFault("Enter both times");
    if (start >= end) return setFault("The start must be before the end");
    setFault("");
    onChange({ kind: "fixed", from: start, to: end });
  };

  return (
    <form onSubmit={submit} noValidate>
      <Group gap="xs" align="end">
        <TextInput
          label="From"
          type="datetime-local"
          size="xs"
          value={from}
          onChange={(event) => setFrom(event.currentTarget.value)}
        />
        <TextInput
          label="To"
          type="datetime-local"
          size="xs"
          value={to}
          onChange={(event) => setTo(event.currentTarget.value)}
        />
        <Button type="submit" size="xs" variant="default">
          Show
        </Button>
      </Group>
      {fault && (
        <p className="fault" role="alert">
          {fault}
        </p>
      )}
    </form>
  );
}
