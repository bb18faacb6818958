import { Button, TextInput, Title } from "@mantine/core";
import { useState } from "react";
import { type AuditFilter, auditFile, useAudit } from "../../api/audit";
import { messageOf } from "../../api/errors";
import type { AuditRecord } from "../../api/types";
import { Empty } from "../../ui/Empty";
import { Failure } from "../../ui/Failure";
import { formatTimeShort } from "../../ui/format";
import { Loading } from "../../ui/Loading";
import { Select } from "../../ui/Select";
import { useNow } from "../../ui/useNow";
import { useTitle } from "../../ui/useTitle";
import { detailOf, whoOf } from "./record";

const outcomes: { value: AuditFilter["outcome"]; label: string }[] = [
  { value: "", label: "Done and refused" },
  { value: "done", label: "Done" },
  { value: "refused", label: "Refused" },
];

/** Who did what in the tenant, and what was refused. */
export function AuditPage() {
  useTitle("Audit");
  const [actor, setActor] = useState("");
  const [filter, setFilter] = useState<AuditFilter>({ actor: "", outcome: "" });
  const audit = useAudit(filter);
  const now = useNow(10_000);
  const records = audit.data?.pages.flatMap((page) => page.records) ?? [];
  const last = audit.data?.pages[0]?.head.sequence ?? 0;
  return (
    <>
      <div className="page-head">
        <Title order={1} size="h2">
          Audit
        </Title>
        <Button component="a" href={auditFile(filter)} download variant="default">
          Download as CSV
        </Button>
      </div>
      <p className="lead">
        Every change, sign-in and key, done or refused. Nobody can change or remove a record; each holds a hash over the
        one before it.
      </p>
      <form
        className="filters"
        onSubmit={(event) => {
          event.preventDefault();
          setFilter({ ...filter, actor: actor.trim() });
        }}
      >
        <TextInput
          aria-label="Who"
          placeholder="Who: a name, an e-mail or an id, whole"
          value={actor}
          onChange={(event) => setActor(event.currentTarget.value)}
          onBlur={() => setFilter({ ...filter, actor: actor.trim() })}
          className="filters-text"
        />
        <Select
          label="Outcome"
          hideLabel
          value={filter.outcome}
          options={outcomes}
          onChange={(outcome) => setFilter({ ...filter, outcome })}
        />
      </form>
      {audit.isError && <Failure message={messageOf(audit.error)} onRetry={() => void audit.refetch()} />}
      {audit.isPending && <Loading label="Loading the audit" />}
      {audit.isSuccess && records.length === 0 && (
        <div className="card">
          <Empty title={last > 0 ? "No such records" : "Nothing has been changed yet"}>
            {last > 0 && "Look for somebody else, or for another outcome."}
          </Empty>
        </div>
      )}
      {records.length > 0 && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: who uses no mouse scrolls it with the keys
        <section className="card table-scroll tall" tabIndex={0} aria-label="Records, newest first">
          <table className="table">
            <thead>
              <tr>
                <th scope="col">When</th>
                <th scope="col">Who</th>
                <th scope="col">What</th>
                <th scope="col" className="wide">
                  From
                </th>
              </tr>
            </thead>
            <tbody>
              {records.map((record) => (
                <Row key={record.sequence} record={record} now={now} />
              ))}
            </tbody>
          </table>
        </section>
      )}
      {audit.hasNextPage && (
        <div className="more">
          <Button variant="default" onClick={() => void audit.fetchNextPage()} loading={audit.isFetchingNextPage}>
            Show older records
          </Button>
        </div>
      )}
    </>
  );
}

function Row({ record, now }: { record: AuditRecord; now: number }) {
  const detail = detailOf(record);
  return (
    <tr data-testid="audit-row" data-outcome={record.outcome}>
      <td className="number nowrap">
        <time dateTime={record.at} title={`${record.at}, record ${record.sequence}`}>
          {formatTimeShort(record.at, now)}
        </time>
      </td>
      <td className="anywhere" title={record.actor.id}>
        {whoOf(record.actor)}
        <div className="muted small">{record.actor.kind}</div>
      </td>
      <td className="anywhere">
        {record.outcome === "refused" && <span className="late">refused</span>} {record.action} {record.resource}
        {(record.target || detail) && (
          <div className="muted small">{[record.target, detail].filter(Boolean).join(" · ")}</div>
        )}
      </td>
      <td className="wide" title={record.agent ?? undefined}>
        {record.address ?? "–"}
      </td>
    </tr>
  );
}
