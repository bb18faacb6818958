import { Skeleton } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { useDevice } from "../../api/devices";
import { ApiError, messageOf } from "../../api/errors";
import { useTypes } from "../../api/telemetry";
import { Failure } from "../../ui/Failure";
import { Icon } from "../../ui/Icon";
import { useTitle } from "../../ui/useTitle";
import { DeviceView } from "./DeviceView";
import "./device.css";

export function DevicePage({ deviceId }: { deviceId: string }) {
  const { t } = useTranslation("device");
  const device = useDevice(deviceId);
  // Asked for at the same time: the charts wait for both.
  useTypes(deviceId);
  useTitle(device.data?.label || deviceId);
  if (device.data) return <DeviceView device={device.data} />;
  const unknown = device.error instanceof ApiError && device.error.status === 404;
  return (
    <>
      <BackLink />
      {device.isPending ? (
        <Waiting />
      ) : (
        <Failure
          title={unknown ? t("unknown.title") : undefined}
          message={unknown ? t("unknown.text", { deviceId }) : messageOf(device.error)}
          onRetry={unknown ? undefined : () => void device.refetch()}
        />
      )}
    </>
  );
}

export function BackLink() {
  const { t } = useTranslation("device");
  return (
    <Link href="/devices" className="back">
      <Icon name="back" size={14} /> {t("back")}
    </Link>
  );
}

/** The page's outline while the device is asked for. */
function Waiting() {
  const { t } = useTranslation("device");
  return (
    <div role="status" aria-label={t("loading")}>
      <Skeleton height={34} width={240} mb="md" />
      <Skeleton height={114} mb="md" />
      <Skeleton height={720} />
    </div>
  );
}
