import { Button } from "@mantine/core";
import type { LiveState } from "../../api/live";
import { Icon } from "../../ui/Icon";

const words: Record<LiveState, string> = {
  connecting: "Connecting",
  live: "Live",
  degraded: "Live readings interrupted",
  reconnecting: "Reconnecting",
  paused: "Paused",
};

export function LiveSwitch({ state, onToggle }: { state: LiveState; onToggle(): void }) {
  const paused = state === "paused";
  return (
    <div className="live">
      <span className="live-state" data-state={state} role="status">
        <span className="live-dot" aria-hidden="true" />
        <span data-testid="live-state">{words[state]}</span>
      </span>
      <Button
        size="xs"
        variant="default"
        onClick={onToggle}
        aria-label={paused ? "Resume live updates" : "Pause live updates"}
      >
        <Icon name={paused ? "play" : "pause"} size={14} />
        <span className="after-icon">{paused ? "Resume" : "Pause"}</span>
      </Button>
    </div>
  );
}
