import { Alert, Button, Group, Modal, Stack, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { useCreateDevice, useIssueDeviceKey } from "../../api/devices";
import { messageOf } from "../../api/errors";
import { useLive } from "../../api/liveHub";
import type { Device, IssuedKey, LiveEvent } from "../../api/types";
import { Copyable } from "../../ui/Copyable";
import { sendingLine } from "../../ui/curl";
import { Failure } from "../../ui/Failure";
import { formatReading } from "../../ui/format";
import { tagsOf } from "../../ui/tags";

/** Creates a device and its first key, shows how to send with it, and waits for the first reading. */
export function AddDevice({ onClose }: { onClose(): void }) {
  const { t } = useTranslation("fleet");
  const [device, setDevice] = useState<Device | null>(null);
  const issue = useIssueDeviceKey();
  const key = issue.data;
  const issueFor = (deviceId: string) => issue.mutate({ deviceId, name: "first key" });

  return (
    <Modal
      opened
      onClose={onClose}
      title={t(key ? "add.added" : "add.open")}
      size="lg"
      centered
      // A click beside the dialog must not lose what is typed, nor a key that is shown once.
      closeOnClickOutside={false}
      closeOnEscape={!key}
      closeButtonProps={{ "aria-label": t("close") }}
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
          title={t("add.noKey", { device: device.deviceId })}
          message={messageOf(issue.error)}
          onRetry={() => issueFor(device.deviceId)}
        />
      )}
      {device && key && <FirstKey device={device} issued={key} onClose={onClose} />}
    </Modal>
  );
}

function DeviceForm({ onCreated, onClose }: { onCreated(device: Device): void; onClose(): void }) {
  const { t } = useTranslation("fleet");
  const [form, setForm] = useState({ deviceId: "", label: "", location: "", tags: "" });
  const [checked, setChecked] = useState(false);
  const create = useCreateDevice();
  const change = (part: Partial<typeof form>) => setForm((before) => ({ ...before, ...part }));
  const deviceId = form.deviceId.trim();
  const tags = tagsOf(form.tags);

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
          label={t("add.deviceId")}
          description={t("add.deviceIdHint")}
          placeholder="dev-001"
          value={form.deviceId}
          onChange={(event) => change({ deviceId: event.currentTarget.value })}
          error={checked && !deviceId ? t("add.deviceIdMissing") : undefined}
          maxLength={128}
          autoComplete="off"
          data-autofocus
          required
        />
        <TextInput
          label={t("add.label")}
          placeholder={t("add.labelExample")}
          value={form.label}
          onChange={(event) => change({ label: event.currentTarget.value })}
          maxLength={200}
        />
        <TextInput
          label={t("add.location")}
          placeholder={t("add.locationExample")}
          value={form.location}
          onChange={(event) => change({ location: event.currentTarget.value })}
          maxLength={200}
        />
        <TextInput
          label={t("add.tags")}
          description={t("add.tagsHint")}
          value={form.tags}
          onChange={(event) => change({ tags: event.currentTarget.value })}
        />
        <Group justify="flex-end">
          <Button variant="default" onClick={onClose}>
            {t("add.cancel")}
          </Button>
          <Button type="submit" loading={create.isPending}>
            {t("add.open")}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

function FirstKey({ device, issued, onClose }: { device: Device; issued: IssuedKey; onClose(): void }) {
  const { t } = useTranslation("fleet");
  const [line] = useState(() =>
    sendingLine({
      origin: window.location.origin,
      key: issued.key,
      deviceId: device.deviceId,
      now: new Date(),
    }),
  );
  const [first, setFirst] = useState<LiveEvent | null>(null);
  useLive([device.deviceId], {
    onEvents: ([event]) => setFirst((before) => before ?? event ?? null),
    onResync: () => undefined,
  });
  return (
    <Stack gap="md">
      <Alert color="yellow" variant="light" title={t("add.copyNow")}>
        {t("add.shownOnce")}
      </Alert>
      <Copyable label={t("add.key")} text={issued.key} testId="device-key" />
      <Copyable label={t("add.command")} text={line} testId="curl-line" />
      <p role="status" className={first ? "arrived" : "muted"} data-testid="first-reading">
        {first
          ? t("add.arrived", { type: first.type, reading: formatReading(first.value, first.unit) })
          : t("add.waiting")}
      </p>
      <Group justify="flex-end">
        <Button variant="default" component={Link} href={`/devices/${encodeURIComponent(device.deviceId)}`}>
          {t("add.openDevice")}
        </Button>
        <Button onClick={onClose}>{t("add.done")}</Button>
      </Group>
    </Stack>
  );
}
