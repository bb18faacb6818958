import { Button, TextInput, Title } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useState } from "react";
import { Link } from "wouter";
import { useDevices } from "../../api/devices";
import { messageOf } from "../../api/errors";
import { useMe } from "../../api/session";
import type { Device, DeviceStatus } from "../../api/types";
import { Empty } from "../../ui/Empty";
import { Failure } from "../../ui/Failure";
import { formatReading, formatRelative, formatTime } from "../../ui/format";
import { Icon } from "../../ui/Icon";
import { Loading } from "../../ui/Loading";
import { Select } from "../../ui/Select";
import { StatusBadge } from "../../ui/StatusBadge";
import { useNow } from "../../ui/useNow";
import { useTitle } from "../../ui/useTitle";
import { AddDevice } from "./AddDevice";

const statuses: { value: DeviceStatus | ""; label: string }[] = [
  { value: "", label: "Any status" },
  { value: "online", label: "Online" },
  { value: "late", label: "Late" },
  { value: "silent", label: "Silent" },
  { value: "new", label: "New" },
];

/** How many readings a row shows; the rest is a click away. */
const SHOWN_READINGS = 4;

export function DevicesPage() {
  useTitle("Devices");
  const me = useMe();
  const [text, setText] = useState("");
  const [q] = useDebouncedValue(text.trim(), 250);
  const [status, setStatus] = useState<DeviceStatus | "">("");
  const [adding, setAdding] = useState(false);
  const devices = useDevices({ q, status });
  const now = useNow();
  const rows = devices.data?.pages.flatMap((page) => page.devices) ?? [];
  const filtered = q !== "" || status !== "";
  const mayAdd = me.data?.role !== "viewer";

  return (
    <>
      <div className="page-head">
        <Title order={1} size="h2">
          Devices
        </Title>
        {mayAdd && (
          <Button leftSection={<Icon name="plus" />} onClick={() => setAdding(true)}>
            Add device
          </Button>
        )}
      </div>
      <search className="filters">
        <TextInput
          aria-label="Search devices"
          placeholder="Search by id, label, location or tag"
          leftSection={<Icon name="search" />}
          value={text}
          onChange={(event) => setText(event.currentTarget.value)}
          type="search"
          className="filters-text"
        />
        <Select<DeviceStatus | ""> label="Status" hideLabel value={status} options={statuses} onChange={setStatus} />
      </search>
      {devices.isError && <Failure message={messageOf(devices.error)} onRetry={() => void devices.refetch()} />}
      {devices.isPending && <Loading label="Loading devices" />}
      {devices.isSuccess && rows.length === 0 && (
        <div className="card">
          {filtered ? (
            <Empty title="No device matches">Try other words or another status.</Empty>
          ) : (
            <Empty title="No devices yet">
              Add a device to get its key and a ready command that sends the first reading.
            </Empty>
          )}
        </div>
      )}
      {rows.length > 0 && (
        <div className="card list">
          <div className="device-row list-head" aria-hidden="true">
            <span>Device</span>
            <span>Location</span>
            <span>Status</span>
            <span>Last readings</span>
            <span>Last seen</span>
          </div>
          <ul aria-label="Devices">
            {rows.map((device) => (
              <DeviceRow key={device.deviceId} device={device} now={now} />
            ))}
          </ul>
        </div>
      )}
      {devices.hasNextPage && (
        <div className="more">
          <Button variant="default" onClick={() => void devices.fetchNextPage()} loading={devices.isFetchingNextPage}>
            Show more devices
          </Button>
        </div>
      )}
      {adding && <AddDevice onClose={() => setAdding(false)} />}
    </>
  );
}

function DeviceRow({ device, now }: { device: Device; now: number }) {
  const readings = device.lastValues.slice(0, SHOWN_READINGS);
  const more = device.lastValues.length - readings.length;
  return (
    <li className="device-row" data-testid="device-row">
      <div className="device-name">
        <Link href={`/devices/${encodeURIComponent(device.deviceId)}`} className="device-link">
          {device.label || device.deviceId}
        </Link>
        {device.label && device.label !== device.deviceId && (
          <span className="muted mono small">{device.deviceId}</span>
        )}
        {device.tags.map((tag) => (
          <span key={tag} className="tag">
            {tag}
          </span>
        ))}
      </div>
      <div className="device-location">{device.location || <span className="muted none">–</span>}</div>
      <div className="device-status">
        <StatusBadge status={device.status} />
      </div>
      <ul className="readings" aria-label="Last readings">
        {readings.map((reading) => (
          <li key={`${reading.type} ${reading.unit ?? ""}`} title={`Recorded ${formatTime(reading.recordedAt)}`}>
            <span className="muted small">{reading.type}</span>{" "}
            <span className="number">{formatReading(reading.value, reading.unit)}</span>
          </li>
        ))}
        {more > 0 && <li className="muted small">and {more} more</li>}
        {readings.length === 0 && <li className="muted none">–</li>}
      </ul>
      <div className="device-seen" title={device.lastSeen ? formatTime(device.lastSeen) : undefined}>
        <span className="phone muted small">Last seen </span>
        {formatRelative(device.lastSeen, now)}
      </div>
    </li>
  );
}
