import { Button, Stack, Text, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { Link } from "wouter";
import { ApiError, messageOf } from "../../api/errors";
import { useAskForReset, useReset } from "../../api/links";
import { Failure } from "../../ui/Failure";
import { NewPasswordFields } from "../../ui/NewPasswordFields";
import { checkNewPassword } from "../../ui/newPassword";
import { useTitle } from "../../ui/useTitle";
import { LinkCard } from "./LinkCard";

function explain(error: unknown): string {
  if (error instanceof ApiError && error.status === 401) {
    return "This link has been used already, or is not valid any more. Ask for another one.";
  }
  return messageOf(error);
}

/** Where a link for a new password leads; without one, where one is asked for. */
export function ResetPage({ token }: { token: string }) {
  useTitle("New password");
  return (
    <LinkCard title="A new password" text={token ? "It signs you out everywhere." : "By a link that is sent to you."}>
      {token ? <NewPassword token={token} /> : <Ask />}
      <Text size="sm" mt="md">
        <Link href="/sign-in">Go to sign in</Link>
      </Text>
    </LinkCard>
  );
}

function NewPassword({ token }: { token: string }) {
  const [form, setForm] = useState({ password: "", repeat: "" });
  const [checked, setChecked] = useState(false);
  const reset = useReset();
  const faults = checkNewPassword(form);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setChecked(true);
    if (Object.keys(faults).length > 0) return;
    reset.mutate({ token, newPassword: form.password });
  };
  if (reset.isSuccess) return <p role="status">Your password is changed. Sign in with it.</p>;
  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="md">
        {reset.isError && <Failure message={explain(reset.error)} />}
        <NewPasswordFields
          {...form}
          faults={checked ? faults : {}}
          onChange={(part) => setForm((before) => ({ ...before, ...part }))}
        />
        <Button type="submit" loading={reset.isPending} fullWidth>
          Change the password
        </Button>
      </Stack>
    </form>
  );
}

function Ask() {
  const [email, setEmail] = useState("");
  const ask = useAskForReset();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (email.trim()) ask.mutate(email.trim());
  };
  if (ask.isSuccess) return <p role="status">If this address has an account, a link is on its way to it.</p>;
  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="md">
        {ask.isError && <Failure message={messageOf(ask.error)} />}
        <TextInput
          label="Email"
          type="email"
          autoComplete="username"
          value={email}
          onChange={(event) => setEmail(event.currentTarget.value)}
          data-autofocus
        />
        <Button type="submit" loading={ask.isPending} fullWidth>
          Send a link
        </Button>
      </Stack>
    </form>
  );
}
