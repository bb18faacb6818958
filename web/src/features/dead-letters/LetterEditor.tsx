import { Button, Group, Textarea } from "@mantine/core";
import { useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { useDiscard, useMend, useReplay } from "../../api/deadLetters";
import { messageOf } from "../../api/errors";
import type { DeadLetter } from "../../api/types";
import { Failure } from "../../ui/Failure";
import { formatTime } from "../../ui/format";
import { draftOf, keepDraft } from "./drafts";
import { outcomeText, parseBody } from "./letters";

interface LetterEditorProps {
  letter: DeadLetter;
  mayChange: boolean;
  /** Called with what to tell once the letter is settled. */
  onDone(text: string): void;
}

export function LetterEditor({ letter, mayChange, onDone }: LetterEditorProps) {
  const { t } = useTranslation("deadLetters");
  const original = JSON.stringify(letter.body, null, 2);
  const [typed, setTyped] = useState(() => draftOf(letter.id) ?? original);
  const [note, setNote] = useState("");
  const [discarding, setDiscarding] = useState(false);
  const area = useRef<HTMLTextAreaElement>(null);
  const mend = useMend();
  const replay = useReplay();
  const discard = useDiscard();
  const parsed = parseBody(typed);
  const changed = typed !== original;
  const busy = mend.isPending || replay.isPending || discard.isPending;
  const failure = mend.error ?? replay.error ?? discard.error;
  const editable = mayChange && letter.state === "dead";

  const type = (next: string) => {
    setTyped(next);
    keepDraft(letter.id, next === original ? null : next);
  };
  /** Shows where the fault is. */
  const pointOut = () => {
    const { current } = area;
    if (!current || parsed.ok || parsed.position === null) return;
    current.focus();
    current.setSelectionRange(parsed.position, Math.min(typed.length, parsed.position + 1));
  };
  /** Keeps what was edited; false when it is no event or the server refuses it. */
  const save = async (): Promise<boolean> => {
    if (!parsed.ok) {
      pointOut();
      return false;
    }
    try {
      await mend.mutateAsync({ id: letter.id, body: parsed.body });
      setTyped(JSON.stringify(parsed.body, null, 2));
      keepDraft(letter.id, null);
      setNote(t("note.saved"));
      return true;
    } catch {
      return false;
    }
  };
  const run = async () => {
    setNote("");
    if (changed && !(await save())) return;
    // The letter may be gone from the list, and this editor with it, before the answer is handled: so no mutation callbacks.
    try {
      const outcome = await replay.mutateAsync(letter.id);
      if (outcome.outcome === "dead") setNote(outcomeText(outcome));
      else onDone(outcomeText(outcome));
    } catch {
      // The mutation's own error is shown.
    }
  };
  const throwAway = async () => {
    try {
      await discard.mutateAsync(letter.id);
      keepDraft(letter.id, null);
      onDone(t("note.discarded"));
    } catch {
      // The mutation's own error is shown.
    }
  };

  return (
    <div className="letter-body">
      <dl className="ids">
        <div>
          <dt>{t("editor.eventId")}</dt>
          <dd className="mono small">{letter.eventId || "–"}</dd>
        </div>
        <div>
          <dt>{t("editor.device")}</dt>
          <dd className="mono small">
            {letter.deviceId ? (
              <Link href={`/devices/${encodeURIComponent(letter.deviceId)}`}>{letter.deviceId}</Link>
            ) : (
              "–"
            )}
          </dd>
        </div>
        <div>
          <dt>{t("editor.received")}</dt>
          <dd className="mono small" title={letter.receivedAt}>
            {formatTime(letter.receivedAt)}
          </dd>
        </div>
      </dl>
      <Textarea
        ref={area}
        label={t("editor.event")}
        value={typed}
        onChange={(event) => type(event.currentTarget.value)}
        rows={Math.min(18, typed.split("\n").length + 1)}
        error={!parsed.ok && parsed.fault}
        readOnly={!editable}
        spellCheck={false}
        classNames={{ input: "mono" }}
      />
      {failure && <Failure message={messageOf(failure)} />}
      <p className="note" role="status">
        {note}
      </p>
      {editable && (
        <Group gap="xs">
          <Button size="xs" onClick={() => void run()} loading={replay.isPending} disabled={busy}>
            {changed ? t("editor.saveAndReplay") : t("editor.replay")}
          </Button>
          <Button
            size="xs"
            variant="default"
            onClick={() => void save()}
            loading={mend.isPending}
            disabled={!changed || busy}
          >
            {t("editor.save")}
          </Button>
          {changed && (
            <Button size="xs" variant="default" onClick={() => type(original)} disabled={busy}>
              {t("editor.reset")}
            </Button>
          )}
          {discarding ? (
            <Button size="xs" color="red" onClick={() => void throwAway()} loading={discard.isPending}>
              {t("editor.discardForGood")}
            </Button>
          ) : (
            <Button size="xs" variant="default" onClick={() => setDiscarding(true)} disabled={busy}>
              {t("editor.discard")}
            </Button>
          )}
        </Group>
      )}
    </div>
  );
}
