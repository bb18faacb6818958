import { Modal, Text } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import { Redirect, useLocation, useSearch } from "wouter";
import { isRecalled } from "../api/kept";
import { meKey } from "../api/session";
import type { Me } from "../api/types";
import { ProviderLinks } from "../features/sign-in/ProviderLinks";
import { SignInForm } from "../features/sign-in/SignInForm";
import { Failure } from "../ui/Failure";
import { Shell } from "./Shell";

function signIn(here: string): string {
  return here === "/" ? "/sign-in" : `/sign-in?next=${encodeURIComponent(here)}`;
}

/**
 * The signed-in page. Nobody signed in at first: the sign-in page, and back afterwards. A session that ends meanwhile: a
 * dialog over the page, which stays as it is, so that nothing typed is lost.
 */
export function Session({ me, children }: { me: Me | null; children: ReactNode }) {
  const { t } = useTranslation("shell");
  const cache = useQueryClient();
  const [path] = useLocation();
  const search = useSearch();
  const last = useRef<Me | null>(null);
  const previous = last.current;

  useEffect(() => {
    if (!me) return;
    const before = last.current;
    last.current = me;
    if (before && (before.user?.id !== me.user?.id || before.tenant?.id !== me.tenant?.id)) {
      // Somebody else signed in: nothing of the former session may stay on the page.
      window.location.assign("/");
    }
  }, [me]);

  const shown = me ?? previous;
  const here = search ? `${path}?${search}` : path;
  const isOver = me === null && isRecalled(previous);
  useEffect(() => {
    // What was recalled without a connection is not theirs any more: nothing of it may stay.
    if (isOver) window.location.assign(signIn(here));
  }, [isOver, here]);

  if (isOver) return null;
  if (!shown) {
    return <Redirect to={signIn(here)} replace />;
  }
  return (
    <Shell me={shown}>
      <Modal
        opened={me === null}
        onClose={() => undefined}
        withCloseButton={false}
        closeOnClickOutside={false}
        closeOnEscape={false}
        title={t("ended.title")}
        centered
      >
        <Text size="sm" mb="md">
          {t("ended.text")}
        </Text>
        <SignInForm
          email={shown.user?.email ?? ""}
          onDone={() => void cache.invalidateQueries({ predicate: (query) => query.queryKey[0] !== meKey[0] })}
        />
        <ProviderLinks next={here} />
      </Modal>
      {shown.tenant || path === "/account" || (shown.platformAdmin && path.startsWith("/administration")) ? (
        children
      ) : shown.platformAdmin && shown.tenants.length === 0 ? (
        <Redirect to="/administration/tenants" replace />
      ) : (
        <Failure
          title={t("noTenant.title")}
          message={t(shown.tenants.length > 0 ? "noTenant.choose" : "noTenant.none")}
        />
      )}
    </Shell>
  );
}
