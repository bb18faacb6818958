import { useComputedColorScheme } from "@mantine/core";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { useLocation, useSearch } from "wouter";
import { useSharedDashboard, useSharedPanels } from "../../api/dashboards";
import type { DashboardDocument } from "../../api/dashboardTypes";
import { ApiError, messageOf } from "../../api/errors";
import { searchOf, type View, viewOf } from "../../panels/address";
import { PanelFrame, PanelGrid } from "../../panels/PanelGrid";
import { PanelView } from "../../panels/PanelView";
import { Stale } from "../../panels/Stale";
import { useTv } from "../../panels/useTv";
import { ViewBar } from "../../panels/ViewBar";
import { Centered } from "../../ui/Centered";
import { Failure } from "../../ui/Failure";
import { formatTime } from "../../ui/format";
import { Logo } from "../../ui/Icon";
import { Loading } from "../../ui/Loading";
import { useNow } from "../../ui/useNow";
import { useTitle } from "../../ui/useTitle";
import "../../panels/panels.css";
import "./shared.css";

const EMPTY: DashboardDocument = { schema: 1 };

/** A dashboard behind a read-only link, whose secret stands behind the # of the address: no server is told it. */
export function SharedPage() {
  const { t } = useTranslation("dashboards");
  const token = useHash();
  const shared = useSharedDashboard(token);
  const document = shared.data?.document ?? EMPTY;
  const [path, navigate] = useLocation();
  const view = viewOf(useSearch(), document);
  const ask = { values: view.values, range: view.range };
  const panels = useSharedPanels(token, ask, view.refresh, shared.data !== undefined);
  const scheme = useComputedColorScheme("light");
  const now = useNow(5_000);
  useTv(view.tv);
  useTitle(shared.data?.name ?? t("shared.title"));

  const ended = shared.error instanceof ApiError && shared.error.status === 401;
  if (token === "" || ended) {
    return (
      <Centered>
        <Failure title={t("shared.ended")} message={t("shared.endedMeans")} />
      </Centered>
    );
  }
  if (shared.isPending) return <Loading label={t("list.loading")} />;
  if (!shared.data) {
    return (
      <Centered>
        <Failure message={messageOf(shared.error)} onRetry={() => void shared.refetch()} />
      </Centered>
    );
  }
  const show = (next: View) => navigate(path + searchOf(next, document) + window.location.hash, { replace: true });
  const answers = new Map((panels.data?.panels ?? []).map((answer) => [answer.id, answer]));
  const edges = {
    from: panels.data ? Date.parse(panels.data.from) / 1000 : 0,
    to: panels.data ? Date.parse(panels.data.to) / 1000 : 1,
  };
  return (
    <main className="content shared">
      <header className="shared-head">
        <Logo />
        <h1 className="shared-title">{shared.data.name}</h1>
        <span className="muted small">{t("shared.readOnly", { time: formatTime(shared.data.expiresAt) })}</span>
      </header>
      {document.description && <p className="muted small about">{document.description}</p>}
      <ViewBar view={view} variables={document.variables ?? []} choices={shared.data.choices} onChange={show}>
        <div className="view-actions">
          <button type="button" className="tv-button" onClick={() => show({ ...view, tv: true })}>
            {t("view.tv")}
          </button>
        </div>
      </ViewBar>
      <Stale
        error={panels.error ?? shared.error}
        at={panels.dataUpdatedAt}
        now={now}
        onRetry={() => void panels.refetch()}
      />
      <PanelGrid panels={document.panels ?? []}>
        {(panel) => (
          <PanelFrame title={panel.title ?? ""} kind={t(`kind.${panel.kind}`)}>
            <PanelView
              panel={panel}
              answer={answers.get(panel.id)}
              scheme={view.tv ? "dark" : scheme}
              now={now}
              {...edges}
            />
          </PanelFrame>
        )}
      </PanelGrid>
      {view.tv && (
        <button type="button" className="tv-button leave-tv" onClick={() => show({ ...view, tv: false })}>
          {t("view.leaveTv")}
        </button>
      )}
    </main>
  );
}

/** What stands behind the # of the address. */
function useHash(): string {
  const [hash, setHash] = useState(() => window.location.hash.slice(1));
  useEffect(() => {
    const read = () => setHash(window.location.hash.slice(1));
    window.addEventListener("hashchange", read);
    return () => window.removeEventListener("hashchange", read);
  }, []);
  return hash;
}
