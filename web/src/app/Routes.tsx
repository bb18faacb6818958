import { type ComponentType, lazy, type ReactNode, Suspense } from "react";
import { useTranslation } from "react-i18next";
import { Redirect, Route, Switch, useLocation, useSearch } from "wouter";
import { messageOf, titleOf } from "../api/errors";
import { useMe } from "../api/session";
import { InvitationPage } from "../features/links/InvitationPage";
import { ResetPage } from "../features/links/ResetPage";
import { SetupPage } from "../features/setup/SetupPage";
import { SignInPage } from "../features/sign-in/SignInPage";
import { Centered } from "../ui/Centered";
import { Failure } from "../ui/Failure";
import { Loading } from "../ui/Loading";
import { Broken } from "./Broken";
import { Session } from "./Session";

const FleetPage = page(() => import("../features/fleet/FleetPage"), "FleetPage");
const DevicePage = page(() => import("../features/device/DevicePage"), "DevicePage");
const BooksPage = page(() => import("../features/books/BooksPage"), "BooksPage");
const DeadLettersPage = page(() => import("../features/dead-letters/DeadLettersPage"), "DeadLettersPage");
const DashboardsPage = page(() => import("../features/dashboards/DashboardsPage"), "DashboardsPage");
const DashboardPage = page(() => import("../features/dashboards/DashboardPage"), "DashboardPage");
const SharedPage = page(() => import("../features/shared/SharedPage"), "SharedPage");
const AuditPage = page(() => import("../features/audit/AuditPage"), "AuditPage");
const AdministrationPage = page(() => import("../features/administration/AdministrationPage"), "AdministrationPage");
const AccountPage = page(() => import("../features/account/AccountPage"), "AccountPage");

// Most come for the fleet: its code is on the way while it is asked who they are.
if (/^\/(devices)?$/.test(window.location.pathname)) void import("../features/fleet/FleetPage");

/** A page loaded when it is first shown. */
function page<Name extends string, Props extends object>(
  load: () => Promise<Record<Name, ComponentType<Props>>>,
  name: Name,
) {
  return lazy(async () => ({ default: (await load())[name] }));
}

export function Routes() {
  const [path] = useLocation();
  return (
    <Switch>
      <Route path="/sign-in">
        <SignInRoute />
      </Route>
      <Route path="/setup">
        <SetupRoute />
      </Route>
      <Route path="/invitation">
        <InvitationRoute />
      </Route>
      <Route path="/shared">
        <Suspense fallback={<Loading />}>
          <SharedPage />
        </Suspense>
      </Route>
      <Route path="/reset">
        <ResetRoute />
      </Route>
      <Route>
        <SignedIn>
          <Broken path={path}>
            <Suspense fallback={<Loading />}>
              <Switch>
                <Route path="/">
                  <Redirect to="/devices" replace />
                </Route>
                <Route path="/devices" component={FleetPage} />
                <Route path="/devices/:deviceId">
                  {(params) => <DevicePage key={params.deviceId} deviceId={decode(params.deviceId)} />}
                </Route>
                <Route path="/dashboards" component={DashboardsPage} />
                <Route path="/dashboards/:id">{({ id }) => <DashboardPage key={id} id={decode(id)} />}</Route>
                <Route path="/books" component={BooksPage} />
                <Route path="/dead-letters" component={DeadLettersPage} />
                <Route path="/audit">
                  <Redirect to="/administration/audit" replace />
                </Route>
                <Route path="/administration/:section?">
                  {({ section }) => (
                    <AdministrationPage
                      section={section ?? ""}
                      audit={<AuditPage />}
                      installationAudit={<AuditPage of="installation" />}
                    />
                  )}
                </Route>
                <Route path="/account" component={AccountPage} />
                <Route>
                  <NoSuchPage />
                </Route>
              </Switch>
            </Suspense>
          </Broken>
        </SignedIn>
      </Route>
    </Switch>
  );
}

function NoSuchPage() {
  const { t } = useTranslation("shell");
  return <Failure title={t("noPage.title")} message={t("noPage.text")} />;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** A path of this page only: an address from elsewhere is never followed. */
function safeNext(search: string): string {
  const next = new URLSearchParams(search).get("next") ?? "/";
  return /^\/(?![/\\])/.test(next) ? next : "/";
}

function SignInRoute() {
  const me = useMe();
  const search = useSearch();
  if (me.data) return <Redirect to={safeNext(search)} replace />;
  return <SignInPage next={safeNext(search)} />;
}

function useToken(): string {
  return new URLSearchParams(useSearch()).get("token") ?? "";
}

function InvitationRoute() {
  const [, navigate] = useLocation();
  return <InvitationPage token={useToken()} onDone={() => navigate("/devices", { replace: true })} />;
}

function ResetRoute() {
  return <ResetPage token={useToken()} />;
}

function SetupRoute() {
  const [, navigate] = useLocation();
  const token = useToken();
  return <SetupPage token={token} onDone={() => navigate("/devices", { replace: true })} />;
}

function SignedIn({ children }: { children: ReactNode }) {
  const me = useMe();
  if (me.isPending) return <Loading />;
  if (me.isError && me.data === undefined) {
    return (
      <Centered>
        <Failure title={titleOf(me.error)} message={messageOf(me.error)} onRetry={() => void me.refetch()} />
      </Centered>
    );
  }
  return <Session me={me.data ?? null}>{children}</Session>;
}
