import { Paper, Text, Title } from "@mantine/core";
import { Link } from "wouter";
import { useSignInMethods } from "../../api/links";
import { Centered } from "../../ui/Centered";
import { Logo } from "../../ui/Icon";
import { useTitle } from "../../ui/useTitle";
import { SignInForm } from "./SignInForm";

export function SignInPage() {
  useTitle("Sign in");
  const methods = useSignInMethods();
  return (
    <Centered>
      <div className="welcome">
        <Logo size={44} />
        <Title order={1} size="h2">
          Telemetry Slice
        </Title>
        <p className="welcome-text">Every reading kept exactly once, and accounted for.</p>
      </div>
      <Paper withBorder p="lg" className="card">
        <SignInForm />
        {methods.data?.resetByEmail && (
          <Text size="sm" mt="md">
            <Link href="/reset">Forgot your password?</Link>
          </Text>
        )}
      </Paper>
    </Centered>
  );
}
