import { Button, Title } from "@mantine/core";
import { useState } from "react";
import { useBooks } from "../../api/books";
import { useBulkReplay, useDeadLetters } from "../../api/deadLetters";
import { messageOf } from "../../api/errors";
import { useMe } from "../../api/session";
import type { DeadLetter } from "../../api/types";
import { Empty } from "../../ui/Empty";
import { Failure } from "../../ui/Failure";
import { formatCount, formatRelative, formatTime } from "../../ui/format";
import { Loading } from "../../ui/Loading";
import { Select } from "../../ui/Select";
import { useNow } from "../../ui/useNow";
import { useTitle } from "../../ui/useTitle";
import { LetterEditor } from "./LetterEditor";
import { bulkText, meaningOf } from "./letters";

export function DeadLettersPage() {
  useTitle("Dead letters");
  const me = useMe();
  const [reason, setReason] = useState("");
  const [open, setOpen] = useState<number | null>(null);
  const [note, setNote] = useState("");
  const letters = useDeadLetters(reason);
  const books = useBooks();
  const bulk = useBulkReplay();
  const now = useNow(10_000);
  const rows = letters.data?.pages.flatMap((page) => page.deadLetters) ?? [];
  const reasons = Object.entries(books.data?.dead ?? {}).filter(([name, count]) => count > 0 || name === reason);
  const mayChange = me.data?.role !== "viewer";
  const replayable = rows.some((letter) => letter.state === "dead");

  return (
    <>
      <div className="page-head">
        <Title order={1} size="h2">
          Dead letters
        </Title>
      </div>
      <p className="lead">
        Accepted events that could not be stored, each with its reason. Mend and replay them, or discard them; none
        vanishes by itself.
      </p>
      <div className="filters">
        <Select
          label="Reason"
          hideLabel
          value={reason}
          options={[
            { value: "", label: "Any reason" },
            ...reasons.map(([name, count]) => ({ value: name, label: `${name} (${formatCount(count)})` })),
          ]}
          onChange={setReason}
        />
        {mayChange && replayable && (
          <Button
            variant="default"
            loading={bulk.isPending}
            onClick={() => bulk.mutate(reason, { onSuccess: (outcome) => setNote(bulkText(outcome)) })}
          >
            {reason ? `Replay all “${reason}”` : "Replay all"}
          </Button>
        )}
      </div>
      <p className="note" role="status" data-testid="dead-letter-note">
        {note}
      </p>
      {bulk.isError && <Failure message={messageOf(bulk.error)} />}
      {letters.isError && <Failure message={messageOf(letters.error)} onRetry={() => void letters.refetch()} />}
      {letters.isPending && <Loading label="Loading dead letters" />}
      {letters.isSuccess && rows.length === 0 && (
        <div className="card">
          <Empty title="No dead letters">Every accepted event found its place.</Empty>
        </div>
      )}
      {rows.length > 0 && (
        <ul className="letters" aria-label="Dead letters">
          {rows.map((letter) => (
            <Letter
              key={letter.id}
              letter={letter}
              now={now}
              open={open === letter.id}
              mayChange={mayChange}
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
            Show more
          </Button>
        </div>
      )}
    </>
  );
}

interface LetterProps {
  letter: DeadLetter;
  now: number;
  open: boolean;
  mayChange: boolean;
  onToggle(): void;
  onDone(text: string): void;
}

function Letter({ letter, now, open, mayChange, onToggle, onDone }: LetterProps) {
  return (
    <li className="card letter" data-testid="dead-letter" data-state={letter.state}>
      <button type="button" className="letter-head" aria-expanded={open} onClick={onToggle}>
        <span className="reason" title={meaningOf(letter.reason) ?? undefined}>
          {letter.reason}
        </span>
        <span className="letter-what">
          <span className="letter-device">{letter.deviceId ?? "unknown device"}</span>
          <span className="letter-detail">{letter.detail ?? meaningOf(letter.reason)}</span>
        </span>
        {letter.state === "discarded" && <span className="tag">discarded</span>}
        <span className="muted small nowrap" title={formatTime(letter.receivedAt)}>
          received {formatRelative(letter.receivedAt, now)}
        </span>
      </button>
      {open && <LetterEditor letter={letter} mayChange={mayChange} onDone={onDone} />}
    </li>
  );
}
