import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { formatCount, formatReading, formatRelative } from "../ui/format";
import { Scrollable } from "../ui/Scrollable";
import { StatusBadge } from "../ui/StatusBadge";
import { type BodyProps, Nothing } from "./PanelView";
import { keyOf, type Shown } from "./values";

function DeviceName({ id, label, deviceLink }: { id: string; label: string; deviceLink: BodyProps["deviceLink"] }) {
  return deviceLink ? <Link href={deviceLink(id)}>{label}</Link> : label;
}

/** The newest reading of each series. */
export function TablePanel({ answer, now, deviceLink, panel }: BodyProps) {
  const { t } = useTranslation("dashboards");
  if (answer.latest.length === 0) return <Nothing />;
  return (
    <Scrollable className="panel-scroll" label={panel.title || t("kind.table")}>
      <table className="panel-table">
        <thead>
          <tr>
            <th scope="col">{t("table.device")}</th>
            <th scope="col">{t("table.type")}</th>
            <th scope="col" className="right">
              {t("table.value")}
            </th>
            <th scope="col" className="right">
              {t("table.recorded")}
            </th>
          </tr>
        </thead>
        <tbody>
          {answer.latest.map((latest) => (
            <tr key={keyOf(latest)}>
              <td>
                <DeviceName
                  id={latest.deviceId}
                  label={answer.labels[latest.deviceId] ?? latest.deviceId}
                  deviceLink={deviceLink}
                />
              </td>
              <td>{latest.type}</td>
              <td className="right figure">{formatReading(latest.value as Shown, latest.unit)}</td>
              <td className="right muted">{formatRelative(latest.recordedAt, now)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scrollable>
  );
}

const states = ["online", "late", "silent", "new"] as const;

/** How many devices of each location are heard of. */
export function LocationsPanel({ answer, panel }: BodyProps) {
  const { t } = useTranslation("dashboards");
  if (answer.locations.length === 0) return <Nothing />;
  return (
    <Scrollable className="panel-scroll" label={panel.title || t("kind.locations")}>
      <ul className="locations">
        {answer.locations.map((place) => (
          <li key={place.location} className="location">
            <span className="location-name">{place.location || t("panel.nowhere")}</span>
            <span className="location-states">
              {states
                .filter((state) => place[state] > 0)
                .map((state) => (
                  <span key={state} className="location-state" data-status={state}>
                    <strong>{formatCount(place[state])}</strong> {t(`state.${state}`)}
                  </span>
                ))}
            </span>
          </li>
        ))}
      </ul>
    </Scrollable>
  );
}

/** Devices that are not heard of, the longest silent first. */
export function AttentionPanel({ answer, now, deviceLink, panel }: BodyProps) {
  const { t } = useTranslation("dashboards");
  if (answer.attention.length === 0) return <p className="panel-nothing panel-good">{t("panel.allHeard")}</p>;
  return (
    <Scrollable className="panel-scroll" label={panel.title || t("kind.attention")}>
      <ul className="locations">
        {answer.attention.map((device) => (
          <li key={device.deviceId} className="location">
            <span className="location-name">
              <DeviceName id={device.deviceId} label={device.label} deviceLink={deviceLink} />{" "}
              <span className="muted">{device.location}</span>
            </span>
            <span className="location-states">
              <StatusBadge status={device.status} />
              <span className="muted">{t("panel.lastHeard", { when: formatRelative(device.lastSeen, now) })}</span>
            </span>
          </li>
        ))}
      </ul>
    </Scrollable>
  );
}
