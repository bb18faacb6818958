import { Button, Group, Modal, Stack, Text, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { useDeleteDevice } from "../../api/deviceChange";
import { messageOf } from "../../api/errors";
import type { Device } from "../../api/types";
import { Failure } from "../../ui/Failure";

/** Deleting a device cannot be taken back: its id has to be typed. */
export function DeleteDevice({ device, onClose, onDeleted }: { device: Device; onClose(): void; onDeleted(): void }) {
  const { t } = useTranslation("device");
  const remove = useDeleteDevice(device.deviceId);
  const [typed, setTyped] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (typed.trim() === device.deviceId) remove.mutate(undefined, { onSuccess: onDeleted });
  };
  return (
    <Modal opened onClose={onClose} title={t("delete.title", { name: device.label || device.deviceId })} centered>
      <form onSubmit={submit}>
        <Stack gap="sm">
          {remove.isError && <Failure message={messageOf(remove.error)} />}
          <Text size="sm">{t("delete.text")}</Text>
          <TextInput
            label={t("delete.type", { deviceId: device.deviceId })}
            value={typed}
            autoComplete="off"
            onChange={(event) => setTyped(event.currentTarget.value)}
            data-autofocus
          />
          <Group justify="flex-end" gap="sm">
            <Button variant="default" onClick={onClose}>
              {t("cancel")}
            </Button>
            <Button type="submit" color="red" loading={remove.isPending} disabled={typed.trim() !== device.deviceId}>
              {t("delete.confirm")}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
