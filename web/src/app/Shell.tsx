import { ActionIcon, Button } from "@mantine/core";
import { type ReactNode, useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import { Link, useLocation } from "wouter";
import { useChooseTenant, useSignOut } from "../api/session";
import type { Me } from "../api/types";
import { Icon, Logo } from "../ui/Icon";
import { Preferences } from "../ui/Preferences";
import { Notices } from "./Notices";
import { isAt, placesOf } from "./places";
import { Stream } from "./Stream";

/** The frame of every signed-in page: a bar above it, and on a phone the places below, where the thumb is. */
export function Shell({ me, children }: { me: Me; children: ReactNode }) {
  const { t } = useTranslation("shell");
  const [path] = useLocation();
  return (
    <>
      <a className="skip" href="#content">
        {t("skip")}
      </a>
      <header className="bar">
        <div className="bar-inner">
          <Link href="/devices" className="brand" aria-label={t("home")}>
            <Logo />
            <span className="brand-name">Telemetry Slice</span>
          </Link>
          <nav aria-label={t("places")} className="places">
            {placesOf(me).map((place) => (
              <Link
                key={place.path}
                href={place.path}
                className="place"
                aria-label={t(`place.${place.name}`)}
                aria-current={isAt(path, place.path) ? "page" : undefined}
              >
                <span className="place-icon">
                  <Icon name={place.icon} size={20} />
                </span>
                <span className="place-name">{t(`place.${place.name}`)}</span>
                <span className="place-short">{t(`short.${place.name}`)}</span>
              </Link>
            ))}
          </nav>
          <div className="bar-end">
            <Stream />
            <div className="who">
              <Tenant me={me} />
              <span className="user" title={me.role ? t("signedInAs", { role: t(`role.${me.role}`) }) : undefined}>
                {me.user?.name || me.user?.email || me.kind}
              </span>
            </div>
            <Own />
          </div>
        </div>
      </header>
      <main id="content" className="content" tabIndex={-1}>
        <Notices />
        {children}
      </main>
    </>
  );
}

/** One's own: the account, how the page looks, the way out. On a phone all of it is behind one button. */
function Own() {
  const { t } = useTranslation("shell");
  const [path] = useLocation();
  const panel = useRef<HTMLDivElement>(null);
  const signOut = useSignOut();

  // biome-ignore lint/correctness/useExhaustiveDependencies: another place closes it
  useEffect(() => panel.current?.hidePopover?.(), [path]);

  const account = path === "/account" ? ("page" as const) : undefined;
  return (
    <>
      <ActionIcon
        component={Link}
        href="/account"
        variant="default"
        size={32}
        aria-label={t("account")}
        aria-current={account}
        className="desk"
      >
        <Icon name="person" />
      </ActionIcon>
      <ActionIcon variant="default" size={32} aria-label={t("settings")} popoverTarget="own" className="own-open">
        <Icon name="settings" />
      </ActionIcon>
      <Button
        variant="default"
        size="xs"
        h={32}
        onClick={() => signOut.mutate()}
        loading={signOut.isPending}
        className="desk"
        aria-label={t("signOut")}
      >
        <Icon name="leave" />
        <span className="wide">{t("signOut")}</span>
      </Button>
      <div id="own" ref={panel} popover="auto" className="own card">
        <Preferences />
        <Link href="/account" className="own-line hand" aria-current={account}>
          <Icon name="person" size={20} />
          {t("account")}
        </Link>
        <button type="button" className="own-line hand" onClick={() => signOut.mutate()} disabled={signOut.isPending}>
          <Icon name="leave" size={20} />
          {t("signOut")}
        </button>
      </div>
    </>
  );
}

/** The tenant's name; a choice for who belongs to several. */
function Tenant({ me }: { me: Me }) {
  const { t } = useTranslation("shell");
  const choose = useChooseTenant();
  if (me.tenants.length < 2) {
    return (
      <span className="tenant" data-testid="tenant">
        {me.tenant?.name ?? t("platform")}
      </span>
    );
  }
  return (
    <select
      className="tenant tenant-choice"
      aria-label={t("tenant")}
      data-testid="tenant"
      value={me.tenant?.id ?? ""}
      disabled={choose.isPending}
      onChange={(event) => choose.mutate(event.currentTarget.value)}
    >
      {!me.tenant && <option value="">{t("chooseTenant")}</option>}
      {me.tenants.map((tenant) => (
        <option key={tenant.id} value={tenant.id}>
          {tenant.name}
        </option>
      ))}
    </select>
  );
}
