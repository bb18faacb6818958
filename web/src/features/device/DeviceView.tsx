import { Skeleton } from "@mantine/core";
import { useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { useSearchParams } from "wouter";
import { messageOf } from "../../api/errors";
import { useMe } from "../../api/session";
import { useTypes } from "../../api/telemetry";
import type { Device } from "../../api/types";
import { Empty } from "../../ui/Empty";
import { Failure } from "../../ui/Failure";
import { AsOfBanner } from "./AsOf";
import { chartsOf, keyOfType, type Shown, shownOf, toggled, withShown } from "./address";
import { Charts } from "./Charts";
import { DeviceHead } from "./DeviceHead";
import { BackLink } from "./DevicePage";
import { EventTable } from "./EventTable";
import { InsightCards } from "./InsightCards";
import { KeysPanel } from "./KeysPanel";
import { type PresetName, spanOf, withSpan } from "./range";
import { mayOperate } from "./roles";
import { useArrivals } from "./useArrivals";
import { useZoom } from "./useZoom";

/** Age up to which a device counts as new, in ms. */
const YOUNG_MS = 3 * 3_600_000;

/** A device that is known: everything the page shows is in its address. */
export function DeviceView({ device }: { device: Device }) {
  const { t } = useTranslation("device");
  const { deviceId } = device;
  const me = useMe();
  const [search, setSearch] = useSearchParams();
  // A device that is new has little to show: the last hour fills the chart better.
  const [fallback] = useState<PresetName>(() => (Date.now() - Date.parse(device.createdAt) < YOUNG_MS ? "1h" : "6h"));
  const span = useMemo(() => spanOf(search, fallback), [search, fallback]);
  const shown = useMemo(() => shownOf(search), [search]);
  const show = (change: Partial<Shown>) => setSearch((before) => withShown(before, change), { replace: true });
  const zoom = useZoom(span, (next, replace) => setSearch((before) => withSpan(before, next), { replace }));

  const wanted = shown.live && shown.asOf === null;
  const live = useArrivals(deviceId, wanted);
  const following = wanted && live.state !== "paused";
  const types = useTypes(deviceId);
  const known = useMemo(() => types.data ?? [], [types.data]);
  const charts = useMemo(() => chartsOf(known, shown.types), [known, shown.types]);
  const keys = charts.map(keyOfType);
  // What stands still is not asked for anew; what should flow and does not, is.
  const polling = wanted && (live.state === "reconnecting" || live.state === "degraded");

  return (
    <>
      <BackLink />
      <DeviceHead
        device={device}
        newestArrival={following ? (live.arrivals.log.newest?.event.receivedAt ?? null) : null}
        liveState={wanted ? live.state : "paused"}
        past={shown.asOf !== null}
        onToggleLive={() => {
          if (wanted && live.state !== "paused") show({ live: false });
          else if (!shown.live) show({ live: true });
          if (live.state === "paused") live.toggle();
        }}
        mayChange={mayOperate(me.data)}
      />
      {shown.asOf !== null && <AsOfBanner asOf={shown.asOf} onPresent={() => show({ asOf: null })} />}

      <InsightCards
        deviceId={deviceId}
        types={known}
        arrivals={live.arrivals}
        following={following}
        past={shown.asOf !== null}
        selected={keys}
        onToggle={(key) => show({ types: toggled(keys, key) })}
      />

      {types.isError && !types.data && (
        <Failure message={messageOf(types.error)} onRetry={() => void types.refetch()} />
      )}
      {types.isPending && <Skeleton height={720} mb="md" aria-label={t("chart.loading")} />}
      {types.isSuccess && charts.length === 0 && (
        <div className="card panel">
          <Empty title={t("empty.title")}>{t("empty.text")}</Empty>
        </div>
      )}
      {charts.length > 0 && (
        <Charts
          device={device}
          types={charts}
          span={span}
          shown={shown}
          arrivals={live.arrivals}
          following={following}
          zoom={zoom}
          onShow={show}
          onRemove={charts.length > 1 ? (key) => show({ types: toggled(keys, key) }) : undefined}
        />
      )}

      <EventTable
        deviceId={deviceId}
        span={span}
        asOf={shown.asOf}
        types={known}
        type={shown.eventType}
        onType={(eventType) => show({ eventType })}
        arrivals={live.arrivals}
        following={following}
        polling={polling}
      />
      {mayOperate(me.data) && <KeysPanel deviceId={deviceId} />}
    </>
  );
}
