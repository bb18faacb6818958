import { Alert, Button } from "@mantine/core";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import type { ProvisionedRow } from "../../api/provisioning";
import { ConfirmDialog } from "../../ui/ConfirmDialog";
import { Copyable } from "../../ui/Copyable";
import { sendingLine } from "../../ui/curl";
import { download } from "../../ui/download";
import { formatCount } from "../../ui/format";
import { keysFile } from "./deviceList";

/** What an import has made. Its keys are handed out here, and nowhere again. */
export function ImportedKeys({ rows, onClose }: { rows: ProvisionedRow[]; onClose(): void }) {
  const { t } = useTranslation("administration");
  const [taken, setTaken] = useState(false);
  const [leaving, setLeaving] = useState(false);
  const keyed = rows.filter((row) => row.key);
  const left = rows.filter((row) => row.outcome === "error").length;
  const kept = rows.length - keyed.length - left;
  const safe = taken || keyed.length === 0;
  const [first] = keyed;
  const [line] = useState(() =>
    first?.key
      ? sendingLine({ origin: window.location.origin, key: first.key, deviceId: first.deviceId, now: new Date() })
      : "",
  );

  // Whoever leaves without the keys has to make new ones.
  useEffect(() => {
    if (safe) return;
    const ask = (event: BeforeUnloadEvent) => event.preventDefault();
    window.addEventListener("beforeunload", ask);
    return () => window.removeEventListener("beforeunload", ask);
  }, [safe]);

  const save = () => {
    download("device-keys.csv", keysFile(rows));
    setTaken(true);
  };
  return (
    <section className="card panel" aria-labelledby="imported-title">
      <div className="panel-head">
        <h2 className="panel-title" id="imported-title" role="status" data-testid="imported">
          {t("imported.title", { count: keyed.length, number: formatCount(keyed.length) })}
        </h2>
        <Button size="xs" variant="default" onClick={() => (safe ? onClose() : setLeaving(true))}>
          {t("close")}
        </Button>
      </div>
      {(kept > 0 || left > 0) && (
        <p className="lead">{t("imported.others", { kept: formatCount(kept), left: formatCount(left) })}</p>
      )}
      {keyed.length > 0 && (
        <>
          <Alert color="yellow" variant="light" title={t("once.title")} mb="md">
            {t("imported.hint")}
          </Alert>
          <div className="administration-actions">
            <Button onClick={save}>{t("imported.download")}</Button>
            {taken && <span className="muted">{t("imported.taken")}</span>}
          </div>
          <details className="import-keys">
            <summary>{t("imported.show")}</summary>
            <Copyable label={t("imported.keys")} text={keysFile(rows)} />
          </details>
          <Copyable label={t("imported.first", { device: first?.deviceId })} text={line} testId="curl-line" />
        </>
      )}
      {leaving && (
        <ConfirmDialog
          title={t("imported.leave")}
          action={t("imported.leaveWithout")}
          onConfirm={onClose}
          onClose={() => setLeaving(false)}
        >
          {t("imported.leaveMeans")}
        </ConfirmDialog>
      )}
    </section>
  );
}
