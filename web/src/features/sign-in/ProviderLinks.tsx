import { Button, Divider, Stack } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { useSignInMethods } from "../../api/links";

/** The ways to the providers that people can sign in with, to come back to `next`. Nothing where there are none. */
export function ProviderLinks({ next }: { next: string }) {
  const { t } = useTranslation("signIn");
  const providers = useSignInMethods().data?.providers ?? [];
  if (providers.length === 0) return null;
  return (
    <Stack gap="sm" mt="md">
      <Divider label={t("or")} />
      {providers.map((provider) => (
        <Button
          key={provider.name}
          component="a"
          href={`/api/v1/auth/oidc/${encodeURIComponent(provider.name)}/start?next=${encodeURIComponent(next)}`}
          variant="default"
          fullWidth
        >
          {t("with", { provider: provider.label })}
        </Button>
      ))}
    </Stack>
  );
}
