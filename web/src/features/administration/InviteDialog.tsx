import { Button, Group, Modal, Stack, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { messageOf } from "../../api/errors";
import { useInvite } from "../../api/people";
import type { Me, Role } from "../../api/types";
import { Copyable } from "../../ui/Copyable";
import { Failure } from "../../ui/Failure";
import { Select } from "../../ui/Select";
import { offeredRoles } from "./roles";

/** Invites somebody; the link is shown once. */
export function InviteDialog({ me, onClose }: { me: Me; onClose(): void }) {
  const { t } = useTranslation("administration");
  const [email, setEmail] = useState("");
  const [role, setRole] = useState<Role>("viewer");
  const [checked, setChecked] = useState(false);
  const invite = useInvite();
  const wrong = !/^[^@\s]+@[^@\s]+$/.test(email.trim());
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setChecked(true);
    if (!wrong) invite.mutate({ email: email.trim(), role });
  };
  return (
    <Modal
      opened
      onClose={onClose}
      title={t("people.invite")}
      centered
      closeOnClickOutside={false}
      closeButtonProps={{ "aria-label": t("close") }}
    >
      {invite.data ? (
        <Stack gap="md">
          <p>{t(invite.data.sent ? "people.invitedSent" : "people.invited", { email: invite.data.email })}</p>
          <Copyable label={t("people.link")} text={invite.data.link} testId="made-link" />
          <Group justify="flex-end">
            <Button onClick={onClose}>{t("done")}</Button>
          </Group>
        </Stack>
      ) : (
        <form onSubmit={submit} noValidate>
          <Stack gap="md">
            {invite.isError && <Failure message={messageOf(invite.error)} />}
            <TextInput
              label={t("people.email")}
              type="email"
              value={email}
              onChange={(event) => setEmail(event.currentTarget.value)}
              error={checked && wrong && t("people.enterEmail")}
              autoComplete="off"
              data-autofocus
            />
            <Select<Role>
              label={t("people.role")}
              value={role}
              options={offeredRoles(me).map((each) => ({ value: each, label: t(`role.${each}`) }))}
              onChange={setRole}
            />
            <p className="muted small">{t(`roleMeans.${role}`)}</p>
            <Group justify="flex-end">
              <Button variant="default" onClick={onClose}>
                {t("cancel")}
              </Button>
              <Button type="submit" loading={invite.isPending}>
                {t("people.invite")}
              </Button>
            </Group>
          </Stack>
        </form>
      )}
    </Modal>
  );
}
