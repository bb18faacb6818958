import { TextInput } from "@mantine/core";
import { useId, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { setLanguage } from "../../texts";
import { type Language, languages, setTimeZone, shownTimeZone, useLocale } from "../../texts/locale";
import { Failure } from "../../ui/Failure";
import { formatCount, formatNumber, formatTime } from "../../ui/format";
import { Select } from "../../ui/Select";
import { useNow } from "../../ui/useNow";
import { matchingZones, timeZones } from "./timeZones";
import "./account.css";

/** In which words, numbers and times the page speaks; kept in this browser. */
export function LocaleSection() {
  const { t } = useTranslation("account");
  const { language, timeZone } = useLocale();
  const [failed, setFailed] = useState(false);
  const now = useNow(1_000);
  const choose = async (next: Language) => {
    setFailed(false);
    try {
      await setLanguage(next);
    } catch {
      setFailed(true);
    }
  };
  return (
    <section className="card panel" aria-labelledby="locale-title">
      <h2 className="panel-title" id="locale-title">
        {t("locale.title")}
      </h2>
      <p className="lead">{t("locale.lead")}</p>
      {failed && <Failure message={t("locale.failed")} />}
      <div className="locale">
        <Select<Language>
          label={t("locale.language")}
          value={language}
          options={Object.entries(languages).map(([value, label]) => ({ value: value as Language, label }))}
          onChange={(next) => void choose(next)}
        />
        <ZoneChoice timeZone={timeZone} />
      </div>
      <p className="muted small">
        {t("locale.example", {
          time: formatTime(now),
          zone: shownTimeZone(),
          number: `${formatCount(1_234_567)} · ${formatNumber(21.5)}`,
        })}
      </p>
    </section>
  );
}

/** A time zone, found by a part of its name; the browser's own unless one is chosen. */
function ZoneChoice({ timeZone }: { timeZone: string }) {
  const { t } = useTranslation("account");
  const list = useId();
  const zones = useMemo(timeZones, []);
  const [typed, setTyped] = useState<string | null>(null);
  const shown = typed ?? timeZone;
  const known = shown === "" || zones.includes(shown);
  const found = useMemo(() => (typed ? matchingZones(zones, typed) : []), [zones, typed]);
  const take = (name: string) => {
    setTimeZone(name);
    setTyped(null);
  };
  return (
    <div>
      <TextInput
        label={t("locale.zone")}
        description={t("locale.zoneHint", { zone: Intl.DateTimeFormat().resolvedOptions().timeZone })}
        value={shown}
        onChange={(event) => {
          const name = event.currentTarget.value.trim();
          if (name === "" || zones.includes(name)) take(name);
          else setTyped(event.currentTarget.value);
        }}
        onBlur={() => known && setTyped(null)}
        list={list}
        placeholder={t("locale.zoneSearch")}
        error={!known && found.length === 0 && t("locale.zoneUnknown")}
        autoComplete="off"
        spellCheck={false}
      />
      <datalist id={list}>
        {zones.map((zone) => (
          <option key={zone} value={zone} />
        ))}
      </datalist>
      {typed !== null && found.length > 0 && (
        <ul className="zones" aria-label={t("locale.zones")}>
          {found.map((zone) => (
            <li key={zone}>
              <button type="button" className="zone" onClick={() => take(zone)}>
                {zone}
              </button>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}
