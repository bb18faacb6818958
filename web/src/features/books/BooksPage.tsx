import { Title } from "@mantine/core";
import type { ReactNode } from "react";
import { Link } from "wouter";
import { useBooks, useStatus } from "../../api/books";
import { messageOf } from "../../api/errors";
import type { Books, Status } from "../../api/types";
import { Failure } from "../../ui/Failure";
import { formatBytes, formatCount, formatRelative } from "../../ui/format";
import { Icon } from "../../ui/Icon";
import { Loading } from "../../ui/Loading";
import { useNow } from "../../ui/useNow";
import { useTitle } from "../../ui/useTitle";
import { ranked, total, verdictOf } from "./balance";
import { forecastOf } from "./forecast";

export function BooksPage() {
  useTitle("Books");
  const books = useBooks();
  const status = useStatus();
  const now = useNow();
  return (
    <>
      <div className="page-head">
        <Title order={1} size="h2">
          Books
        </Title>
        {books.dataUpdatedAt > 0 && (
          <span className="muted small">
            Updated {formatRelative(new Date(books.dataUpdatedAt).toISOString(), now)}
          </span>
        )}
      </div>
      {books.isError && <Failure message={messageOf(books.error)} onRetry={() => void books.refetch()} />}
      {books.isPending && <Loading label="Loading the books" />}
      {books.data && <Figures books={books.data} />}
      {status.data?.storage && <Storage storage={status.data.storage} />}
    </>
  );
}

function Figures({ books }: { books: Books }) {
  const verdict = verdictOf(books);
  const dead = total(books.dead);
  const rejected = total(books.rejected);
  return (
    <>
      <section className="card verdict" data-balanced={verdict.balanced} aria-label="Verdict">
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

      <section className="card panel" aria-label="Accepted events">
        <h2 className="panel-title">What became of every accepted event</h2>
        <div className="equation">
          <Term
            name="Accepted"
            testId="books-accepted"
            count={books.accepted}
            hint="Acknowledged to the sender"
            strong
          />
          <Sign>=</Sign>
          <Term name="Stored" testId="books-stored" count={books.stored} hint="Kept, exactly once" />
          <Sign>+</Sign>
          <Term name="Duplicate" testId="books-duplicate" count={books.duplicate} hint="Sent again, already stored" />
          <Sign>+</Sign>
          <Term name="Dead" testId="books-dead" count={dead} hint="Could not be stored" />
          <Sign>+</Sign>
          <Term name="In flight" testId="books-in-flight" count={books.inFlight} hint="Safe in the queue" />
        </div>
      </section>

      <div className="columns">
        <section className="card panel" aria-label="Received events">
          <h2 className="panel-title">At the gate</h2>
          <dl className="ledger">
            <Entry name="Received" count={books.received} testId="books-received" />
            <Entry name="Accepted" count={books.accepted} />
            <Entry name="Rejected" count={rejected} testId="books-rejected" />
            {ranked(books.rejected).map(([code, count]) => (
              <Entry key={code} name={code} count={count} nested />
            ))}
          </dl>
          <p className="muted small">Rejected events were answered with the reason and never acknowledged.</p>
        </section>
        <section className="card panel" aria-label="Dead letters by reason">
          <h2 className="panel-title">Dead letters</h2>
          <dl className="ledger">
            <Entry name="Dead" count={dead} />
            {ranked(books.dead).map(([reason, count]) => (
              <Entry key={reason} name={reason} count={count} nested />
            ))}
          </dl>
          <p className="muted small">
            {dead > 0 ? (
              <Link href="/dead-letters">Look at them, mend and replay them</Link>
            ) : (
              "Nothing that was accepted had to be set aside."
            )}
          </p>
        </section>
      </div>
    </>
  );
}

function Term(props: { name: string; testId: string; count: number; hint: string; strong?: boolean }) {
  return (
    <div className="term" data-strong={props.strong || undefined}>
      <span className="term-name">{props.name}</span>
      <span className="term-count" data-testid={props.testId} data-count={props.count}>
        {formatCount(props.count)}
      </span>
      <span className="term-hint">{props.hint}</span>
    </div>
  );
}

function Sign({ children }: { children: ReactNode }) {
  return <span className="sign">{children}</span>;
}

function Entry(props: { name: string; count: number; testId?: string; nested?: boolean }) {
  return (
    <div className="entry" data-nested={props.nested || undefined}>
      <dt>{props.name}</dt>
      <dd className="number" data-testid={props.testId} data-count={props.count}>
        {formatCount(props.count)}
      </dd>
    </div>
  );
}

function Storage({ storage }: { storage: NonNullable<Status["storage"]> }) {
  const share = storage.dataBytes / Math.max(1, storage.dataBytes + storage.freeBytes);
  return (
    <section className="card panel" aria-label="Storage">
      <h2 className="panel-title">Storage</h2>
      {storage.ingest === "refused" && (
        <Failure
          title="New events are refused"
          message={storage.reason || "The disk is nearly full. Reading goes on."}
        />
      )}
      <p className="storage-line">
        <b>{formatBytes(storage.dataBytes)}</b> of data, <b>{formatBytes(storage.freeBytes)}</b> free
        {storage.bytesPerDay !== null && storage.bytesPerDay > 0 && (
          <>
            , growing by <b>{formatBytes(storage.bytesPerDay)}</b> a day
          </>
        )}
        .
      </p>
      <progress
        className="meter"
        value={share}
        max={1}
        aria-label={`${Math.round(share * 100)} percent of the available space is used by data`}
      />
      <p className="muted small" data-testid="storage-forecast">
        {forecastOf(storage)}
      </p>
    </section>
  );
}
