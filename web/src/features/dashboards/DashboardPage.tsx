import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useDashboard } from "../../api/dashboards";
import { messageOf } from "../../api/errors";
import { useMe } from "../../api/session";
import { Failure } from "../../ui/Failure";
import { Loading } from "../../ui/Loading";
import { useTitle } from "../../ui/useTitle";
import { mayChange } from "./DashboardsPage";
import { Editor } from "./Editor";
import { Viewer } from "./Viewer";
import "../../panels/panels.css";
import "./dashboards.css";

/** One dashboard, to be looked at or to be changed. */
export function DashboardPage({ id }: { id: string }) {
  const { t } = useTranslation("dashboards");
  const dashboard = useDashboard(id);
  const me = useMe();
  const [editing, setEditing] = useState(() => new URLSearchParams(window.location.search).get("edit") === "1");
  useTitle(dashboard.data?.name ?? t("title"));
  if (dashboard.isPending) return <Loading label={t("list.loading")} />;
  if (!dashboard.data) {
    return (
      <Failure title={t("notThere")} message={messageOf(dashboard.error)} onRetry={() => void dashboard.refetch()} />
    );
  }
  const changes = mayChange(me.data?.role);
  return editing && changes ? (
    <Editor key={id} dashboard={dashboard.data} onDone={() => setEditing(false)} />
  ) : (
    <Viewer dashboard={dashboard.data} onEdit={changes ? () => setEditing(true) : undefined} />
  );
}
