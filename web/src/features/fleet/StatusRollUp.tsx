import { useTranslation } from "react-i18next";
import type { DeviceStatus, StatusCounts } from "../../api/types";
import { formatCount } from "../../ui/format";
import { statuses } from "./view";

/** Keeps the place of a count that is not there yet. */
const NO_COUNT = "\u00a0";

/** How many devices are in each status; a press shows those alone, another all again. */
export function StatusRollUp(props: {
  counts: StatusCounts | undefined;
  chosen: DeviceStatus[];
  onToggle(status: DeviceStatus): void;
}) {
  const { t } = useTranslation(["fleet", "ui"]);
  return (
    <fieldset className="roll-up">
      <legend className="roll-up-legend">{t("rollUp.title")}</legend>
      {statuses.map((status) => (
        <button
          key={status}
          type="button"
          className="roll-up-part card"
          data-status={status}
          data-testid={`roll-up-${status}`}
          data-count={props.counts?.[status]}
          aria-pressed={props.chosen.includes(status)}
          title={t(`ui:statusMeaning.${status}`)}
          onClick={() => props.onToggle(status)}
        >
          <span className="roll-up-count">{props.counts ? formatCount(props.counts[status]) : NO_COUNT}</span>
          <span className="status" data-status={status}>
            {t(`ui:status.${status}`)}
          </span>
        </button>
      ))}
    </fieldset>
  );
}

/** The same of one location, small. */
export function SmallRollUp({ counts }: { counts: StatusCounts }) {
  const { t } = useTranslation(["fleet", "ui"]);
  return (
    <span className="small-roll-up">
      {statuses
        .filter((status) => counts[status] > 0)
        .map((status) => (
          <span key={status} className="status" data-status={status} title={t(`ui:status.${status}`)}>
            {formatCount(counts[status])}
            <span className="visually-hidden"> {t(`ui:status.${status}`)}</span>
          </span>
        ))}
    </span>
  );
}
