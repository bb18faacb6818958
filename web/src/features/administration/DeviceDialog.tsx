import { Button, Group, Modal, Stack, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { useChangeDevice } from "../../api/deviceRegistry";
import { useCreateDevice, useIssueDeviceKey } from "../../api/devices";
import { messageOf } from "../../api/errors";
import type { Device } from "../../api/types";
import { sendingLine } from "../../ui/curl";
import { Failure } from "../../ui/Failure";
import { tagsOf } from "../../ui/tags";
import { ShownOnce } from "./ShownOnce";

/** Changes a device, or creates one and its first key. */
export function DeviceDialog({ device, onClose }: { device: Device | null; onClose(): void }) {
  const { t } = useTranslation("administration");
  const [form, setForm] = useState({
    deviceId: device?.deviceId ?? "",
    label: device?.label ?? "",
    location: device?.location ?? "",
    tags: device?.tags.join(", ") ?? "",
  });
  const [checked, setChecked] = useState(false);
  const create = useCreateDevice();
  const issue = useIssueDeviceKey();
  const change = useChangeDevice();
  const deviceId = form.deviceId.trim();
  const missing = deviceId === "";
  const edit = (part: Partial<typeof form>) => setForm((before) => ({ ...before, ...part }));
  const failure = create.error ?? change.error;

  const submit = (event: FormEvent) => {
    event.preventDefault();
    setChecked(true);
    if (missing) return;
    const tags = tagsOf(form.tags);
    const about = { label: form.label.trim() || deviceId, location: form.location.trim(), tags };
    if (device) change.mutate({ deviceId: device.deviceId, change: about }, { onSuccess: onClose });
    else {
      create.mutate(
        { deviceId, ...about },
        { onSuccess: (created) => issue.mutate({ deviceId: created.deviceId, name: "first key" }) },
      );
    }
  };

  const made = create.data;
  return (
    <Modal
      opened
      onClose={onClose}
      title={device ? t("devices.editOf", { device: device.deviceId }) : t("devices.add")}
      size="lg"
      centered
      // A click beside the dialog must not lose what is typed, nor a key that is shown once.
      closeOnClickOutside={false}
      closeOnEscape={!made}
      closeButtonProps={{ "aria-label": t("close") }}
    >
      {made ? (
        <Stack gap="md">
          {issue.isError && (
            <Failure
              title={t("devices.noKey", { device: made.deviceId })}
              message={messageOf(issue.error)}
              onRetry={() => issue.mutate({ deviceId: made.deviceId, name: "first key" })}
            />
          )}
          {issue.data && (
            <ShownOnce
              label={t("key")}
              text={issue.data.key}
              line={sendingLine({
                origin: window.location.origin,
                key: issue.data.key,
                deviceId: made.deviceId,
                now: new Date(),
              })}
            />
          )}
          <Group justify="flex-end">
            <Button onClick={onClose}>{t("done")}</Button>
          </Group>
        </Stack>
      ) : (
        <form onSubmit={submit} noValidate>
          <Stack gap="md">
            {failure && <Failure message={messageOf(failure)} />}
            {!device && (
              <TextInput
                label={t("devices.id")}
                description={t("devices.idHint")}
                placeholder="dev-001"
                value={form.deviceId}
                onChange={(event) => edit({ deviceId: event.currentTarget.value })}
                error={checked && missing && t("devices.enterId")}
                maxLength={128}
                autoComplete="off"
                data-autofocus
                required
              />
            )}
            <TextInput
              label={t("devices.label")}
              value={form.label}
              onChange={(event) => edit({ label: event.currentTarget.value })}
            />
            <TextInput
              label={t("devices.location")}
              value={form.location}
              onChange={(event) => edit({ location: event.currentTarget.value })}
            />
            <TextInput
              label={t("devices.tags")}
              description={t("devices.tagsHint")}
              value={form.tags}
              onChange={(event) => edit({ tags: event.currentTarget.value })}
            />
            <Group justify="flex-end">
              <Button variant="default" onClick={onClose}>
                {t("cancel")}
              </Button>
              <Button type="submit" loading={create.isPending || change.isPending}>
                {device ? t("save") : t("devices.add")}
              </Button>
            </Group>
          </Stack>
        </form>
      )}
    </Modal>
  );
}
