import { Skeleton, Title } from "@mantine/core";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { useBooks, useStatus } from "../../api/books";
import { messageOf } from "../../api/errors";
import type { Books } from "../../api/types";
import { Failure } from "../../ui/Failure";
import { formatCount, formatRelative } from "../../ui/format";
import { Icon } from "../../ui/Icon";
import { useNow } from "../../ui/useNow";
import { useTitle } from "../../ui/useTitle";
import { ranked, total, verdictOf } from "./balance";
import { OverTime } from "./OverTime";
import { Storage } from "./Storage";
import "./books.css";

export function BooksPage() {
  const { t } = useTranslation("books");
  useTitle(t("title"));
  const books = useBooks();
  const status = useStatus();
  const now = useNow();
  return (
    <>
      <div className="page-head">
        <Title order={1} size="h2">
          {t("title")}
        </Title>
        {books.dataUpdatedAt > 0 && (
          <span className="muted small">
            {t("updated", { ago: formatRelative(new Date(books.dataUpdatedAt).toISOString(), now) })}
          </span>
        )}
      </div>
      {books.isError && <Failure message={messageOf(books.error)} onRetry={() => void books.refetch()} />}
      {books.isPending && (
        <div role="status" aria-label={t("loading")}>
          <Skeleton height={74} mb="md" />
          <Skeleton height={140} mb="md" />
        </div>
      )}
      {books.data && <Balance books={books.data} />}
      <OverTime />
      {books.data && <Details books={books.data} />}
      {status.data?.storage && <Storage storage={status.data.storage} />}
    </>
  );
}

function Balance({ books }: { books: Books }) {
  const { t } = useTranslation("books");
  const verdict = verdictOf(books);
  const terms = [
    ["stored", "books-stored", books.stored],
    ["duplicate", "books-duplicate", books.duplicate],
    ["dead", "books-dead", total(books.dead)],
    ["inFlight", "books-in-flight", books.inFlight],
  ] as const;
  return (
    <>
      <section className="card verdict" data-balanced={verdict.balanced} aria-label={t("verdict.label")}>
        <span className="verdict-mark">
          <Icon name={verdict.balanced ? "check" : "warning"} size={22} />
        </span>
        <div>
          <h2 className="verdict-head" data-testid="books-balanced" data-balanced={verdict.balanced}>
            {verdict.headline}
          </h2>
          <p className="verdict-text">{verdict.explanation}</p>
        </div>
      </section>
      <section className="card panel" aria-label={t("accepted.label")}>
        <h2 className="panel-title">{t("accepted.title")}</h2>
        <div className="equation">
          <Term
            name={t("entry.accepted")}
            testId="books-accepted"
            count={books.accepted}
            hint={t("hint.accepted")}
            strong
          />
          {terms.map(([entry, testId, count], index) => (
            <Term
              key={entry}
              sign={index === 0 ? "=" : "+"}
              name={t(`entry.${entry}`)}
              testId={testId}
              count={count}
              hint={t(`hint.${entry}`)}
            />
          ))}
        </div>
      </section>
    </>
  );
}

function Details({ books }: { books: Books }) {
  const { t } = useTranslation("books");
  const dead = total(books.dead);
  return (
    <div className="columns">
      <section className="card panel" aria-label={t("gate.label")}>
        <h2 className="panel-title">{t("gate.title")}</h2>
        <dl className="ledger">
          <Entry name={t("entry.received")} count={books.received} testId="books-received" />
          <Entry name={t("entry.accepted")} count={books.accepted} />
          <Entry name={t("entry.rejected")} count={total(books.rejected)} testId="books-rejected" />
          {ranked(books.rejected).map(([code, count]) => (
            <Entry key={code} name={code} count={count} nested />
          ))}
        </dl>
        <p className="muted small">{t("gate.note")}</p>
      </section>
      <section className="card panel" aria-label={t("letters.label")}>
        <h2 className="panel-title">{t("letters.title")}</h2>
        <dl className="ledger">
          <Entry name={t("entry.dead")} count={dead} />
          {ranked(books.dead).map(([reason, count]) => (
            <Entry
              key={reason}
              name={<Link href={`/dead-letters?reason=${encodeURIComponent(reason)}`}>{reason}</Link>}
              count={count}
              nested
            />
          ))}
        </dl>
        <p className="muted small">
          {dead > 0 ? <Link href="/dead-letters">{t("letters.look")}</Link> : t("letters.none")}
        </p>
      </section>
    </div>
  );
}

function Term(props: { sign?: string; name: string; testId: string; count: number; hint: string; strong?: boolean }) {
  return (
    <>
      {props.sign && <span className="sign">{props.sign}</span>}
      <div className="term" data-strong={props.strong || undefined}>
        <span className="term-name">{props.name}</span>
        <span className="term-count" data-testid={props.testId} data-count={props.count}>
          {formatCount(props.count)}
        </span>
        <span className="term-hint">{props.hint}</span>
      </div>
    </>
  );
}

function Entry(props: { name: ReactNode; count: number; testId?: string; nested?: boolean }) {
  return (
    <div className="entry" data-nested={props.nested || undefined}>
      <dt>{props.name}</dt>
      <dd className="number" data-testid={props.testId} data-count={props.count}>
        {formatCount(props.count)}
      </dd>
    </div>
  );
}
