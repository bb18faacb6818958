import { Button } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Icon } from "./Icon";
import { Scrollable } from "./Scrollable";

/** Text to take along, with a button that copies it. */
export function Copyable({ label, text, testId }: { label: string; text: string; testId?: string }) {
  const { t } = useTranslation("ui");
  const [state, setState] = useState<"idle" | "copied" | "failed">("idle");
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setState("copied");
    } catch {
      // No permission, or a page without TLS: the text can be selected by hand.
      setState("failed");
    }
  };
  return (
    <div className="copyable">
      <div className="copyable-head">
        <span className="copyable-label">{label}</span>
        <Button
          size="compact-xs"
          variant="default"
          onClick={() => void copy()}
          aria-label={t("copy.name", { what: label })}
        >
          <Icon name={state === "copied" ? "check" : "copy"} size={14} />
          <span className="after-icon" aria-live="polite">
            {t(state === "copied" ? "copy.copied" : state === "failed" ? "copy.byHand" : "copy.copy")}
          </span>
        </Button>
      </div>
      <Scrollable className="copyable-text" label={label}>
        <pre data-testid={testId}>{text}</pre>
      </Scrollable>
    </div>
  );
}
