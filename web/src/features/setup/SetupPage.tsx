import { Button, Paper, PasswordInput, Stack, TextInput, Title } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { ApiError, messageOf } from "../../api/errors";
import { useSetup } from "../../api/session";
import { Centered } from "../../ui/Centered";
import { Failure } from "../../ui/Failure";
import { Logo } from "../../ui/Icon";
import { useTitle } from "../../ui/useTitle";
import { checkSetup, type SetupForm, suggestTenantId } from "./setupForm";

function explain(error: unknown): string {
  if (error instanceof ApiError && (error.status === 401 || error.status === 403 || error.status === 410)) {
    return "This set-up link has been used already or is not valid. Sign in if the platform is set up.";
  }
  return messageOf(error);
}

/** First start: the one-time link creates the first tenant and its owner. */
export function SetupPage({ token, onDone }: { token: string; onDone(): void }) {
  useTitle("Set up");
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
          Set up Telemetry Slice
        </Title>
        <p className="welcome-text">Name your organisation and create its first account.</p>
      </div>
      <Paper withBorder p="lg" className="card">
        {token === "" ? (
          <Failure
            title="The link is incomplete"
            message="Open the whole set-up link that the server printed when it started."
          />
        ) : (
          <form onSubmit={submit} noValidate>
            <Stack gap="md">
              {setup.isError && <Failure message={explain(setup.error)} />}
              <TextInput
                label="Organisation"
                value={form.tenantName}
                onChange={(event) => {
                  const tenantName = event.currentTarget.value;
                  change(idTouched ? { tenantName } : { tenantName, tenantId: suggestTenantId(tenantName) });
                }}
                error={shown.tenantName}
                data-autofocus
              />
              <TextInput
                label="Organisation id"
                description="Lower-case letters, digits and hyphens; it cannot be changed later"
                value={form.tenantId}
                onChange={(event) => {
                  setIdTouched(true);
                  change({ tenantId: event.currentTarget.value });
                }}
                error={shown.tenantId}
              />
              <TextInput
                label="Email"
                type="email"
                autoComplete="username"
                value={form.email}
                onChange={(event) => change({ email: event.currentTarget.value })}
                error={shown.email}
              />
              <PasswordInput
                label="Password"
                description="At least 12 characters"
                autoComplete="new-password"
                value={form.password}
                onChange={(event) => change({ password: event.currentTarget.value })}
                error={shown.password}
                visibilityToggleButtonProps={{ "aria-label": "Show the password", tabIndex: 0 }}
              />
              <PasswordInput
                label="Repeat the password"
                autoComplete="new-password"
                value={form.repeat}
                onChange={(event) => change({ repeat: event.currentTarget.value })}
                error={shown.repeat}
                visibilityToggleButtonProps={{ "aria-label": "Show the repeated password", tabIndex: 0 }}
              />
              <Button type="submit" loading={setup.isPending} fullWidth>
                Create and sign in
              </Button>
            </Stack>
          </form>
        )}
      </Paper>
    </Centered>
  );
}
