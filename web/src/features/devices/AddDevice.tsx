import { Alert, Button, Group, Modal, Stack, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { Link } from "wouter";
import { useCreateDevice, useIssueDeviceKey } from "../../api/devices";
import { messageOf } from "../../api/errors";
import type { Device, IssuedKey } from "../../api/types";
import { Copyable } from "../../ui/Copyable";
import { Failure } from "../../ui/Failure";
import { curlLine, splitTags, uuid7 } from "./firstEvent";

/** Creates a device and its first key, and shows how to send with it. */
export function AddDevice({ onClose }: { onClose(): void }) {
  const [device, setDevice] = useState<Device | null>(null);
  const issue = useIssueDeviceKey();
  const key = issue.data;
  const issueFor = (deviceId: string) => issue.mutate({ deviceId, name: "first key" });

  return (
    <Modal
      opened
      onClose={onClose}
      title={key ? "Device added" : "Add device"}
      size="lg"
      centered
      // A click beside the dialog must not lose what is typed, nor a key that is shown once.
      closeOnClickOutside={false}
      closeOnEscape={!key}
      closeButtonProps={{ "aria-label": "Close" }}
    >
      {!device && (
        <DeviceForm
          onCreated={(created) => {
            setDevice(created);
            issueFor(created.deviceId);
          }}
          onClose={onClose}
        />
      )}
      {device && issue.isError && (
        <Failure
          title={`${device.deviceId} was added, but it has no key yet`}
          message={messageOf(issue.error)}
          onRetry={() => issueFor(device.deviceId)}
        />
      )}
      {device && key && <FirstKey device={device} issued={key} onClose={onClose} />}
    </Modal>
  );
}

function DeviceForm({ onCreated, onClose }: { onCreated(device: Device): void; onClose(): void }) {
  const [form, setForm] = useState({ deviceId: "", label: "", location: "", tags: "" });
  const [checked, setChecked] = useState(false);
  const create = useCreateDevice();
  const change = (part: Partial<typeof form>) => setForm((before) => ({ ...before, ...part }));
  const deviceId = form.deviceId.trim();
  const tags = splitTags(form.tags);

  const submit = (event: FormEvent) => {
    event.preventDefault();
    setChecked(true);
    if (!deviceId) return;
    create.mutate(
      {
        deviceId,
        ...(form.label.trim() && { label: form.label.trim() }),
        ...(form.location.trim() && { location: form.location.trim() }),
        ...(tags.length > 0 && { tags }),
      },
      { onSuccess: onCreated },
    );
  };

  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="md">
        {create.isError && <Failure message={messageOf(create.error)} />}
        <TextInput
          label="Device id"
          description="The name the device sends with its readings"
          placeholder="dev-001"
          value={form.deviceId}
          onChange={(event) => change({ deviceId: event.currentTarget.value })}
          error={checked && !deviceId ? "Enter an id" : undefined}
          maxLength={128}
          autoComplete="off"
          data-autofocus
          required
        />
        <TextInput
          label="Label"
          placeholder="Boiler #3"
          value={form.label}
          onChange={(event) => change({ label: event.currentTarget.value })}
        />
        <TextInput
          label="Location"
          placeholder="Plant A"
          value={form.location}
          onChange={(event) => change({ location: event.currentTarget.value })}
        />
        <TextInput
          label="Tags"
          description="Separated by commas"
          value={form.tags}
          onChange={(event) => change({ tags: event.currentTarget.value })}
        />
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            Cancel
          </Button>
          <Button type="submit" loading={create.isPending}>
            Add device
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function FirstKey({ device, issued, onClose }: { device: Device; issued: IssuedKey; onClose(): void }) {
  const [line] = useState(() =>
    curlLine({
      origin: window.location.origin,
      key: issued.key,
      deviceId: device.deviceId,
      eventId: uuid7(Date.now()),
      now: new Date(),
    }),
  );
  return (
    <Stack gap="md">
      <Alert color="yellow" variant="light" title="Copy the key now">
        It is shown this once. The server keeps only a digest of it and cannot show it again.
      </Alert>
      <Copyable label="Key" text={issued.key} testId="device-key" />
      <Copyable label="Command for the first reading" text={line} testId="curl-line" />
      <Group justify="flex-end">
        <Button variant="default" component={Link} href={`/devices/${encodeURIComponent(device.deviceId)}`}>
          Open the device
        </Button>
        <Button onClick={onClose}>Done</Button>
      </Group>
    </Stack>
  );
}
