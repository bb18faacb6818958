import { Skeleton, useComputedColorScheme } from "@mantine/core";
import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { useSearchParams } from "wouter";
import { type Stretch, useBooksHistory } from "../../api/books";
import { messageOf } from "../../api/errors";
import { StackedBars } from "../../charts/StackedBars";
import { shownTimeZone } from "../../texts/locale";
import { Empty } from "../../ui/Empty";
import { Failure } from "../../ui/Failure";
import { formatCount, formatNumber, formatTime } from "../../ui/format";
import { Scrollable } from "../../ui/Scrollable";
import { useNow } from "../../ui/useNow";
import { ranked } from "./balance";
import { barsOf, byReason, type Counts, countsOf, isStretchName, percent, stretches, totalOf } from "./history";
import { type Choice, RangeFields } from "./RangeFields";

const entries = ["stored", "duplicate", "dead", "rejected"] as const;
const colours = {
  stored: "--chart-line",
  duplicate: "--chart-second",
  dead: "--bad",
  rejected: "--warn",
} as const;

/** What became of what was received when. */
export function OverTime() {
  const { t } = useTranslation("books");
  const [search, setSearch] = useSearchParams();
  const choice = choiceOf(search);
  const now = useNow(30_000);
  // Whole minutes: the question stays the same for as long.
  const minute = Math.ceil(now / 60_000) * 60_000;
  const zone = shownTimeZone();
  const key = JSON.stringify(choice);
  const bars = useMemo(() => barsOf(stretchOf(JSON.parse(key) as Choice, minute), zone), [key, minute, zone]);
  const history = useBooksHistory(bars.stretch, bars.step);
  const choose = (next: Choice) =>
    setSearch(typeof next === "string" ? { range: next } : { from: String(next.from), to: String(next.to) }, {
      replace: true,
    });

  return (
    <section className="card panel" aria-labelledby="over-time">
      <div className="panel-head">
        <h2 className="panel-title" id="over-time">
          {t("overTime.title")}
        </h2>
        <RangeFields choice={choice} shown={stretchOf(choice, minute)} onChange={choose} />
      </div>
      {history.isError && <Failure message={messageOf(history.error)} onRetry={() => void history.refetch()} />}
      {history.isPending && <Skeleton height={260} aria-label={t("overTime.loading")} role="status" />}
      {history.data && <Picture steps={history.data.steps} edges={bars.edges} />}
    </section>
  );
}

function choiceOf(search: URLSearchParams): Choice {
  const [from, to] = [Number(search.get("from")), Number(search.get("to"))];
  if (from > 0 && to > from) return { from, to };
  const range = search.get("range");
  return isStretchName(range) ? range : "24h";
}

function stretchOf(choice: Choice, now: number): Stretch {
  return typeof choice === "string" ? { from: now - stretches[choice], to: now } : choice;
}

function Picture({ steps, edges }: { steps: Parameters<typeof countsOf>[0]; edges: number[] }) {
  const { t } = useTranslation("books");
  const scheme = useComputedColorScheme("light");
  const [hovered, setHovered] = useState<number | null>(null);
  const counts = useMemo(() => countsOf(steps, edges), [steps, edges]);
  const whole = useMemo(() => totalOf(counts), [counts]);
  const seconds = useMemo(() => edges.map((edge) => edge / 1000), [edges]);
  const layers = useMemo(
    () =>
      entries.map((entry) => ({
        name: entry,
        colour: colours[entry],
        values: counts.map((bar) => bar[entry]),
      })),
    [counts],
  );
  if (whole.accepted + whole.rejected === 0 && totalOf(counts).stored === 0) {
    return <Empty title={t("overTime.empty")}>{t("overTime.emptyHint")}</Empty>;
  }
  const shown = hovered === null ? null : counts[hovered];
  const start = hovered === null ? null : edges[hovered];
  return (
    <>
      <p className="readout" aria-hidden="true">
        <span className="books-when">{start ? formatTime(start).slice(0, 16) : t("overTime.whole")}</span>
        {entries.map((entry) => (
          <span key={entry} className="books-key" data-entry={entry}>
            {t(`entry.${entry}`)} <b>{formatCount((shown ?? whole)[entry])}</b>
          </span>
        ))}
      </p>
      <StackedBars
        edges={seconds}
        layers={layers}
        label={t("overTime.picture", {
          stored: formatCount(whole.stored),
          duplicate: formatCount(whole.duplicate),
          dead: formatCount(whole.dead),
          rejected: formatCount(whole.rejected),
        })}
        height={240}
        scheme={scheme}
        formatValue={formatCount}
        onHover={setHovered}
      />
      <Rates whole={whole} steps={steps} />
      <details className="books-table">
        <summary>{t("overTime.table")}</summary>
        <Table counts={counts} edges={edges} />
      </details>
    </>
  );
}

function Rates({ whole, steps }: { whole: Counts; steps: Parameters<typeof countsOf>[0] }) {
  const { t } = useTranslation("books");
  const share = (part: number, of: number) => {
    const value = percent(part, of);
    return value === null ? "–" : `${formatNumber(Number(value.toPrecision(3)))} %`;
  };
  const reasons = (["rejected", "dead"] as const).map((entry) => ({ entry, list: ranked(byReason(steps, entry)) }));
  return (
    <dl className="books-rates" data-testid="books-rates">
      <div>
        <dt>{t("rate.duplicate")}</dt>
        <dd className="number">{share(whole.duplicate, whole.accepted)}</dd>
        <dd className="muted small">
          {t("rate.ofAccepted", { count: whole.accepted, of: formatCount(whole.accepted) })}
        </dd>
      </div>
      {reasons.map(({ entry, list }) => (
        <div key={entry}>
          <dt>{t(`rate.${entry}`)}</dt>
          <dd className="number">
            {share(whole[entry], entry === "dead" ? whole.accepted : whole.accepted + whole.rejected)}
          </dd>
          <dd className="small">
            {list.length === 0 ? (
              <span className="muted">{t("rate.none")}</span>
            ) : (
              <ul className="books-reasons">
                {list.map(([reason, count]) => (
                  <li key={reason}>
                    <span className="reason">{reason}</span> <span className="number">{formatCount(count)}</span>
                  </li>
                ))}
              </ul>
            )}
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Table({ counts, edges }: { counts: Counts[]; edges: number[] }) {
  const { t } = useTranslation("books");
  return (
    <Scrollable className="table-scroll" label={t("overTime.table")}>
      <table className="table">
        <thead>
          <tr>
            <th scope="col">{t("overTime.from")}</th>
            {(["accepted", ...entries] as const).map((entry) => (
              <th key={entry} scope="col" className="right">
                {t(`entry.${entry}`)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {counts.map((bar, index) => (
            <tr key={edges[index]}>
              <td className="number nowrap">{formatTime(edges[index] ?? 0).slice(0, 16)}</td>
              {(["accepted", ...entries] as const).map((entry) => (
                <td key={entry} className="number right">
                  {formatCount(bar[entry])}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </Scrollable>
  );
}
