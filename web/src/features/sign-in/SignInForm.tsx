import { Button, PasswordInput, Stack, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { ApiError, messageOf } from "../../api/errors";
import { useSignIn } from "../../api/session";
import { text } from "../../texts";
import { Failure } from "../../ui/Failure";

function asksForCode(error: unknown): boolean {
  return error instanceof ApiError && error.code === "second_factor_needed";
}

function explain(error: unknown, withCode: boolean): string {
  if (error instanceof ApiError) {
    if (error.status === 401) return text(withCode ? "signIn:wrong.code" : "signIn:wrong.password");
    if (error.status === 429) return text("signIn:wrong.tooMany");
  }
  return messageOf(error);
}

export function SignInForm({ email: known = "", onDone }: { email?: string; onDone?: () => void }) {
  const { t } = useTranslation("signIn");
  const [email, setEmail] = useState(known);
  const [password, setPassword] = useState("");
  const [missing, setMissing] = useState<{ email?: string; password?: string }>({});
  const [needed, setNeeded] = useState(false);
  const [code, setCode] = useState("");
  const signIn = useSignIn();

  const submit = (event: FormEvent) => {
    event.preventDefault();
    const gaps = {
      email: email.trim() ? undefined : t("missing.email"),
      password: password ? undefined : t("missing.password"),
    };
    setMissing(gaps);
    if (gaps.email || gaps.password) return;
    signIn.mutate(
      { email: email.trim(), password, ...(needed && code.trim() && { code: code.trim() }) },
      { onSuccess: () => onDone?.(), onError: (error) => setNeeded(needed || asksForCode(error)) },
    );
  };

  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="md">
        {signIn.isError && !asksForCode(signIn.error) && (
          <Failure message={explain(signIn.error, signIn.variables.code !== undefined)} />
        )}
        <TextInput
          label={t("email")}
          type="email"
          name="email"
          autoComplete="username"
          value={email}
          onChange={(event) => setEmail(event.currentTarget.value)}
          error={missing.email}
          data-autofocus={known ? undefined : true}
        />
        <PasswordInput
          label={t("password")}
          name="password"
          autoComplete="current-password"
          value={password}
          onChange={(event) => setPassword(event.currentTarget.value)}
          error={missing.password}
          data-autofocus={known ? true : undefined}
          visibilityToggleButtonProps={{ "aria-label": t("show"), tabIndex: 0 }}
        />
        {needed && (
          <TextInput
            label={t("code")}
            description={t("codeHint")}
            autoComplete="one-time-code"
            value={code}
            onChange={(event) => setCode(event.currentTarget.value)}
            autoFocus
          />
        )}
        <Button type="submit" loading={signIn.isPending} fullWidth>
          {t("submit")}
        </Button>
      </Stack>
    </form>
  );
}
