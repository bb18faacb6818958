import { Button, Group, Modal, Stack, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { messageOf } from "../../api/errors";
import { useCreateTenant, useInviteOwner } from "../../api/tenants";
import type { PlacementKind } from "../../api/types";
import { Copyable } from "../../ui/Copyable";
import { Failure } from "../../ui/Failure";
import { Select } from "../../ui/Select";
import { LimitFields } from "./LimitFields";
import { type LimitName, limitTexts, readLimits } from "./terms";

const placements: PlacementKind[] = ["shared", "schema", "database"];

/** A new tenant with its limits and placement, and the invitation of its first owner. */
export function NewTenantDialog({ onClose }: { onClose(): void }) {
  const { t } = useTranslation("administration");
  const [form, setForm] = useState({ name: "", id: "", owner: "", placement: "shared" as PlacementKind, database: "" });
  const [limits, setLimits] = useState(limitTexts(null));
  const [faults, setFaults] = useState<LimitName[]>([]);
  const [checked, setChecked] = useState(false);
  const create = useCreateTenant();
  const made = create.data;
  const invite = useInviteOwner(made?.id ?? form.id.trim());
  const edit = (part: Partial<typeof form>) => setForm((before) => ({ ...before, ...part }));
  const badId = !/^[a-z0-9][a-z0-9-]{0,62}$/.test(form.id.trim());
  const badOwner = form.owner.trim() !== "" && !/^[^@\s]+@[^@\s]+$/.test(form.owner.trim());

  const submit = (event: FormEvent) => {
    event.preventDefault();
    setChecked(true);
    const read = readLimits(limits);
    setFaults(read.ok ? [] : read.faults);
    if (!read.ok || badId || badOwner || form.name.trim() === "") return;
    create.mutate(
      {
        tenantId: form.id.trim(),
        name: form.name.trim(),
        limits: read.limits,
        placement: form.placement,
        database: form.placement === "database" ? form.database.trim() : null,
      },
      { onSuccess: () => form.owner.trim() && invite.mutate(form.owner.trim()) },
    );
  };
  return (
    <Modal
      opened
      onClose={onClose}
      title={t("tenants.create")}
      size="lg"
      centered
      closeOnClickOutside={false}
      closeButtonProps={{ "aria-label": t("close") }}
    >
      {made ? (
        <Stack gap="md">
          <p role="status">{t("tenants.created", { tenant: made.name })}</p>
          {invite.isError && (
            <Failure message={messageOf(invite.error)} onRetry={() => invite.mutate(form.owner.trim())} />
          )}
          {invite.data && (
            <Copyable
              label={t("owner.link", { email: invite.data.email })}
              text={invite.data.link}
              testId="made-link"
            />
          )}
          {!form.owner.trim() && <p className="muted">{t("owner.none")}</p>}
          <Group justify="flex-end">
            <Button onClick={onClose}>{t("done")}</Button>
          </Group>
        </Stack>
      ) : (
        <form onSubmit={submit} noValidate>
          <Stack gap="md">
            {create.isError && <Failure message={messageOf(create.error)} />}
            <TextInput
              label={t("settings.name")}
              value={form.name}
              onChange={(event) => edit({ name: event.currentTarget.value })}
              error={checked && form.name.trim() === "" && t("settings.enterName")}
              maxLength={200}
              data-autofocus
            />
            <TextInput
              label={t("settings.id")}
              description={t("tenants.idHint")}
              value={form.id}
              onChange={(event) => edit({ id: event.currentTarget.value })}
              error={checked && badId && t("tenants.enterId")}
              spellCheck={false}
            />
            <TextInput
              label={t("owner.first")}
              description={t("owner.firstHint")}
              type="email"
              value={form.owner}
              onChange={(event) => edit({ owner: event.currentTarget.value })}
              error={checked && badOwner && t("people.enterEmail")}
              autoComplete="off"
            />
            <Select<PlacementKind>
              label={t("placement.label")}
              value={form.placement}
              options={placements.map((kind) => ({ value: kind, label: t(`placement.${kind}`) }))}
              onChange={(placement) => edit({ placement })}
            />
            <p className="muted small">{t(`placementMeans.${form.placement}`)}</p>
            {form.placement === "database" && (
              <TextInput
                label={t("placement.name")}
                value={form.database}
                onChange={(event) => edit({ database: event.currentTarget.value })}
                spellCheck={false}
              />
            )}
            <details>
              <summary>{t("limits.title")}</summary>
              <div className="limit-fields">
                <LimitFields texts={limits} faults={faults} onChange={setLimits} />
              </div>
              <p className="muted small">{t("limits.typedHint")}</p>
            </details>
            <Group justify="flex-end">
              <Button variant="default" onClick={onClose}>
                {t("cancel")}
              </Button>
              <Button type="submit" loading={create.isPending}>
                {t("tenants.create")}
              </Button>
            </Group>
          </Stack>
        </form>
      )}
    </Modal>
  );
}
