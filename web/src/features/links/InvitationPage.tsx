import { Button, Stack, Text, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { Link } from "wouter";
import { ApiError, messageOf } from "../../api/errors";
import { useAcceptInvitation, useInvitation, useJoin } from "../../api/links";
import { useMe, useSignOut } from "../../api/session";
import type { OfferedRole } from "../../api/types";
import { Failure } from "../../ui/Failure";
import { Loading } from "../../ui/Loading";
import { NewPasswordFields } from "../../ui/NewPasswordFields";
import { checkNewPassword } from "../../ui/newPassword";
import { useTitle } from "../../ui/useTitle";
import { LinkCard } from "./LinkCard";

function explain(error: unknown): string {
  if (error instanceof ApiError && error.status === 401) {
    return "This invitation has been used already, was withdrawn, or is not valid any more.";
  }
  return messageOf(error);
}

/** Where an invitation leads: a new account, or the account that is there, joins the tenant. */
export function InvitationPage({ token, onDone }: { token: string; onDone(): void }) {
  useTitle("Invitation");
  const offered = useInvitation(token);
  const offer = offered.data;
  return (
    <LinkCard
      title="You are invited"
      text={offer ? `${offer.tenant.name} invites ${offer.email} as ${offer.role}.` : "To Telemetry Slice."}
    >
      {offered.isPending && <Loading />}
      {offered.isError && <Failure message={explain(offered.error)} />}
      {offer && (offer.hasAccount ? <Join token={token} offer={offer} /> : <Accept token={token} onDone={onDone} />)}
    </LinkCard>
  );
}

function Accept({ token, onDone }: { token: string; onDone(): void }) {
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
          label="Your name"
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
          Create account and join
        </Button>
      </Stack>
    </form>
  );
}

function Join({ token, offer }: { token: string; offer: OfferedRole }) {
  const me = useMe();
  const join = useJoin();
  const signOut = useSignOut();
  const email = me.data?.user?.email;
  if (!email) {
    const back = encodeURIComponent(`/invitation?token=${token}`);
    return (
      <Button component={Link} href={`/sign-in?next=${back}`} fullWidth>
        Sign in as {offer.email} to accept
      </Button>
    );
  }
  if (email.toLowerCase() !== offer.email.toLowerCase()) {
    return (
      <Stack gap="md">
        <Text size="sm">You are signed in as {email}. Sign out, then open the link again.</Text>
        <Button variant="default" onClick={() => signOut.mutate()} loading={signOut.isPending} fullWidth>
          Sign out
        </Button>
      </Stack>
    );
  }
  return (
    <Stack gap="md">
      {join.isError && <Failure message={explain(join.error)} />}
      <Button onClick={() => join.mutate(token)} loading={join.isPending} fullWidth>
        Join {offer.tenant.name}
      </Button>
    </Stack>
  );
}
