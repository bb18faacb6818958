import type { TFunction } from "i18next";
import { memo, useCallback, useSyncExternalStore } from "react";
import { Link } from "wouter";
import type { Device } from "../../api/types";
import { formatReading, formatRelative, formatTime } from "../../ui/format";
import { StatusBadge } from "../../ui/StatusBadge";
import { type LiveRows, merged, statusOf } from "./liveRows";
import { Sparkline } from "./Sparkline";

/** How many readings a row shows; the rest is a click away. */
const SHOWN = 3;
const SHOWN_TAGS = 3;

interface Props {
  /** Handed on: asking for the words costs more than the rest of a row. */
  t: TFunction<"fleet">;
  device: Device;
  live: LiveRows;
  now: number;
  /** The types that are asked for: their readings come first. */
  types: string[];
}

/** A device in the list; its readings move as they arrive. */
export const DeviceRow = memo(function DeviceRow({ t, device: read, live, now, types }: Props) {
  const { deviceId } = read;
  const watch = useCallback((watcher: () => void) => live.watch(deviceId, watcher), [live, deviceId]);
  const heard = useSyncExternalStore(watch, () => live.of(deviceId));
  const device = merged(read, heard);
  const values = [...device.lastValues].sort(
    (one, other) => Number(types.includes(other.type)) - Number(types.includes(one.type)),
  );
  const shown = values.slice(0, SHOWN);
  const more = values.length - shown.length;
  const tags = device.tags.slice(0, SHOWN_TAGS);

  return (
    <>
      <div className="device-name">
        <Link href={`/devices/${encodeURIComponent(deviceId)}`} className="device-link" data-row-focus>
          {device.label || deviceId}
        </Link>
        {device.label && device.label !== deviceId && <span className="muted mono small">{deviceId}</span>}
        {tags.map((tag) => (
          <span key={tag} className="tag">
            {tag}
          </span>
        ))}
        {device.tags.length > tags.length && (
          <span className="tag" title={device.tags.slice(SHOWN_TAGS).join(", ")}>
            +{device.tags.length - tags.length}
          </span>
        )}
      </div>
      <div className="device-location">{device.location || <span className="muted none">–</span>}</div>
      <div className="device-status">
        <StatusBadge status={statusOf(device.lastSeen, now)} />
      </div>
      <ul className="readings" aria-label={t("row.readings")}>
        {shown.map((reading) => (
          <li
            key={`${reading.type} ${reading.unit ?? ""}`}
            title={t("row.recorded", { time: formatTime(reading.recordedAt) })}
          >
            <span className="muted small">{reading.type}</span>
            <span className="number">{formatReading(reading.value, reading.unit)}</span>
          </li>
        ))}
        {more > 0 && <li className="muted small">{t("row.more", { count: more })}</li>}
        {shown.length === 0 && <li className="muted none">–</li>}
      </ul>
      <Sparkline t={t} deviceId={deviceId} type={types[0] ?? null} />
      <div className="device-seen" title={device.lastSeen ? formatTime(device.lastSeen) : undefined}>
        <span className="phone muted small">{t("row.lastSeen")} </span>
        {formatRelative(device.lastSeen, now)}
      </div>
    </>
  );
});
