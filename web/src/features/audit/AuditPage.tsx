import { Button, TextInput, Title } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { type AuditFilter, type AuditOf, auditFile, useAudit } from "../../api/audit";
import { messageOf } from "../../api/errors";
import type { AuditRecord } from "../../api/types";
import { Empty } from "../../ui/Empty";
import { Failure } from "../../ui/Failure";
import { formatTimeShort } from "../../ui/format";
import { Rows } from "../../ui/Rows";
import { Scrollable } from "../../ui/Scrollable";
import { Select } from "../../ui/Select";
import { useNow } from "../../ui/useNow";
import { useTitle } from "../../ui/useTitle";
import { detailOf, whoOf } from "./record";

/** Who did what in the tenant, or to the installation, and what was refused. */
export function AuditPage({ of = "tenant" }: { of?: AuditOf }) {
  const { t } = useTranslation("audit");
  useTitle(t(`title.${of}`));
  const [actor, setActor] = useState("");
  const [filter, setFilter] = useState<AuditFilter>({ actor: "", outcome: "" });
  const audit = useAudit(of, filter);
  const now = useNow(10_000);
  const records = audit.data?.pages.flatMap((page) => page.records) ?? [];
  const last = audit.data?.pages[0]?.head.sequence ?? 0;
  return (
    <>
      <div className="page-head">
        <Title order={1} size="h2">
          {t(`title.${of}`)}
        </Title>
        <Button component="a" href={auditFile(of, filter)} download variant="default">
          {t("download")}
        </Button>
      </div>
      <p className="lead">{t(`lead.${of}`)}</p>
      <form
        className="filters"
        onSubmit={(event) => {
          event.preventDefault();
          setFilter({ ...filter, actor: actor.trim() });
        }}
      >
        <TextInput
          aria-label={t("who")}
          placeholder={t("whoHint")}
          value={actor}
          onChange={(event) => setActor(event.currentTarget.value)}
          onBlur={() => setFilter({ ...filter, actor: actor.trim() })}
          className="filters-text"
        />
        <Select
          label={t("outcome.label")}
          hideLabel
          value={filter.outcome}
          options={[
            { value: "", label: t("outcome.any") },
            { value: "done", label: t("outcome.done") },
            { value: "refused", label: t("outcome.refused") },
          ]}
          onChange={(outcome) => setFilter({ ...filter, outcome })}
        />
      </form>
      {audit.isError && <Failure message={messageOf(audit.error)} onRetry={() => void audit.refetch()} />}
      {audit.isPending && <Rows label={t("loading")} count={8} />}
      {audit.isSuccess && records.length === 0 && (
        <div className="card">
          <Empty title={last > 0 ? t("empty.filtered") : t("empty.none")}>{last > 0 && t("empty.filteredHint")}</Empty>
        </div>
      )}
      {records.length > 0 && (
        <Scrollable className="card table-scroll tall" label={t("table")}>
          <table className="table">
            <thead>
              <tr>
                <th scope="col">{t("column.when")}</th>
                <th scope="col">{t("column.who")}</th>
                <th scope="col">{t("column.what")}</th>
                <th scope="col" className="wide">
                  {t("column.from")}
                </th>
              </tr>
            </thead>
            <tbody>
              {records.map((record) => (
                <Row key={record.sequence} record={record} now={now} />
              ))}
            </tbody>
          </table>
        </Scrollable>
      )}
      {audit.hasNextPage && (
        <div className="more">
          <Button variant="default" onClick={() => void audit.fetchNextPage()} loading={audit.isFetchingNextPage}>
            {t("older")}
          </Button>
        </div>
      )}
    </>
  );
}

function Row({ record, now }: { record: AuditRecord; now: number }) {
  const { t } = useTranslation("audit");
  const detail = detailOf(record);
  return (
    <tr data-testid="audit-row" data-outcome={record.outcome}>
      <td className="number nowrap">
        <time dateTime={record.at} title={t("record", { at: record.at, sequence: record.sequence })}>
          {formatTimeShort(record.at, now)}
        </time>
      </td>
      <td className="anywhere" title={record.actor.id}>
        {whoOf(record.actor)}
        <div className="muted small">{record.actor.kind}</div>
      </td>
      <td className="anywhere">
        {record.outcome === "refused" && <span className="late">{t("refused")}</span>} {record.action} {record.resource}
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
