import { Button, Group, Modal, Stack, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { messageOf } from "../../api/errors";
import { useCreateEnrolmentToken } from "../../api/keys";
import { enrolmentLine } from "../../ui/curl";
import { Failure } from "../../ui/Failure";
import { Select } from "../../ui/Select";
import { ShownOnce } from "./ShownOnce";
import { endOf } from "./terms";

const lives = [1, 7, 30, 365];

/** A text with which so many devices register themselves. */
export function NewTokenDialog({ onClose }: { onClose(): void }) {
  const { t } = useTranslation("administration");
  const [form, setForm] = useState({ name: "", uses: "100", days: "7", prefix: "", location: "", tags: "" });
  const [checked, setChecked] = useState(false);
  const create = useCreateEnrolmentToken();
  const edit = (part: Partial<typeof form>) => setForm((before) => ({ ...before, ...part }));
  const uses = /^\d+$/.test(form.uses.trim()) ? Number(form.uses) : 0;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setChecked(true);
    if (uses < 1) return;
    create.mutate({
      name: form.name.trim(),
      maxUses: uses,
      expiresAt: endOf(Number(form.days), Date.now()),
      deviceIdPrefix: form.prefix.trim(),
      location: form.location.trim(),
      tags: [...new Set(form.tags.split(",").map((tag) => tag.trim()))].filter(Boolean),
    });
  };
  const field = (name: "name" | "prefix" | "location" | "tags", label: string, description?: string) => (
    <TextInput
      label={label}
      {...(description && { description })}
      value={form[name]}
      onChange={(event) => edit({ [name]: event.currentTarget.value })}
      {...(name === "name" && { "data-autofocus": true })}
    />
  );
  return (
    <Modal
      opened
      onClose={onClose}
      title={t("tokens.create")}
      size="lg"
      centered
      closeOnClickOutside={false}
      closeOnEscape={!create.data}
      closeButtonProps={{ "aria-label": t("close") }}
    >
      {create.data ? (
        <Stack gap="md">
          <ShownOnce
            label={t("tokens.token")}
            text={create.data.token}
            line={enrolmentLine({
              origin: window.location.origin,
              token: create.data.token,
              deviceId: `${create.data.deviceIdPrefix}${create.data.deviceIdPrefix ? "1" : "dev-001"}`,
            })}
          />
          <Group justify="flex-end">
            <Button onClick={onClose}>{t("done")}</Button>
          </Group>
        </Stack>
      ) : (
        <form onSubmit={submit} noValidate>
          <Stack gap="md">
            {create.isError && <Failure message={messageOf(create.error)} />}
            {field("name", t("keys.name"))}
            <TextInput
              label={t("tokens.maxUses")}
              inputMode="numeric"
              value={form.uses}
              onChange={(event) => edit({ uses: event.currentTarget.value })}
              error={checked && uses < 1 && t("tokens.enterUses")}
            />
            <Select
              label={t("tokens.life")}
              value={form.days}
              options={lives.map((life) => ({ value: String(life), label: t("limits.days", { count: life }) }))}
              onChange={(days) => edit({ days })}
            />
            {field("prefix", t("tokens.prefix"), t("tokens.prefixHint"))}
            {field("location", t("devices.location"), t("tokens.givenHint"))}
            {field("tags", t("devices.tags"), t("devices.tagsHint"))}
            <Group justify="flex-end">
              <Button variant="default" onClick={onClose}>
                {t("cancel")}
              </Button>
              <Button type="submit" loading={create.isPending}>
                {t("tokens.create")}
              </Button>
            </Group>
          </Stack>
        </form>
      )}
    </Modal>
  );
}
