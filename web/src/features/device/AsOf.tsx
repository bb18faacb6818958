import { Alert, Button } from "@mantine/core";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { formatTime, fromInputTime, toInputTime } from "../../ui/format";
import { Icon } from "../../ui/Icon";

/** Steps of the slider over the range. */
const STEPS = 400;
/** Milliseconds a slider rests before its place is asked for. */
const REST_MS = 250;

/** Says that the page shows what was known then, and the way back. */
export function AsOfBanner({ asOf, onPresent }: { asOf: number; onPresent(): void }) {
  const { t } = useTranslation("device");
  return (
    <Alert
      color="yellow"
      variant="light"
      className="past"
      icon={<Icon name="clock" size={18} />}
      title={t("past.title", { time: formatTime(asOf) })}
      data-testid="past"
    >
      <p>{t("past.text")}</p>
      <Button size="xs" variant="default" mt="xs" onClick={onPresent}>
        {t("past.present")}
      </Button>
    </Alert>
  );
}

interface AsOfChoiceProps {
  asOf: number | null;
  /** The range that is shown, epoch ms. */
  edges: { from: number; to: number };
  onChange(asOf: number | null): void;
}

/** «What did we know at …»: a slider from the start of the range until now, and the exact time. */
export function AsOfChoice({ asOf, edges, onChange }: AsOfChoiceProps) {
  const { t } = useTranslation("device");
  // The ends stay while the slider is moved: under the fingers a rolling range would run away.
  const [ends] = useState(() => ({ from: edges.from, to: Date.now() }));
  const [place, setPlace] = useState(asOf ?? ends.to);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);
  useEffect(() => {
    setPlace(asOf ?? ends.to);
  }, [asOf, ends.to]);

  const low = Math.min(ends.from, place);
  const step = Math.max(1_000, Math.round((ends.to - low) / STEPS / 1_000) * 1_000);
  const move = (moment: number) => {
    setPlace(moment);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => onChange(moment >= ends.to - step ? null : moment), REST_MS);
  };
  return (
    <div className="as-of">
      <label className="as-of-slider">
        <span>{t("past.slider")}</span>
        <input
          type="range"
          min={low}
          max={ends.to}
          step={step}
          value={place}
          aria-valuetext={formatTime(place)}
          onChange={(event) => move(event.currentTarget.valueAsNumber)}
        />
      </label>
      <input
        type="datetime-local"
        className="as-of-time"
        aria-label={t("past.exact")}
        value={toInputTime(place)}
        max={toInputTime(ends.to)}
        onChange={(event) => {
          const moment = fromInputTime(event.currentTarget.value);
          if (moment !== null) move(Math.min(moment, ends.to));
        }}
      />
    </div>
  );
}
