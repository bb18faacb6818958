import { Button, Group, Modal, Stack, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { useChangeDevice } from "../../api/deviceChange";
import { messageOf } from "../../api/errors";
import type { Device } from "../../api/types";
import { Failure } from "../../ui/Failure";
import { tagsOf } from "../../ui/tags";

/** Label, location and tags of a device. What is typed stays until it is saved or given up. */
export function FactsForm({ device, onClose }: { device: Device; onClose(): void }) {
  const { t } = useTranslation("device");
  const change = useChangeDevice(device.deviceId);
  const [label, setLabel] = useState(device.label);
  const [location, setLocation] = useState(device.location);
  const [tags, setTags] = useState(device.tags.join(", "));
  const submit = (event: FormEvent) => {
    event.preventDefault();
    change.mutate({ label: label.trim(), location: location.trim(), tags: tagsOf(tags) }, { onSuccess: onClose });
  };
  return (
    <Modal opened onClose={onClose} title={t("facts.title")} centered>
      <form onSubmit={submit}>
        <Stack gap="sm">
          {change.isError && <Failure message={messageOf(change.error)} />}
          <TextInput
            label={t("facts.label")}
            value={label}
            maxLength={200}
            onChange={(event) => setLabel(event.currentTarget.value)}
            data-autofocus
          />
          <TextInput
            label={t("facts.location")}
            value={location}
            maxLength={200}
            onChange={(event) => setLocation(event.currentTarget.value)}
          />
          <TextInput
            label={t("facts.tags")}
            description={t("facts.tagsHint")}
            value={tags}
            onChange={(event) => setTags(event.currentTarget.value)}
          />
          <Group justify="flex-end" gap="sm">
            <Button variant="default" onClick={onClose}>
              {t("cancel")}
            </Button>
            <Button type="submit" loading={change.isPending}>
              {t("facts.save")}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
