import { Button } from "@mantine/core";
import { type Query, useQueryClient } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";
import { useTranslation } from "react-i18next";
import { connection, useOnline } from "../api/connection";
import { messageOf } from "../api/errors";
import { useSignOutFailure } from "../api/session";
import { Failure } from "../ui/Failure";
import { formatTimeShort } from "../ui/format";
import { reloadForUpdate, useUpdate } from "./worker";

/** What concerns the whole page: no connection, a new version. */
export function Notices() {
  return (
    <div aria-live="polite">
      <Offline />
      <StillSignedIn />
      <Version />
    </div>
  );
}

function Offline() {
  const { t } = useTranslation("shell");
  const online = useOnline();
  // What is wanted here and was never read waits for a connection.
  const queries = useQueryClient().getQueryCache();
  const unseen = useSyncExternalStore(
    (listener) => queries.subscribe(listener),
    () => queries.findAll({ fetchStatus: "paused", type: "active", predicate: isUnseen }).length,
  );
  if (online) return null;
  const at = connection.lastAnswer;
  return (
    <p className="notice" data-kind="offline" data-testid="offline">
      <strong>{t("offline.title")}</strong>{" "}
      {at !== null && t("offline.asOf", { time: formatTimeShort(at, Date.now()) })} {unseen > 0 && t("offline.unseen")}
    </p>
  );
}

function StillSignedIn() {
  const { t } = useTranslation("shell");
  const failure = useSignOutFailure();
  return failure && <Failure title={t("stillSignedIn")} message={messageOf(failure)} />;
}

function Version() {
  const { t } = useTranslation("shell");
  if (!useUpdate()) return null;
  return (
    <p className="notice" data-testid="new-version">
      {t("version.text")}
      <Button size="compact-sm" variant="default" onClick={reloadForUpdate}>
        {t("version.reload")}
      </Button>
    </p>
  );
}

function isUnseen(query: Query): boolean {
  return query.state.data === undefined;
}
