import { Button, TextInput, Title, VisuallyHidden } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { useDeleteDevice, useRegisteredDevices } from "../../api/deviceRegistry";
import { messageOf } from "../../api/errors";
import type { Device } from "../../api/types";
import { ConfirmDialog } from "../../ui/ConfirmDialog";
import { Empty } from "../../ui/Empty";
import { Failure } from "../../ui/Failure";
import { formatRelative } from "../../ui/format";
import { Icon } from "../../ui/Icon";
import { Rows } from "../../ui/Rows";
import { Scrollable } from "../../ui/Scrollable";
import { useNow } from "../../ui/useNow";
import { useTitle } from "../../ui/useTitle";
import { DeviceDialog } from "./DeviceDialog";
import { DeviceImport } from "./DeviceImport";

/** Devices as they are registered: made, changed, imported. */
export function DevicesSection() {
  const { t } = useTranslation("administration");
  useTitle(t("devices.title"));
  const [typed, setTyped] = useState("");
  const [q] = useDebouncedValue(typed.trim(), 250);
  const [importing, setImporting] = useState(false);
  const [edited, setEdited] = useState<Device | "new" | null>(null);
  const [deleted, setDeleted] = useState<Device | null>(null);
  const devices = useRegisteredDevices(q);
  const remove = useDeleteDevice();
  const now = useNow(30_000);
  const rows = devices.data?.pages.flatMap((page) => page.devices) ?? [];

  return (
    <>
      <div className="page-head">
        <Title order={1} size="h2">
          {t("devices.title")}
        </Title>
        <div className="administration-actions">
          <Button variant="default" onClick={() => setImporting(true)} disabled={importing}>
            {t("import.open")}
          </Button>
          <Button leftSection={<Icon name="plus" />} onClick={() => setEdited("new")}>
            {t("devices.add")}
          </Button>
        </div>
      </div>
      {importing && <DeviceImport onClose={() => setImporting(false)} />}
      <search className="filters">
        <TextInput
          aria-label={t("devices.search")}
          placeholder={t("devices.searchHint")}
          leftSection={<Icon name="search" />}
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
          type="search"
          className="filters-text"
        />
      </search>
      {devices.isError && <Failure message={messageOf(devices.error)} onRetry={() => void devices.refetch()} />}
      {devices.isPending && <Rows label={t("devices.loading")} />}
      {devices.isSuccess && rows.length === 0 && (
        <div className="card">
          {q ? (
            <Empty title={t("devices.noMatch")}>{t("devices.noMatchHint")}</Empty>
          ) : (
            <Empty title={t("devices.none")}>{t("devices.noneHint")}</Empty>
          )}
        </div>
      )}
      {rows.length > 0 && (
        <Scrollable className="card table-scroll tall" label={t("devices.title")}>
          <table className="table">
            <thead>
              <tr>
                <th scope="col">{t("devices.device")}</th>
                <th scope="col">{t("devices.location")}</th>
                <th scope="col" className="wide-cell">
                  {t("devices.tags")}
                </th>
                <th scope="col" className="wide-cell">
                  {t("devices.lastSeen")}
                </th>
                <th scope="col">
                  <VisuallyHidden>{t("action")}</VisuallyHidden>
                </th>
              </tr>
            </thead>
            <tbody>
              {rows.map((device) => (
                <tr key={device.deviceId} data-testid="registered-device">
                  <td className="anywhere">
                    <Link href={`/devices/${encodeURIComponent(device.deviceId)}`}>
                      {device.label || device.deviceId}
                    </Link>
                    {device.label && device.label !== device.deviceId && (
                      <div className="muted mono small">{device.deviceId}</div>
                    )}
                  </td>
                  <td className="anywhere">{device.location || "–"}</td>
                  <td className="wide-cell">
                    <span className="administration-tags">
                      {device.tags.map((tag) => (
                        <span key={tag} className="tag">
                          {tag}
                        </span>
                      ))}
                    </span>
                  </td>
                  <td className="wide-cell nowrap">{formatRelative(device.lastSeen, now)}</td>
                  <td>
                    <div className="administration-actions end">
                      <Button
                        size="xs"
                        variant="default"
                        onClick={() => setEdited(device)}
                        aria-label={t("devices.editOf", { device: device.deviceId })}
                      >
                        {t("edit")}
                      </Button>
                      <Button
                        size="xs"
                        variant="default"
                        onClick={() => setDeleted(device)}
                        aria-label={t("devices.deleteOf", { device: device.deviceId })}
                      >
                        {t("delete")}
                      </Button>
                    </div>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scrollable>
      )}
      {devices.hasNextPage && (
        <div className="more">
          <Button variant="default" onClick={() => void devices.fetchNextPage()} loading={devices.isFetchingNextPage}>
            {t("more")}
          </Button>
        </div>
      )}
      {edited && <DeviceDialog device={edited === "new" ? null : edited} onClose={() => setEdited(null)} />}
      {deleted && (
        <ConfirmDialog
          title={t("devices.deleteOf", { device: deleted.deviceId })}
          action={t("delete")}
          busy={remove.isPending}
          onConfirm={() => remove.mutate(deleted.deviceId, { onSuccess: () => setDeleted(null) })}
          onClose={() => setDeleted(null)}
        >
          {remove.isError && <Failure message={messageOf(remove.error)} />}
          <p>{t("devices.deleteMeans")}</p>
        </ConfirmDialog>
      )}
    </>
  );
}
