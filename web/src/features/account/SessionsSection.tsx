import { Button, VisuallyHidden } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { messageOf } from "../../api/errors";
import { useEndSession, useSessions, useSignOutEverywhere } from "../../api/sessions";
import { Failure } from "../../ui/Failure";
import { formatRelative, formatTime } from "../../ui/format";
import { Rows } from "../../ui/Rows";
import { Scrollable } from "../../ui/Scrollable";
import { useNow } from "../../ui/useNow";
import { nameOfAgent } from "./agent";

/** Where one is signed in, and how to end that. */
export function SessionsSection() {
  const { t } = useTranslation("account");
  const sessions = useSessions();
  const end = useEndSession();
  const everywhere = useSignOutEverywhere();
  const now = useNow(10_000);
  const failed = end.error ?? everywhere.error;
  return (
    <section className="card panel" aria-labelledby="sessions-title">
      <div className="panel-head">
        <h2 className="panel-title" id="sessions-title">
          {t("sessions.title")}
        </h2>
        <Button variant="default" loading={everywhere.isPending} onClick={() => everywhere.mutate()}>
          {t("sessions.everywhere")}
        </Button>
      </div>
      <p className="lead">{t("sessions.lead")}</p>
      {failed && <Failure message={messageOf(failed)} />}
      {sessions.isError && <Failure message={messageOf(sessions.error)} onRetry={() => void sessions.refetch()} />}
      {sessions.isPending && <Rows label={t("sessions.loading")} count={2} />}
      {sessions.data && (
        <Scrollable className="table-scroll" label={t("sessions.table")}>
          <table className="table">
            <thead>
              <tr>
                <th scope="col">{t("sessions.program")}</th>
                <th scope="col">{t("sessions.address")}</th>
                <th scope="col">{t("sessions.lastUsed")}</th>
                <th scope="col" className="wide">
                  {t("sessions.since")}
                </th>
                <th scope="col">
                  <VisuallyHidden>{t("sessions.action")}</VisuallyHidden>
                </th>
              </tr>
            </thead>
            <tbody>
              {sessions.data.map((session) => (
                <tr key={session.id} data-testid="session-row">
                  <td title={session.userAgent ?? undefined}>
                    {nameOfAgent(session.userAgent)}
                    {session.kind === "refresh" && ` (${t("sessions.api")})`}
                  </td>
                  <td>{session.address ?? "–"}</td>
                  <td>{session.current ? t("sessions.this") : formatRelative(session.lastUsedAt, now)}</td>
                  <td className="wide">{formatTime(session.createdAt)}</td>
                  <td className="right">
                    {!session.current && (
                      <Button
                        size="xs"
                        variant="default"
                        loading={end.isPending && end.variables === session.id}
                        onClick={() => end.mutate(session.id)}
                        aria-label={t("sessions.endOf", { program: nameOfAgent(session.userAgent) })}
                      >
                        {t("sessions.end")}
                      </Button>
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scrollable>
      )}
    </section>
  );
}
