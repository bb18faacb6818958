import { useTranslation } from "react-i18next";
import type { Panel, PanelAnswer } from "../api/dashboardTypes";
import { Failure } from "../ui/Failure";
import { formatCount } from "../ui/format";
import { BarPanel } from "./BarPanel";
import { GaugePanel } from "./GaugePanel";
import { heightOf } from "./grid";
import { LinePanel } from "./LinePanel";
import { AttentionPanel, LocationsPanel, TablePanel } from "./ListPanels";
import { Markdown } from "./Markdown";
import { StatPanel } from "./StatPanel";

/** Pixels of a panel that its title, its edge and what stands around it take. */
const AROUND = 56;

export interface Surroundings {
  scheme: "light" | "dark";
  /** Epoch ms. */
  now: number;
  /** Edges of the time axis in epoch seconds. */
  from: number;
  to: number;
  /** Where a device is shown; absent where nobody may go. */
  deviceLink?: (deviceId: string) => string;
}

export interface BodyProps extends Surroundings {
  panel: Panel;
  answer: PanelAnswer;
  /** Pixels there are. */
  height: number;
}

/** What a panel shows, below its title. */
export function PanelView({
  panel,
  answer,
  ...around
}: Surroundings & { panel: Panel; answer: PanelAnswer | undefined }) {
  const { t } = useTranslation("dashboards");
  if (panel.kind === "text") return <Markdown text={panel.text ?? ""} />;
  if (!answer) return <div className="panel-wait" role="status" aria-label={t("panel.loading")} />;
  if (answer.problem) return <Failure message={answer.problem} />;
  const height = Math.max(60, heightOf(panel.at.h) - AROUND);
  const notes = [
    answer.unknown.length > 0 && t("panel.unknown", { count: answer.unknown.length, ids: answer.unknown.join(", ") }),
    answer.truncated && t("panel.truncated", { shown: formatCount(Object.keys(answer.labels).length) }),
  ].filter(Boolean);
  const body = { panel, answer, height: height - notes.length * 20, ...around };
  return (
    <>
      <Body {...body} />
      {notes.map((note) => (
        <p key={String(note)} className="panel-note">
          {note}
        </p>
      ))}
    </>
  );
}

function Body(props: BodyProps) {
  switch (props.panel.kind) {
    case "line":
      return <LinePanel {...props} />;
    case "stat":
      return <StatPanel {...props} />;
    case "gauge":
      return <GaugePanel {...props} />;
    case "bar":
      return <BarPanel {...props} />;
    case "table":
      return <TablePanel {...props} />;
    case "locations":
      return <LocationsPanel {...props} />;
    case "attention":
      return <AttentionPanel {...props} />;
    default:
      return null;
  }
}

export function Nothing() {
  const { t } = useTranslation("dashboards");
  return <p className="panel-nothing">{t("panel.nothing")}</p>;
}
