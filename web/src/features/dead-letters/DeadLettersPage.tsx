import { Button, Title } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useSearchParams } from "wouter";
import { useBooks } from "../../api/books";
import { type LetterFilter, useDeadLetters } from "../../api/deadLetters";
import { messageOf } from "../../api/errors";
import { useMe } from "../../api/session";
import { ConfirmDialog } from "../../ui/ConfirmDialog";
import { Empty } from "../../ui/Empty";
import { Failure } from "../../ui/Failure";
import { formatCount } from "../../ui/format";
import { Rows } from "../../ui/Rows";
import { useNow } from "../../ui/useNow";
import { useTitle } from "../../ui/useTitle";
import { BulkProgress } from "./BulkProgress";
import { Letter } from "./Letter";
import { LetterFilters } from "./LetterFilters";
import { type BulkKind, everyLetter, someLetters, useBulk } from "./useBulk";
import "./dead-letters.css";

export function DeadLettersPage() {
  const { t } = useTranslation("deadLetters");
  useTitle(t("title"));
  const me = useMe();
  const [search, setSearch] = useSearchParams();
  const filter = filterOf(search);
  const [open, setOpen] = useState<number | null>(null);
  const [chosen, setChosen] = useState<ReadonlySet<number>>(new Set());
  const [note, setNote] = useState("");
  const [discarding, setDiscarding] = useState(false);
  const letters = useDeadLetters(filter);
  const books = useBooks();
  const work = useBulk();
  const now = useNow(10_000);
  const rows = letters.data?.pages.flatMap((page) => page.deadLetters) ?? [];
  const mayChange = me.data?.role !== "viewer";
  const replayable = rows.filter((letter) => letter.state === "dead");
  const selected = replayable.filter((letter) => chosen.has(letter.id)).map((letter) => letter.id);
  const filtered = search.size > 0;
  const busy = work.bulk?.state === "running" || work.bulk?.state === "stopping";

  const change = (next: LetterFilter) => {
    setChosen(new Set());
    setOpen(null);
    setSearch(searchOf(next), { replace: true });
  };
  const begin = (kind: BulkKind) => {
    setNote("");
    setDiscarding(false);
    if (selected.length > 0) work.begin(kind, someLetters(selected), selected.length);
    // How many a filter finds in all, only the work itself shows; a page that is the last one tells it.
    else work.begin(kind, everyLetter(filter), letters.hasNextPage ? null : replayable.length);
    setChosen(new Set());
  };
  const what =
    selected.length > 0
      ? t("bulk.selected", { count: selected.length, number: formatCount(selected.length) })
      : filtered
        ? t("bulk.shown")
        : t("bulk.all");

  return (
    <>
      <div className="page-head">
        <Title order={1} size="h2">
          {t("title")}
        </Title>
      </div>
      <p className="lead">{t("lead")}</p>
      <LetterFilters filter={filter} counts={books.data?.dead ?? {}} onChange={change} />
      {mayChange && replayable.length > 0 && (
        <div className="letters-actions">
          <Button size="xs" onClick={() => begin("replay")} disabled={busy}>
            {t("bulk.replayWhat", { what })}
          </Button>
          <Button size="xs" variant="default" onClick={() => setDiscarding(true)} disabled={busy}>
            {t("bulk.discardWhat", { what })}
          </Button>
          <label className="letters-choice">
            <input
              type="checkbox"
              checked={selected.length === replayable.length}
              onChange={(event) =>
                setChosen(new Set(event.currentTarget.checked ? replayable.map((letter) => letter.id) : []))
              }
            />
            {t("bulk.choose", { count: replayable.length, number: formatCount(replayable.length) })}
          </label>
        </div>
      )}
      <p className="note" role="status" data-testid="dead-letter-note">
        {note}
      </p>
      {work.bulk && <BulkProgress bulk={work.bulk} onStop={work.stop} onResume={work.resume} onClose={work.close} />}
      {letters.isError && <Failure message={messageOf(letters.error)} onRetry={() => void letters.refetch()} />}
      {letters.isPending && <Rows label={t("loading")} height={62} />}
      {letters.isSuccess && rows.length === 0 && (
        <div className="card">
          {filtered ? (
            <Empty title={t("empty.filtered")}>{t("empty.filteredHint")}</Empty>
          ) : (
            <Empty title={t("empty.none")}>{t("empty.noneHint")}</Empty>
          )}
        </div>
      )}
      {rows.length > 0 && (
        <ul className="letters" aria-label={t("title")}>
          {rows.map((letter) => (
            <Letter
              key={letter.id}
              letter={letter}
              now={now}
              open={open === letter.id}
              mayChange={mayChange}
              chosen={chosen.has(letter.id)}
              onChoose={(wanted) => {
                const next = new Set(chosen);
                if (wanted) next.add(letter.id);
                else next.delete(letter.id);
                setChosen(next);
              }}
              onToggle={() => setOpen(open === letter.id ? null : letter.id)}
              onDone={(text) => {
                setNote(text);
                setOpen(null);
              }}
            />
          ))}
        </ul>
      )}
      {letters.hasNextPage && (
        <div className="more">
          <Button variant="default" onClick={() => void letters.fetchNextPage()} loading={letters.isFetchingNextPage}>
            {t("more")}
          </Button>
        </div>
      )}
      {discarding && (
        <ConfirmDialog
          title={t("bulk.discardWhat", { what })}
          action={t("editor.discardForGood")}
          onConfirm={() => begin("discard")}
          onClose={() => setDiscarding(false)}
        >
          {t("bulk.discardMeans")}
        </ConfirmDialog>
      )}
    </>
  );
}

function filterOf(search: URLSearchParams): LetterFilter {
  const moment = (name: string) => Number(search.get(name)) || null;
  return {
    reason: search.get("reason") ?? "",
    device: search.get("device") ?? "",
    from: moment("from"),
    to: moment("to"),
  };
}

function searchOf(filter: LetterFilter): Record<string, string> {
  return Object.fromEntries(
    Object.entries(filter).flatMap(([name, value]) => (value ? [[name, String(value)] as const] : [])),
  );
}
