import { Button } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { messageOf } from "../api/errors";
import { Failure } from "../ui/Failure";
import { formatRelative, formatTime } from "../ui/format";
import { Icon } from "../ui/Icon";

/** Says that what is on the page is not of now, and since when. */
export function Stale({ error, at, now, onRetry }: { error: unknown; at: number; now: number; onRetry(): void }) {
  const { t } = useTranslation("dashboards");
  if (!error) return null;
  if (at === 0) return <Failure message={messageOf(error)} onRetry={onRetry} />;
  return (
    <p className="stale" role="status">
      <Icon name="warning" />
      {t("view.stale", {
        time: formatTime(at),
        ago: formatRelative(new Date(at).toISOString(), now),
        why: messageOf(error),
      })}
      <Button size="compact-xs" variant="default" onClick={onRetry}>
        {t("view.again")}
      </Button>
    </p>
  );
}
