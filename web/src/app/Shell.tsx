import { ActionIcon, Button, useComputedColorScheme, useMantineColorScheme } from "@mantine/core";
import type { ReactNode } from "react";
import { Link, useLocation } from "wouter";
import { useChooseTenant, useSignOut } from "../api/session";
import type { Me } from "../api/types";
import { Icon, Logo } from "../ui/Icon";

const places = [
  { path: "/devices", name: "Devices" },
  { path: "/dashboards", name: "Dashboards" },
  { path: "/books", name: "Books" },
  { path: "/dead-letters", name: "Dead letters" },
];
const administration = [{ path: "/audit", name: "Audit" }];

/** Where a person can go: not to what would be refused. */
function placesOf(me: Me) {
  return me.role === "owner" || me.role === "admin" ? [...places, ...administration] : places;
}

/** Top bar and frame of every signed-in page. */
export function Shell({ me, children }: { me: Me; children: ReactNode }) {
  const [path] = useLocation();
  const signOut = useSignOut();
  return (
    <>
      <a className="skip" href="#content">
        Skip to content
      </a>
      <header className="bar">
        <div className="bar-inner">
          <Link href="/devices" className="brand" aria-label="Telemetry Slice, device list">
            <Logo />
            <span className="brand-name">Telemetry Slice</span>
          </Link>
          <nav aria-label="Main" className="places">
            {placesOf(me).map((place) => (
              <Link
                key={place.path}
                href={place.path}
                className="place"
                aria-current={path.startsWith(place.path) ? "page" : undefined}
              >
                {place.name}
              </Link>
            ))}
          </nav>
          <div className="bar-end">
            <div className="who">
              <Tenant me={me} />
              <span className="user" title={me.role ? `Signed in as ${me.role}` : undefined}>
                {me.user?.name || me.user?.email || me.kind}
              </span>
            </div>
            <ActionIcon
              component={Link}
              href="/account"
              variant="default"
              size={30}
              aria-label="Your account"
              aria-current={path === "/account" ? "page" : undefined}
            >
              <Icon name="person" />
            </ActionIcon>
            <SchemeSwitch />
            <Button
              variant="default"
              size="xs"
              onClick={() => signOut.mutate()}
              loading={signOut.isPending}
              className="sign-out"
              aria-label="Sign out"
            >
              <Icon name="leave" />
              <span className="wide">Sign out</span>
            </Button>
          </div>
        </div>
      </header>
      <main id="content" className="content" tabIndex={-1}>
        {children}
      </main>
    </>
  );
}

/** The tenant's name; a choice for who belongs to several. */
function Tenant({ me }: { me: Me }) {
  const choose = useChooseTenant();
  if (me.tenants.length < 2) {
    return (
      <span className="tenant" data-testid="tenant">
        {me.tenant?.name ?? "Platform"}
      </span>
    );
  }
  return (
    <select
      className="tenant tenant-choice"
      aria-label="Tenant"
      data-testid="tenant"
      value={me.tenant?.id ?? ""}
      disabled={choose.isPending}
      onChange={(event) => choose.mutate(event.currentTarget.value)}
    >
      {!me.tenant && <option value="">Choose a tenant</option>}
      {me.tenants.map((tenant) => (
        <option key={tenant.id} value={tenant.id}>
          {tenant.name}
        </option>
      ))}
    </select>
  );
}

function SchemeSwitch() {
  // Keeping transitions: the kit would switch them off with a style element.
  const { setColorScheme } = useMantineColorScheme({ keepTransitions: true });
  const scheme = useComputedColorScheme("light");
  const other = scheme === "dark" ? "light" : "dark";
  return (
    <ActionIcon variant="default" size={30} aria-label={`Use ${other} colours`} onClick={() => setColorScheme(other)}>
      <Icon name={other === "dark" ? "moon" : "sun"} />
    </ActionIcon>
  );
}
