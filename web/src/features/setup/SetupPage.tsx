import { Button, Paper, Stack, TextInput, Title } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { ApiError, messageOf } from "../../api/errors";
import { useSetup } from "../../api/session";
import { text } from "../../texts";
import { Centered } from "../../ui/Centered";
import { Failure } from "../../ui/Failure";
import { Logo } from "../../ui/Icon";
import { NewPasswordFields } from "../../ui/NewPasswordFields";
import { useTitle } from "../../ui/useTitle";
import { checkSetup, type SetupForm, suggestTenantId } from "./setupForm";

function explain(error: unknown): string {
  if (error instanceof ApiError && (error.status === 401 || error.status === 403 || error.status === 410)) {
    return text("setup:used");
  }
  return messageOf(error);
}

/** First start: the one-time link creates the first tenant and its owner. */
export function SetupPage({ token, onDone }: { token: string; onDone(): void }) {
  const { t } = useTranslation("setup");
  useTitle(t("title"));
  const [form, setForm] = useState<SetupForm>({ tenantName: "", tenantId: "", email: "", password: "", repeat: "" });
  const [idTouched, setIdTouched] = useState(false);
  const [checked, setChecked] = useState(false);
  const setup = useSetup();
  const faults = checkSetup(form);
  const shown = checked ? faults : {};

  const change = (part: Partial<SetupForm>) => setForm((before) => ({ ...before, ...part }));
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setChecked(true);
    if (Object.keys(faults).length > 0) return;
    setup.mutate(
      {
        token,
        email: form.email.trim(),
        password: form.password,
        tenantId: form.tenantId.trim(),
        tenantName: form.tenantName.trim(),
      },
      { onSuccess: onDone },
    );
  };

  return (
    <Centered>
      <div className="welcome">
        <Logo size={44} />
        <Title order={1} size="h2">
          {t("heading")}
        </Title>
        <p className="welcome-text">{t("lead")}</p>
      </div>
      <Paper withBorder p="lg" className="card">
        {token === "" ? (
          <Failure title={t("incomplete.title")} message={t("incomplete.text")} />
        ) : (
          <form onSubmit={submit} noValidate>
            <Stack gap="md">
              {setup.isError && <Failure message={explain(setup.error)} />}
              <TextInput
                label={t("organisation")}
                value={form.tenantName}
                onChange={(event) => {
                  const tenantName = event.currentTarget.value;
                  change(idTouched ? { tenantName } : { tenantName, tenantId: suggestTenantId(tenantName) });
                }}
                error={shown.tenantName}
                data-autofocus
              />
              <TextInput
                label={t("id")}
                description={t("idHint")}
                value={form.tenantId}
                onChange={(event) => {
                  setIdTouched(true);
                  change({ tenantId: event.currentTarget.value });
                }}
                error={shown.tenantId}
              />
              <TextInput
                label={t("email")}
                type="email"
                autoComplete="username"
                value={form.email}
                onChange={(event) => change({ email: event.currentTarget.value })}
                error={shown.email}
              />
              <NewPasswordFields
                password={form.password}
                repeat={form.repeat}
                faults={{ password: shown.password, repeat: shown.repeat }}
                onChange={change}
              />
              <Button type="submit" loading={setup.isPending} fullWidth>
                {t("submit")}
              </Button>
            </Stack>
          </form>
        )}
      </Paper>
    </Centered>
  );
}
