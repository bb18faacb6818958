import { Button } from "@mantine/core";
import { messageOf } from "../../api/errors";
import { useEndSession, useSessions, useSignOutEverywhere } from "../../api/sessions";
import { Failure } from "../../ui/Failure";
import { formatRelative, formatTime } from "../../ui/format";
import { Loading } from "../../ui/Loading";
import { useNow } from "../../ui/useNow";
import { nameOfAgent } from "./agent";

/** Where one is signed in, and how to end that. */
export function SessionsSection() {
  const sessions = useSessions();
  const end = useEndSession();
  const everywhere = useSignOutEverywhere();
  const now = useNow(10_000);
  const failed = end.error ?? everywhere.error;
  return (
    <section className="card panel" aria-labelledby="sessions-title">
      <div className="panel-head">
        <h2 className="panel-title" id="sessions-title">
          Sessions
        </h2>
        <Button variant="default" loading={everywhere.isPending} onClick={() => everywhere.mutate()}>
          Sign out everywhere
        </Button>
      </div>
      <p className="lead">Where you are signed in. Whatever you do not know: end it, and change your password.</p>
      {failed && <Failure message={messageOf(failed)} />}
      {sessions.isError && <Failure message={messageOf(sessions.error)} onRetry={() => void sessions.refetch()} />}
      {sessions.isPending && <Loading label="Loading the sessions" />}
      {sessions.data && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: who uses no mouse scrolls it with the keys
        <section className="table-scroll" tabIndex={0} aria-label="Sessions, used last first">
          <table className="table">
            <thead>
              <tr>
                <th>Program</th>
                <th>Address</th>
                <th>Last used</th>
                <th className="wide">Since</th>
                <th aria-label="Action" />
              </tr>
            </thead>
            <tbody>
              {sessions.data.map((session) => (
                <tr key={session.id} data-testid="session-row">
                  <td title={session.userAgent ?? undefined}>
                    {nameOfAgent(session.userAgent)}
                    {session.kind === "refresh" && " (API)"}
                  </td>
                  <td>{session.address ?? "–"}</td>
                  <td>{session.current ? "This session" : formatRelative(session.lastUsedAt, now)}</td>
                  <td className="wide">{formatTime(session.createdAt)}</td>
                  <td className="right">
                    {!session.current && (
                      <Button
                        size="xs"
                        variant="default"
                        loading={end.isPending && end.variables === session.id}
                        onClick={() => end.mutate(session.id)}
                        aria-label={`End the session of ${nameOfAgent(session.userAgent)}`}
                      >
                        End
                      </Button>
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
    </section>
  );
}
