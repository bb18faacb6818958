import { Button, Stack, Text, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { ApiError, messageOf } from "../../api/errors";
import { useAcceptInvitation, useInvitation, useJoin } from "../../api/links";
import { useMe, useSignOut } from "../../api/session";
import type { OfferedRole } from "../../api/types";
import { text } from "../../texts";
import { Failure } from "../../ui/Failure";
import { Loading } from "../../ui/Loading";
import { NewPasswordFields } from "../../ui/NewPasswordFields";
import { checkNewPassword } from "../../ui/newPassword";
import { useTitle } from "../../ui/useTitle";
import { LinkCard } from "./LinkCard";

function explain(error: unknown): string {
  if (error instanceof ApiError && error.status === 401) {
    return text("links:invitation.used");
  }
  return messageOf(error);
}

/** Where an invitation leads: a new account, or the account that is there, joins the tenant. */
export function InvitationPage({ token, onDone }: { token: string; onDone(): void }) {
  const { t } = useTranslation(["links", "shell"]);
  useTitle(t("invitation.title"));
  const offered = useInvitation(token);
  const offer = offered.data;
  return (
    <LinkCard
      title={t("invitation.heading")}
      text={
        offer
          ? t("invitation.offer", {
              tenant: offer.tenant.name,
              email: offer.email,
              role: t(`shell:role.${offer.role}`),
            })
          : t("invitation.lead")
      }
    >
      {offered.isPending && <Loading />}
      {offered.isError && <Failure message={explain(offered.error)} />}
      {offer && (offer.hasAccount ? <Join token={token} offer={offer} /> : <Accept token={token} onDone={onDone} />)}
    </LinkCard>
  );
}

function Accept({ token, onDone }: { token: string; onDone(): void }) {
  const { t } = useTranslation("links");
  const [form, setForm] = useState({ name: "", password: "", repeat: "" });
  const [checked, setChecked] = useState(false);
  const accept = useAcceptInvitation();
  const faults = checkNewPassword(form);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setChecked(true);
    if (Object.keys(faults).length > 0) return;
    accept.mutate({ token, name: form.name.trim(), password: form.password }, { onSuccess: onDone });
  };
  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="md">
        {accept.isError && <Failure message={explain(accept.error)} />}
        <TextInput
          label={t("invitation.name")}
          autoComplete="name"
          value={form.name}
          onChange={(event) => {
            const name = event.currentTarget.value;
            setForm((before) => ({ ...before, name }));
          }}
          data-autofocus
        />
        <NewPasswordFields
          {...form}
          faults={checked ? faults : {}}
          onChange={(part) => setForm((before) => ({ ...before, ...part }))}
        />
        <Button type="submit" loading={accept.isPending} fullWidth>
          {t("invitation.accept")}
        </Button>
      </Stack>
    </form>
  );
}

function Join({ token, offer }: { token: string; offer: OfferedRole }) {
  const { t } = useTranslation(["links", "shell"]);
  const me = useMe();
  const join = useJoin();
  const signOut = useSignOut();
  const email = me.data?.user?.email;
  if (!email) {
    const back = encodeURIComponent(`/invitation?token=${token}`);
    return (
      <Button component={Link} href={`/sign-in?next=${back}`} fullWidth>
        {t("invitation.signIn", { email: offer.email })}
      </Button>
    );
  }
  if (email.toLowerCase() !== offer.email.toLowerCase()) {
    return (
      <Stack gap="md">
        <Text size="sm">{t("invitation.other", { email })}</Text>
        <Button variant="default" onClick={() => signOut.mutate()} loading={signOut.isPending} fullWidth>
          {t("shell:signOut")}
        </Button>
      </Stack>
    );
  }
  return (
    <Stack gap="md">
      {join.isError && <Failure message={explain(join.error)} />}
      <Button onClick={() => join.mutate(token)} loading={join.isPending} fullWidth>
        {t("invitation.join", { tenant: offer.tenant.name })}
      </Button>
    </Stack>
  );
}
