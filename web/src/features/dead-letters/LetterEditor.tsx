import { Button, Group, Textarea } from "@mantine/core";
import { useState } from "react";
import { useDiscard, useMend, useReplay } from "../../api/deadLetters";
import { messageOf } from "../../api/errors";
import type { DeadLetter } from "../../api/types";
import { Failure } from "../../ui/Failure";
import { outcomeText, parseBody } from "./letters";

interface LetterEditorProps {
  letter: DeadLetter;
  mayChange: boolean;
  /** Called with what to tell once the letter is settled. */
  onDone(text: string): void;
}

export function LetterEditor({ letter, mayChange, onDone }: LetterEditorProps) {
  const original = JSON.stringify(letter.body, null, 2);
  const [text, setText] = useState(original);
  const [fault, setFault] = useState("");
  const [note, setNote] = useState("");
  const [discarding, setDiscarding] = useState(false);
  const mend = useMend();
  const replay = useReplay();
  const discard = useDiscard();
  const changed = text !== original;
  const busy = mend.isPending || replay.isPending || discard.isPending;
  const failure = mend.error ?? replay.error ?? discard.error;
  const editable = mayChange && letter.state === "dead";

  /** Keeps what was edited; false when it is no event or the server refuses it. */
  const save = async (): Promise<boolean> => {
    const parsed = parseBody(text);
    setFault(parsed.ok ? "" : parsed.fault);
    if (!parsed.ok) return false;
    try {
      await mend.mutateAsync({ id: letter.id, body: parsed.body });
      setText(JSON.stringify(parsed.body, null, 2));
      setNote("Saved. Replay the event to store it.");
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
      onDone("Discarded. The event stays in the books as dead.");
    } catch {
      // The mutation's own error is shown.
    }
  };

  return (
    <div className="letter-body">
      <dl className="ids">
        <div>
          <dt>Event id</dt>
          <dd className="mono small">{letter.eventId ?? "–"}</dd>
        </div>
        <div>
          <dt>Received</dt>
          <dd className="mono small">{letter.receivedAt}</dd>
        </div>
      </dl>
      <Textarea
        label="Event"
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
        rows={Math.min(18, text.split("\n").length + 1)}
        error={fault}
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
            {changed ? "Save and replay" : "Replay"}
          </Button>
          <Button
            size="xs"
            variant="default"
            onClick={() => void save()}
            loading={mend.isPending}
            disabled={!changed || busy}
          >
            Save
          </Button>
          {discarding ? (
            <Button size="xs" color="red" onClick={() => void throwAway()} loading={discard.isPending}>
              Discard for good
            </Button>
          ) : (
            <Button size="xs" variant="default" onClick={() => setDiscarding(true)} disabled={busy}>
              Discard
            </Button>
          )}
        </Group>
      )}
    </div>
  );
}
