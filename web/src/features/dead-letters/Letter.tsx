import { useTranslation } from "react-i18next";
import type { DeadLetter } from "../../api/types";
import { formatRelative, formatTime } from "../../ui/format";
import { draftOf } from "./drafts";
import { LetterEditor } from "./LetterEditor";
import { meaningOf } from "./letters";

interface LetterProps {
  letter: DeadLetter;
  now: number;
  open: boolean;
  mayChange: boolean;
  chosen: boolean;
  onChoose(chosen: boolean): void;
  onToggle(): void;
  onDone(text: string): void;
}

/** One letter of the list, with its editor when it is open. */
export function Letter({ letter, now, open, mayChange, chosen, onChoose, onToggle, onDone }: LetterProps) {
  const { t } = useTranslation("deadLetters");
  const device = letter.deviceId || t("unknownDevice");
  return (
    <li className="card letter" data-testid="dead-letter" data-state={letter.state}>
      <div className="letter-line">
        {mayChange && letter.state === "dead" && (
          <label className="letters-choice">
            <input
              type="checkbox"
              checked={chosen}
              onChange={(event) => onChoose(event.currentTarget.checked)}
              aria-label={t("chooseLetter", { device, id: letter.eventId })}
            />
          </label>
        )}
        <button type="button" className="letter-head" aria-expanded={open} onClick={onToggle}>
          <span className="reason" title={meaningOf(letter.reason) ?? undefined}>
            {letter.reason}
          </span>
          <span className="letter-what">
            <span className="letter-device">{device}</span>
            <span className="letter-detail">{letter.detail || meaningOf(letter.reason)}</span>
          </span>
          {letter.state === "discarded" && <span className="tag">{t("discarded")}</span>}
          {!open && draftOf(letter.id) !== undefined && <span className="late">{t("draft")}</span>}
          <span className="muted small nowrap" title={formatTime(letter.receivedAt)}>
            {t("received", { ago: formatRelative(letter.receivedAt, now) })}
          </span>
        </button>
      </div>
      {open && <LetterEditor letter={letter} mayChange={mayChange} onDone={onDone} />}
    </li>
  );
}
