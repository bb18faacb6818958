import { Button, PasswordInput, Stack, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { ApiError, messageOf } from "../../api/errors";
import { useSignIn } from "../../api/session";
import { Failure } from "../../ui/Failure";

function explain(error: unknown): string {
  if (error instanceof ApiError) {
    if (error.status === 401) return "Email or password is not right.";
    if (error.status === 429) return "Too many attempts. Wait a minute, then try again.";
  }
  return messageOf(error);
}

export function SignInForm({ email: known = "", onDone }: { email?: string; onDone?: () => void }) {
  const [email, setEmail] = useState(known);
  const [password, setPassword] = useState("");
  const [missing, setMissing] = useState<{ email?: string; password?: string }>({});
  const signIn = useSignIn();

  const submit = (event: FormEvent) => {
    event.preventDefault();
    const gaps = {
      email: email.trim() ? undefined : "Enter your email",
      password: password ? undefined : "Enter your password",
    };
    setMissing(gaps);
    if (gaps.email || gaps.password) return;
    signIn.mutate({ email: email.trim(), password }, { onSuccess: () => onDone?.() });
  };

  return (
    <form onSubmit={submit} noValidate>
      <Stack gap="md">
        {signIn.isError && <Failure message={explain(signIn.error)} />}
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
        <Button type="submit" loading={signIn.isPending} fullWidth>
          Sign in
        </Button>
      </Stack>
    </form>
  );
}
