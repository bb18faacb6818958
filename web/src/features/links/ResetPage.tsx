import { Button, Stack, Text, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { ApiError, messageOf } from "../../api/errors";
import { useAskForReset, useReset } from "../../api/links";
import { text } from "../../texts";
import { Failure } from "../../ui/Failure";
import { NewPasswordFields } from "../../ui/NewPasswordFields";
import { checkNewPassword } from "../../ui/newPassword";
import { useTitle } from "../../ui/useTitle";
import { LinkCard } from "./LinkCard";

function explain(error: unknown): string {
  if (error instanceof ApiError && error.status === 401) {
    return text("links:reset.used");
  }
  return messageOf(error);
}

/** Where a link for a new password leads; without one, where one is asked for. */
export function ResetPage({ token }: { token: string }) {
  const { t } = useTranslation("links");
  useTitle(t("reset.title"));
  return (
    <LinkCard title={t("reset.heading")} text={t(token ? "reset.everywhere" : "reset.byLink")}>
      {token ? <NewPassword token={token} /> : <Ask />}
      <Text size="sm" mt="md">
        <Link href="/sign-in">{t("reset.toSignIn")}</Link>
      </Text>
    </LinkCard>
  );
}

function NewPassword({ token }: { token: string }) {
  const { t } = useTranslation("links");
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
  if (reset.isSuccess) return <p role="status">{t("reset.changed")}</p>;
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
          {t("reset.change")}
        </Button>
      </Stack>
    </form>
  );
}

function Ask() {
  const { t } = useTranslation("links");
  const [email, setEmail] = useState("");
  const ask = useAskForReset();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (email.trim()) ask.mutate(email.trim());
  };
  if (ask.isSuccess) return <p role="status">{t("reset.onItsWay")}</p>;
  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="md">
        {ask.isError && <Failure message={messageOf(ask.error)} />}
        <TextInput
          label={t("reset.email")}
          type="email"
          autoComplete="username"
          value={email}
          onChange={(event) => setEmail(event.currentTarget.value)}
          data-autofocus
        />
        <Button type="submit" loading={ask.isPending} fullWidth>
          {t("reset.send")}
        </Button>
      </Stack>
    </form>
  );
}
