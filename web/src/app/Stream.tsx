import { Button } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { useLiveState } from "../api/liveHub";
import { Icon } from "../ui/Icon";

/** Whether readings flow: a dot while they do, words while they do not. */
export function Stream() {
  const { t } = useTranslation("shell");
  const { state, toggle } = useLiveState();
  if (state === null) return null;
  const isCalm = state === "live" || state === "connecting";
  return (
    <div className="stream" data-testid="stream" data-state={state} title={t(`live.meaning.${state}`)}>
      {isCalm ? (
        <span className="stream-dot" role="img" aria-label={t(`live.state.${state}`)} />
      ) : (
        <span role="status" className="stream-words">
          <span className="stream-dot" aria-hidden="true" />
          {t(`live.state.${state}`)}
        </span>
      )}
      {state === "paused" && (
        <Button size="compact-xs" variant="default" h={26} onClick={toggle} aria-label={t("live.resume")}>
          <Icon name="play" size={14} />
        </Button>
      )}
    </div>
  );
}
