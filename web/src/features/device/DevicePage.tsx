import { Title } from "@mantine/core";
import { useMemo, useState } from "react";
import { Link, useSearchParams } from "wouter";
import { useDevice } from "../../api/devices";
import { ApiError, messageOf } from "../../api/errors";
import type { Span } from "../../api/span";
import { useTypes } from "../../api/telemetry";
import type { Device, MeasurementType } from "../../api/types";
import { Failure } from "../../ui/Failure";
import { formatRelative, formatTime } from "../../ui/format";
import { Icon } from "../../ui/Icon";
import { Loading } from "../../ui/Loading";
import { Select } from "../../ui/Select";
import { StatusBadge } from "../../ui/StatusBadge";
import { useNow } from "../../ui/useNow";
import { useTitle } from "../../ui/useTitle";
import { EventTable } from "./EventTable";
import { InsightCards } from "./InsightCards";
import { LiveSwitch } from "./LiveSwitch";
import { RangePicker } from "./RangePicker";
import { type PresetName, spanOf, withSpan } from "./range";
import { SeriesPanel } from "./SeriesPanel";
import { useArrivals } from "./useArrivals";

/** Age up to which a device counts as new, in ms. */
const YOUNG_MS = 3 * 3_600_000;

function keyOf(type: { type: string; unit: string | null }): string {
  return JSON.stringify([type.type, type.unit]);
}

function nameOf(type: { type: string; unit: string | null }): string {
  return type.unit ? `${type.type} (${type.unit})` : type.type;
}

export function DevicePage({ deviceId }: { deviceId: string }) {
  const device = useDevice(deviceId);
  useTitle(device.data?.label || deviceId);
  if (device.isPending) return <Loading label="Loading the device" />;
  if (!device.data) {
    const unknown = device.error instanceof ApiError && device.error.status === 404;
    return (
      <>
        <BackLink />
        <Failure
          title={unknown ? "There is no such device" : undefined}
          message={unknown ? `No device of this tenant has the id ${deviceId}.` : messageOf(device.error)}
          onRetry={unknown ? undefined : () => void device.refetch()}
        />
      </>
    );
  }
  return <DeviceView device={device.data} />;
}

function BackLink() {
  return (
    <Link href="/devices" className="back">
      <Icon name="back" size={14} /> Devices
    </Link>
  );
}

function DeviceView({ device }: { device: Device }) {
  const { deviceId } = device;
  const live = useArrivals(deviceId);
  const [search, setSearch] = useSearchParams();
  // A device that is new has little to show: the last hour fills the chart better.
  const [fallback] = useState<PresetName>(() => (Date.now() - Date.parse(device.createdAt) < YOUNG_MS ? "1h" : "6h"));
  const span = useMemo(() => spanOf(search, fallback), [search, fallback]);
  const types = useTypes(deviceId);
  const known = types.data ?? [];
  const wanted = search.get("type");
  const selected: MeasurementType | undefined = known.find((type) => keyOf(type) === wanted) ?? firstChoice(known);
  const now = useNow();

  const setSpan = (next: Span) => setSearch((before) => withSpan(before, next));
  const setType = (key: string) =>
    setSearch(
      (before) => {
        const next = new URLSearchParams(before);
        next.set("type", key);
        return next;
      },
      { replace: true },
    );
  const newestArrival = live.arrivals[live.arrivals.length - 1]?.event.receivedAt ?? null;
  const lastSeen =
    newestArrival && (!device.lastSeen || newestArrival > device.lastSeen) ? newestArrival : device.lastSeen;

  return (
    <>
      <BackLink />
      <div className="page-head">
        <div>
          <Title order={1} size="h2">
            {device.label || deviceId}
          </Title>
          <p className="facts">
            {device.label && device.label !== deviceId && <span className="mono">{deviceId}</span>}
            {device.location && <span>{device.location}</span>}
            <StatusBadge status={newestArrival ? "online" : device.status} />
            <span title={lastSeen ? formatTime(lastSeen) : undefined}>Last seen {formatRelative(lastSeen, now)}</span>
          </p>
        </div>
        <LiveSwitch state={live.state} onToggle={live.toggle} />
      </div>

      <InsightCards
        deviceId={deviceId}
        arrivals={live.arrivals}
        refresh={live.state !== "paused"}
        selected={selected ? keyOf(selected) : null}
        keyOf={keyOf}
        onSelect={setType}
      />

      <section className="card panel" aria-label="Chart">
        <div className="panel-head">
          <Select
            label="Measurement"
            hideLabel
            value={selected ? keyOf(selected) : ""}
            options={
              known.length > 0
                ? known.map((type) => ({ value: keyOf(type), label: nameOf(type) }))
                : [{ value: "", label: "No measurements yet" }]
            }
            onChange={setType}
            className="panel-type"
          />
          <RangePicker span={span} onChange={setSpan} />
        </div>
        {types.isError && <Failure message={messageOf(types.error)} onRetry={() => void types.refetch()} />}
        {types.isPending && <Loading label="Loading measurements" />}
        {types.isSuccess && (
          <SeriesPanel
            deviceId={deviceId}
            type={selected}
            span={span}
            arrivals={live.arrivals}
            liveState={live.state}
            lastRecorded={lastRecorded(device, selected)}
            onSpan={setSpan}
          />
        )}
      </section>

      <EventTable deviceId={deviceId} span={span} types={known} arrivals={live.arrivals} liveState={live.state} />
    </>
  );
}

/** Numbers draw better than words: the first numeric measurement. */
function firstChoice(types: MeasurementType[]): MeasurementType | undefined {
  return types.find((type) => type.kind === "number") ?? types[0];
}

/** When the newest known reading of a type was recorded, in epoch ms. */
function lastRecorded(device: Device, type: MeasurementType | undefined): number | null {
  const times = device.lastValues
    .filter((value) => type === undefined || value.type === type.type)
    .map((value) => Date.parse(value.recordedAt));
  return times.length > 0 ? Math.max(...times) : null;
}
