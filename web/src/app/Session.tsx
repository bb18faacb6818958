import { Modal, Text } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useEffect, useRef } from "react";
import { Redirect, useLocation, useSearch } from "wouter";
import { meKey } from "../api/session";
import type { Me } from "../api/types";
import { ProviderLinks } from "../features/sign-in/ProviderLinks";
import { SignInForm } from "../features/sign-in/SignInForm";
import { Failure } from "../ui/Failure";
import { Shell } from "./Shell";

/**
 * The signed-in page. Nobody signed in at first: the sign-in page, and back afterwards. A session that ends meanwhile: a
 * dialog over the page, which stays as it is, so that nothing typed is lost.
 */
export function Session({ me, children }: { me: Me | null; children: ReactNode }) {
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
  if (!shown) {
    return <Redirect to={here === "/" ? "/sign-in" : `/sign-in?next=${encodeURIComponent(here)}`} replace />;
  }
  return (
    <Shell me={shown}>
      <Modal
        opened={me === null}
        onClose={() => undefined}
        withCloseButton={false}
        closeOnClickOutside={false}
        closeOnEscape={false}
        title="Your session has ended"
        centered
      >
        <Text size="sm" mb="md">
          Sign in again to continue where you were.
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
          title="No tenant"
          message={
            shown.tenants.length > 0
              ? "Choose a tenant at the top of the page."
              : "This account belongs to no tenant. Ask an administrator for an invitation."
          }
        />
      )}
    </Shell>
  );
}
