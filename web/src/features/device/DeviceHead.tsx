import { Button, Title } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useLocation } from "wouter";
import type { LiveState } from "../../api/live";
import type { Device } from "../../api/types";
import { formatRelative, formatTime } from "../../ui/format";
import { Icon } from "../../ui/Icon";
import { StatusBadge } from "../../ui/StatusBadge";
import { useNow } from "../../ui/useNow";
import { DeleteDevice } from "./DeleteDevice";
import { FactsForm } from "./FactsForm";
import { LiveSwitch } from "./LiveSwitch";

interface DeviceHeadProps {
  device: Device;
  /** RFC 3339; null while nothing has arrived on this page. */
  newestArrival: string | null;
  liveState: LiveState;
  past: boolean;
  mayChange: boolean;
  onToggleLive(): void;
}

/** What the device is, when it was heard last, and what may be changed of it. */
export function DeviceHead({ device, newestArrival, liveState, past, mayChange, onToggleLive }: DeviceHeadProps) {
  const { t } = useTranslation("device");
  const now = useNow();
  const [, navigate] = useLocation();
  const [open, setOpen] = useState<"facts" | "delete" | null>(null);
  const { deviceId } = device;
  const lastSeen =
    newestArrival && (!device.lastSeen || newestArrival > device.lastSeen) ? newestArrival : device.lastSeen;
  return (
    <div className="page-head">
      <div className="device-head">
        <Title order={1} size="h2">
          {device.label || deviceId}
        </Title>
        <p className="facts">
          {device.label && device.label !== deviceId && <span className="mono">{deviceId}</span>}
          {device.location && <span>{device.location}</span>}
          {device.tags.map((tag) => (
            <span className="tag" key={tag}>
              {tag}
            </span>
          ))}
          <StatusBadge status={newestArrival ? "online" : device.status} />
          <span title={lastSeen ? formatTime(lastSeen) : undefined}>
            {t("lastSeen", { when: formatRelative(lastSeen, now) })}
          </span>
        </p>
      </div>
      <div className="device-doing">
        {mayChange && (
          <>
            <Button size="xs" variant="default" onClick={() => setOpen("facts")}>
              <Icon name="pencil" size={14} />
              <span className="after-icon">{t("facts.edit")}</span>
            </Button>
            <Button size="xs" variant="default" onClick={() => setOpen("delete")}>
              {t("delete.open")}
            </Button>
          </>
        )}
        <LiveSwitch state={liveState} past={past} onToggle={onToggleLive} />
      </div>
      {open === "facts" && <FactsForm device={device} onClose={() => setOpen(null)} />}
      {open === "delete" && (
        <DeleteDevice
          device={device}
          onClose={() => setOpen(null)}
          onDeleted={() => navigate("/devices", { replace: true })}
        />
      )}
    </div>
  );
}
