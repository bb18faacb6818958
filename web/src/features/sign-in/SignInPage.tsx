import { Box, Paper, Text, Title } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link, useSearch } from "wouter";
import { useSignInMethods } from "../../api/links";
import { Centered } from "../../ui/Centered";
import { Failure } from "../../ui/Failure";
import { Logo } from "../../ui/Icon";
import { useTitle } from "../../ui/useTitle";
import { ProviderLinks } from "./ProviderLinks";
import { explainRefusal } from "./refusal";
import { SignInForm } from "./SignInForm";

/** Signing in, to go on at `next`, a path of this page. */
export function SignInPage({ next }: { next: string }) {
  const { t } = useTranslation("signIn");
  useTitle(t("title"));
  const methods = useSignInMethods();
  const refusal = explainRefusal(useSearch());
  return (
    <Centered>
      <div className="welcome">
        <Logo size={44} />
        <Title order={1} size="h2">
          Telemetry Slice
        </Title>
        <p className="welcome-text">{t("claim")}</p>
      </div>
      <Paper withBorder p="lg" className="card">
        {refusal && (
          <Box mb="md">
            <Failure message={refusal} />
          </Box>
        )}
        <SignInForm />
        <ProviderLinks next={next} />
        {methods.data?.resetByEmail && (
          <Text size="sm" mt="md">
            <Link href="/reset">{t("forgot")}</Link>
          </Text>
        )}
      </Paper>
    </Centered>
  );
}
