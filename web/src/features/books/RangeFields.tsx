import { Button, SegmentedControl, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Stretch } from "../../api/books";
import { fromInputTime, toInputTime } from "../../ui/format";
import { isStretchName, LONGEST_DAYS, type StretchName, stretches } from "./history";

export type Choice = StretchName | Stretch;

interface RangeFieldsProps {
  choice: Choice;
  shown: Stretch;
  onChange(choice: Choice): void;
}

/** The stretch of time that is looked at: until now, or between two moments. */
export function RangeFields({ choice, shown, onChange }: RangeFieldsProps) {
  const { t } = useTranslation("books");
  const [own, setOwn] = useState<{ from: string; to: string } | null>(null);
  const [fault, setFault] = useState("");
  const name = own || typeof choice !== "string" ? "own" : choice;
  const edges = own ?? { from: toInputTime(shown.from), to: toInputTime(shown.to) };

  const choose = (value: string) => {
    setFault("");
    if (isStretchName(value)) {
      setOwn(null);
      onChange(value);
    } else setOwn({ from: toInputTime(shown.from), to: toInputTime(shown.to) });
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const [from, to] = [fromInputTime(edges.from), fromInputTime(edges.to)];
    if (from === null || to === null || from >= to) return setFault(t("range.order"));
    if (to - from > LONGEST_DAYS * 86_400_000) return setFault(t("range.tooLong", { days: LONGEST_DAYS }));
    setFault("");
    setOwn(null);
    onChange({ from, to });
  };

  return (
    <div className="range">
      <SegmentedControl
        value={name}
        onChange={choose}
        data={[...Object.keys(stretches), "own"].map((value) => ({
          value,
          label: t(`range.${value as StretchName | "own"}`),
        }))}
        size="xs"
        className="range-presets"
        aria-label={t("range.label")}
      />
      {name === "own" && (
        <form onSubmit={submit} className="books-own" noValidate>
          <TextInput
            type="datetime-local"
            size="xs"
            label={t("range.from")}
            value={edges.from}
            onChange={(event) => setOwn({ ...edges, from: event.currentTarget.value })}
          />
          <TextInput
            type="datetime-local"
            size="xs"
            label={t("range.to")}
            value={edges.to}
            onChange={(event) => setOwn({ ...edges, to: event.currentTarget.value })}
          />
          <Button type="submit" size="xs">
            {t("range.show")}
          </Button>
          {fault && (
            <p className="fault" role="alert">
              {fault}
            </p>
          )}
        </form>
      )}
    </div>
  );
}
