import { ActionIcon, Button } from "@mantine/core";
import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { edgesOf, type Span } from "../../api/span";
import type { Device, MeasurementType } from "../../api/types";
import { ChartGroup } from "../../charts/ChartGroup";
import { Icon } from "../../ui/Icon";
import { Select } from "../../ui/Select";
import { TimeZoneSelect } from "../../ui/TimeZoneSelect";
import { AsOfChoice } from "./AsOf";
import { keyOfType, type Shown } from "./address";
import { type Comparison, comparisons } from "./compare";
import { RangePicker } from "./RangePicker";
import { SeriesPanel, type Zooming } from "./SeriesPanel";
import type { Arrivals } from "./useArrivals";
import type { Zoom } from "./useZoom";

interface ChartsProps {
  device: Device;
  types: MeasurementType[];
  span: Span;
  shown: Shown;
  arrivals: Arrivals;
  following: boolean;
  zoom: Zoom;
  onShow(change: Partial<Shown>): void;
  onRemove?(key: string): void;
}

/** The charts of a device, one below the other, with one range, one zoom and one cursor. */
export function Charts(props: ChartsProps) {
  const { t } = useTranslation("device");
  const { device, types, span, shown, zoom, onShow, onRemove } = props;
  const [group] = useState(() => new ChartGroup());
  const { mark, move, reset, back } = zoom;
  const zooming: Zooming = useMemo(
    () => ({ onMark: mark, onZoom: move, onReset: reset, onBack: back }),
    [mark, move, reset, back],
  );
  const [asking, setAsking] = useState(false);
  return (
    <section className="card panel" aria-label={t("charts")}>
      <div className="chart-tools">
        <RangePicker span={span} onChange={zoom.choose} />
        <div className="chart-choices">
          <Button size="xs" variant="default" onClick={zoom.out}>
            {t("zoom.out")}
          </Button>
          <Button size="xs" variant="default" onClick={zoom.back} disabled={!zoom.zoomed}>
            {t("zoom.back")}
          </Button>
          <Select<Comparison | "">
            label={t("compare.label")}
            hideLabel
            value={shown.compare ?? ""}
            options={[
              { value: "", label: t("compare.none") },
              ...comparisons.map((name) => ({ value: name, label: t(`compare.with.${name}`) })),
            ]}
            onChange={(name) => onShow({ compare: name || null })}
            size="xs"
          />
          <Button
            size="xs"
            variant="default"
            aria-expanded={asking || shown.asOf !== null}
            onClick={() => {
              setAsking(!asking && shown.asOf === null);
              if (shown.asOf !== null) onShow({ asOf: null });
            }}
          >
            {t("past.ask")}
          </Button>
          <TimeZoneSelect />
        </div>
      </div>
      {(asking || shown.asOf !== null) && (
        <AsOfChoice asOf={shown.asOf} edges={edgesOf(span, Date.now())} onChange={(asOf) => onShow({ asOf })} />
      )}
      {types.map((type) => (
        <section className="chart-panel" key={keyOfType(type)} aria-label={nameOf(type)}>
          <div className="chart-head">
            <h2 className="chart-title">
              {type.type} {type.unit && <span className="muted">{type.unit}</span>}
            </h2>
            {onRemove && (
              <ActionIcon
                variant="subtle"
                color="gray"
                size={24}
                aria-label={t("chart.remove", { type: nameOf(type) })}
                onClick={() => onRemove(keyOfType(type))}
              >
                <Icon name="close" size={14} />
              </ActionIcon>
            )}
          </div>
          <SeriesPanel
            device={device}
            type={type}
            span={span}
            asOf={shown.asOf}
            compare={shown.compare}
            arrivals={props.arrivals}
            following={props.following}
            group={group}
            zooming={zooming}
            onSpan={zoom.choose}
          />
        </section>
      ))}
      <p className="muted small zoom-hint" id="zoom-keys">
        <span className="for-mouse">{t("zoom.keys")}</span>
        <span className="for-fingers">{t("zoom.fingers")}</span>
      </p>
    </section>
  );
}

function nameOf({ type, unit }: MeasurementType): string {
  return unit ? `${type} (${unit})` : type;
}
