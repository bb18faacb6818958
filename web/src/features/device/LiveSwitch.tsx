import { Button } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { LiveState } from "../../api/live";
import { Icon } from "../../ui/Icon";

/** Whether readings flow onto the page, and the switch for it; none while the page shows the past. */
export function LiveSwitch({ state, past, onToggle }: { state: LiveState; past: boolean; onToggle(): void }) {
  const { t } = useTranslation("device");
  const paused = state === "paused";
  return (
    <div className="live">
      <span className="live-state" data-state={state} role="status">
        <span className="live-dot" aria-hidden="true" />
        <span data-testid="live-state">{past ? t("live.past") : t(`live.${state}`)}</span>
      </span>
      {!past && (
        <Button
          size="xs"
          variant="default"
          onClick={onToggle}
          aria-label={t(paused ? "live.resumeUpdates" : "live.pauseUpdates")}
        >
          <Icon name={paused ? "play" : "pause"} size={14} />
          <span className="after-icon">{t(paused ? "live.resume" : "live.pause")}</span>
        </Button>
      )}
    </div>
  );
}
