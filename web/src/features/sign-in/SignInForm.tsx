import { Button, PasswordInput, Stack, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { ApiError, messageOf } from "../../api/errors";
import { useSignIn } from "../../api/session";
import { Failure } from "../../ui/Failure";

function asksForCode(error: unknown): boolean {
  return error instanceof ApiError && error.code === "second_factor_needed";
}

function explain(error: unknown, withCode: boolean): string {
  if (error instanceof ApiError) {
    if (error.status === 401)
      return withCode ? "The code is not right, or was used already." : "Email or password is not right.";
    if (error.status === 429) return "Too many attempts. Wait a minute, then try again.";
  }
  return messageOf(error);
}

export function SignInForm({ email: known = "", onDone }: { email?: string; onDone?: () => void }) {
  const [email, setEmail] = useState(known);
  const [password, setPassword] = useState("");
  const [missing, setMissing] = useState<{ email?: string; password?: string }>({});
  const [needed, setNeeded] = useState(false);
  const [code, setCode] = useState("");
  const signIn = useSignIn();

  const submit = (event: FormEvent) => {
    event.preventDefault();
    const gaps = {
      email: email.trim() ? undefined : "Enter your email",
      password: password ? undefined : "Enter your password",
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
          label="Email"
          type="email"
          name="email"
          autoComplete="username"
          value={email}
          onChange={(event) => setEmail(event.currentTarget.value)}
          error={missing.email}
          data-autofocus={known ? undefined : true}
        />
        <PasswordInput
          label="Password"
          name="password"
          autoComplete="current-password"
          value={password}
          onChange={(event) => setPassword(event.currentTarget.value)}
          error={missing.password}
          data-autofocus={known ? true : undefined}
          visibilityToggleButtonProps={{ "aria-label": "Show what is typed", tabIndex: 0 }}
        />
        {needed && (
          <TextInput
            label="Code"
            description="Of your authenticator, or a recovery code"
            autoComplete="one-time-code"
            value={code}
            onChange={(event) => setCode(event.currentTarget.value)}
            autoFocus
          />
        )}
        <Button type="submit" loading={signIn.isPending} fullWidth>
          Sign in
        </Button>
      </Stack>
    </form>
  );
}
