import { Button, useComputedColorScheme } from "@mantine/core";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, useLocation, useSearch } from "wouter";
import { useChoices } from "../../api/dashboards";
import type { WholeDashboard } from "../../api/dashboardTypes";
import { searchOf, type View, viewOf } from "../../panels/address";
import { PanelFrame, PanelGrid } from "../../panels/PanelGrid";
import { PanelView } from "../../panels/PanelView";
import { Stale } from "../../panels/Stale";
import { useTv } from "../../panels/useTv";
import { ViewBar } from "../../panels/ViewBar";
import { Empty } from "../../ui/Empty";
import { Icon } from "../../ui/Icon";
import { useNow } from "../../ui/useNow";
import { More } from "./More";
import { ShareDialog } from "./ShareDialog";
import { usePanelAnswers } from "./usePanelAnswers";

/** A dashboard as it is looked at. */
export function Viewer({ dashboard, onEdit }: { dashboard: WholeDashboard; onEdit: (() => void) | undefined }) {
  const { t } = useTranslation("dashboards");
  const { document } = dashboard;
  const [path, navigate] = useLocation();
  const view = viewOf(useSearch(), document);
  const [sharing, setSharing] = useState(false);
  const panels = document.panels ?? [];
  const variables = document.variables ?? [];
  const ask = { panels, variables, values: view.values, range: view.range };
  const { query, byPanel } = usePanelAnswers(ask, view.refresh);
  const choices = useChoices(variables);
  const scheme = useComputedColorScheme("light");
  const now = useNow(5_000);
  useTv(view.tv);

  const show = (next: View) => navigate(path + searchOf(next, document), { replace: true });
  const enterTv = async () => {
    show({ ...view, tv: true });
    try {
      await window.document.documentElement.requestFullscreen();
    } catch {
      // Refused, or not offered on this device: without anything around it is all the same.
    }
  };
  useEffect(() => {
    if (!view.tv) return;
    const leave = (event: KeyboardEvent | Event) => {
      if (event instanceof KeyboardEvent ? event.key === "Escape" : !window.document.fullscreenElement) {
        show({ ...view, tv: false });
      }
    };
    window.addEventListener("keydown", leave);
    window.document.addEventListener("fullscreenchange", leave);
    return () => {
      window.removeEventListener("keydown", leave);
      window.document.removeEventListener("fullscreenchange", leave);
    };
  });

  const edges = {
    from: query.data ? Date.parse(query.data.from) / 1000 : 0,
    to: query.data ? Date.parse(query.data.to) / 1000 : 1,
  };
  return (
    <>
      <div className="page-head">
        <div>
          <Link href="/dashboards" className="back">
            <Icon name="back" size={14} />
            {t("title")}
          </Link>
          <h1 className="dashboard-title">{dashboard.name}</h1>
          {document.description && <p className="muted small about">{document.description}</p>}
        </div>
        {view.tv && (
          <Button size="xs" variant="subtle" onClick={() => show({ ...view, tv: false })}>
            {t("view.leaveTv")}
          </Button>
        )}
      </div>
      <ViewBar view={view} variables={variables} choices={choices.data?.choices ?? {}} onChange={show}>
        <div className="view-actions">
          <Button variant="default" onClick={() => void enterTv()}>
            {t("view.tv")}
          </Button>
          {onEdit && (
            <>
              <Button variant="default" onClick={() => setSharing(true)}>
                {t("share.open")}
              </Button>
              <Button onClick={onEdit}>{t("edit.open")}</Button>
            </>
          )}
          <More dashboard={dashboard} mayChange={onEdit !== undefined} />
        </div>
      </ViewBar>
      <Stale error={query.error} at={query.dataUpdatedAt} now={now} onRetry={() => void query.refetch()} />
      {panels.length === 0 ? (
        <div className="card">
          <Empty title={t("view.noPanels")}>{onEdit ? t("view.addPanels") : t("list.askSomebody")}</Empty>
        </div>
      ) : (
        <PanelGrid panels={panels}>
          {(panel) => (
            <PanelFrame title={panel.title ?? ""} kind={t(`kind.${panel.kind}`)}>
              <PanelView
                panel={panel}
                answer={byPanel.get(panel.id)}
                scheme={view.tv ? "dark" : scheme}
                now={now}
                deviceLink={(deviceId) => `/devices/${encodeURIComponent(deviceId)}`}
                {...edges}
              />
            </PanelFrame>
          )}
        </PanelGrid>
      )}
      <ShareDialog dashboard={dashboard} opened={sharing} onClose={() => setSharing(false)} />
    </>
  );
}
