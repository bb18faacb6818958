import { Button, Modal } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useLocation } from "wouter";
import { useCreateDashboard, useDeleteDashboard, useRestoreVersion, useVersions } from "../../api/dashboards";
import type { WholeDashboard } from "../../api/dashboardTypes";
import { messageOf } from "../../api/errors";
import { Failure } from "../../ui/Failure";
import { formatTime } from "../../ui/format";
import { Loading } from "../../ui/Loading";
import { fileNameOf, fileOf } from "./exchange";

/** What is done to a dashboard now and then: its versions, a copy, a file, its end. */
export function More({ dashboard, mayChange }: { dashboard: WholeDashboard; mayChange: boolean }) {
  const { t } = useTranslation("dashboards");
  const [opened, setOpened] = useState(false);
  return (
    <>
      <Button variant="default" onClick={() => setOpened(true)}>
        {t("more.open")}
      </Button>
      <Modal
        opened={opened}
        onClose={() => setOpened(false)}
        title={dashboard.name}
        size="lg"
        closeButtonProps={{ "aria-label": t("close") }}
      >
        {opened && <Contents dashboard={dashboard} mayChange={mayChange} onDone={() => setOpened(false)} />}
      </Modal>
    </>
  );
}

function Contents({ dashboard, mayChange, onDone }: { dashboard: WholeDashboard; mayChange: boolean; onDone(): void }) {
  const { t } = useTranslation("dashboards");
  const [, navigate] = useLocation();
  const versions = useVersions(dashboard.id);
  const restore = useRestoreVersion(dashboard.id);
  const copy = useCreateDashboard();
  const remove = useDeleteDashboard();
  const [sure, setSure] = useState(false);
  const failed = [restore, copy, remove].find((each) => each.isError);

  const download = () => {
    const address = URL.createObjectURL(
      new Blob([fileOf(dashboard.name, dashboard.document)], { type: "application/json" }),
    );
    const link = document.createElement("a");
    link.href = address;
    link.download = fileNameOf(dashboard.name);
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
  };
  return (
    <div className="form">
      <div className="view-actions">
        <Button variant="default" size="xs" onClick={download}>
          {t("more.export")}
        </Button>
        {mayChange && (
          <Button
            variant="default"
            size="xs"
            loading={copy.isPending}
            onClick={() =>
              copy.mutate(
                { name: t("more.copyName", { name: dashboard.name }).slice(0, 200), document: dashboard.document },
                { onSuccess: (made) => navigate(`/dashboards/${made.id}`) },
              )
            }
          >
            {t("more.copy")}
          </Button>
        )}
        {mayChange &&
          (sure ? (
            <Button
              color="red"
              size="xs"
              loading={remove.isPending}
              onClick={() =>
                remove.mutate(dashboard.id, { onSuccess: () => navigate("/dashboards", { replace: true }) })
              }
            >
              {t("more.deleteForGood")}
            </Button>
          ) : (
            <Button variant="default" size="xs" onClick={() => setSure(true)}>
              {t("more.delete")}
            </Button>
          ))}
      </div>
      {sure && <p className="muted small">{t("more.deleteMeans")}</p>}
      {failed && <Failure message={messageOf(failed.error)} />}
      <h3 className="dialog-head">{t("more.versions")}</h3>
      {versions.isPending && <Loading />}
      {versions.isError && <Failure message={messageOf(versions.error)} onRetry={() => void versions.refetch()} />}
      <ul className="version-list">
        {(versions.data?.versions ?? []).map((version) => (
          <li key={version.version} className="version-row">
            <span>
              <strong>{t("more.version", { version: version.version })}</strong> {version.name}
              <br />
              <span className="muted small">
                {formatTime(version.changedAt)} · {version.changedBy}
              </span>
            </span>
            {version.version === dashboard.version ? (
              <span className="muted small">{t("more.current")}</span>
            ) : (
              mayChange && (
                <Button
                  variant="default"
                  size="compact-xs"
                  loading={restore.isPending && restore.variables?.version === version.version}
                  aria-label={t("more.restoreVersion", { version: version.version })}
                  onClick={() =>
                    restore.mutate({ version: version.version, newest: dashboard.version }, { onSuccess: onDone })
                  }
                >
                  {t("more.restore")}
                </Button>
              )
            )}
          </li>
        ))}
      </ul>
    </div>
  );
}
