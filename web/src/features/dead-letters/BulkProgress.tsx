import { Button } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { messageOf } from "../../api/errors";
import { Failure } from "../../ui/Failure";
import { formatCount } from "../../ui/format";
import { tallyText } from "./letters";
import type { Bulk } from "./useBulk";

interface BulkProgressProps {
  bulk: Bulk;
  onStop(): void;
  onResume(): void;
  onClose(): void;
}

/** How far bulk work is, and what it came to. */
export function BulkProgress({ bulk, onStop, onResume, onClose }: BulkProgressProps) {
  const { t } = useTranslation("deadLetters");
  const { kind, state, tally, total } = bulk;
  const works = state === "running" || state === "stopping";
  const done = formatCount(tally.done);
  return (
    <section className="card panel letters-bulk" aria-label={t(`bulk.${kind}`)}>
      <div className="panel-head">
        <h2 className="panel-title">{t(`bulk.${kind}`)}</h2>
        <div className="letters-actions">
          {works && (
            <Button size="xs" variant="default" onClick={onStop} disabled={state === "stopping"}>
              {t("bulk.stop")}
            </Button>
          )}
          {(state === "stopped" || state === "failed") && (
            <Button size="xs" onClick={onResume}>
              {t("bulk.resume")}
            </Button>
          )}
          {!works && (
            <Button size="xs" variant="default" onClick={onClose}>
              {t("bulk.close")}
            </Button>
          )}
        </div>
      </div>
      <progress
        className="meter"
        aria-label={t("bulk.progress")}
        {...(works && total === null
          ? {}
          : { value: state === "done" ? 1 : tally.done, max: state === "done" ? 1 : total || 1 })}
      />
      {state === "failed" && <Failure title={t("bulk.failed")} message={messageOf(bulk.error)} />}
      <p role="status" data-testid="bulk-status" data-state={state}>
        <b>
          {total === null
            ? t(`bulk.state.${state}`, { done })
            : t(`bulk.stateOf.${state}`, { done, total: formatCount(total) })}
        </b>{" "}
        {tally.done > 0 && tallyText(kind, tally)}
      </p>
    </section>
  );
}
