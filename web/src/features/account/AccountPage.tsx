import { Title } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { useMe } from "../../api/session";
import { useTitle } from "../../ui/useTitle";
import { LocaleSection } from "./LocaleSection";
import { PasswordSection } from "./PasswordSection";
import { SecondFactorSection } from "./SecondFactorSection";
import { SessionsSection } from "./SessionsSection";

/** How one signs in, and where one is signed in. */
export function AccountPage() {
  const { t } = useTranslation("account");
  useTitle(t("title"));
  const user = useMe().data?.user;
  return (
    <>
      <div className="page-head">
        <Title order={1} size="h2">
          {t("title")}
        </Title>
        <span className="muted">{[user?.name, user?.email].filter(Boolean).join(", ")}</span>
      </div>
      <div className="columns">
        <PasswordSection />
        <SecondFactorSection />
      </div>
      <SessionsSection />
      <LocaleSection />
    </>
  );
}
