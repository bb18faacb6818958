import { Title } from "@mantine/core";
import { useMe } from "../../api/session";
import { useTitle } from "../../ui/useTitle";
import { PasswordSection } from "./PasswordSection";
import { SecondFactorSection } from "./SecondFactorSection";
import { SessionsSection } from "./SessionsSection";

/** How one signs in, and where one is signed in. */
export function AccountPage() {
  useTitle("Your account");
  const user = useMe().data?.user;
  return (
    <>
      <div className="page-head">
        <Title order={1} size="h2">
          Your account
        </Title>
        <span className="muted">{[user?.name, user?.email].filter(Boolean).join(", ")}</span>
      </div>
      <div className="columns">
        <PasswordSection />
        <SecondFactorSection />
      </div>
      <SessionsSection />
    </>
  );
}
