import { useTranslation } from "react-i18next";
import type { Status } from "../../api/types";
import { Failure } from "../../ui/Failure";
import { formatBytes } from "../../ui/format";
import { forecastOf } from "./forecast";

/** How full the disk is, and for how long it lasts. */
export function Storage({ storage }: { storage: NonNullable<Status["storage"]> }) {
  const { t } = useTranslation("books");
  const share = storage.dataBytes / Math.max(1, storage.dataBytes + storage.freeBytes);
  const figures = [
    ["data", storage.dataBytes],
    ["free", storage.freeBytes],
    ["growth", storage.bytesPerDay || null],
  ] as const;
  return (
    <section className="card panel" aria-label={t("storage.title")}>
      <h2 className="panel-title">{t("storage.title")}</h2>
      {storage.ingest === "refused" && (
        <Failure title={t("storage.refused")} message={storage.reason || t("storage.refusedReason")} />
      )}
      <dl className="ids">
        {figures.map(
          ([name, bytes]) =>
            bytes !== null && (
              <div key={name}>
                <dt>{t(`storage.${name}`)}</dt>
                <dd className="number">
                  <b>{formatBytes(bytes)}</b>
                </dd>
              </div>
            ),
        )}
      </dl>
      <progress
        className="meter"
        value={share}
        max={1}
        aria-label={t("storage.share", { percent: Math.round(share * 100) })}
      />
      <p className="muted small" data-testid="storage-forecast">
        {forecastOf(storage)}
      </p>
    </section>
  );
}
