import { Alert, Button } from "@mantine/core";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import { useLocation } from "wouter";
import { useCreateDashboard, useDashboard } from "../../api/dashboards";
import type { NewDashboard, WholeDashboard } from "../../api/dashboardTypes";
import { messageOf } from "../../api/errors";
import { Failure } from "../../ui/Failure";
import { formatTime } from "../../ui/format";

interface ConflictProps {
  id: string;
  draft: NewDashboard;
  onTheirs(theirs: WholeDashboard): void;
  onMine(version: number): void;
}

/** Somebody else has saved meanwhile: three ways on, and one's own work is lost by none but the one that says so. */
export function Conflict({ id, draft, onTheirs, onMine }: ConflictProps) {
  const { t } = useTranslation("dashboards");
  const [, navigate] = useLocation();
  const theirs = useDashboard(id);
  const copy = useCreateDashboard();
  const newest = theirs.data;
  const { refetch } = theirs;
  useEffect(() => {
    void refetch();
  }, [refetch]);
  return (
    <Alert color="yellow" variant="light" role="alert" title={t("conflict.title")} mb="md">
      <p>
        {newest
          ? t("conflict.who", { who: newest.changedBy, time: formatTime(newest.changedAt), version: newest.version })
          : t("conflict.somebody")}
      </p>
      <div className="view-actions conflict-ways">
        <Button
          size="xs"
          loading={copy.isPending}
          onClick={() =>
            copy.mutate(
              { ...draft, name: t("more.copyName", { name: draft.name }).slice(0, 200) },
              { onSuccess: (made) => navigate(`/dashboards/${made.id}`) },
            )
          }
        >
          {t("conflict.copy")}
        </Button>
        <Button
          size="xs"
          variant="default"
          onClick={async () => {
            const { data } = await theirs.refetch();
            if (data) onMine(data.version);
          }}
        >
          {t("conflict.mine")}
        </Button>
        <Button
          size="xs"
          variant="default"
          onClick={async () => {
            const { data } = await theirs.refetch();
            if (data) onTheirs(data);
          }}
        >
          {t("conflict.theirs")}
        </Button>
      </div>
      {copy.isError && <Failure message={messageOf(copy.error)} />}
    </Alert>
  );
}
