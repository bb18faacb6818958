import { Button, TextInput, Title } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useStatus } from "../../api/books";
import { messageOf } from "../../api/errors";
import { useTenants } from "../../api/tenants";
import type { Tenant } from "../../api/types";
import { Empty } from "../../ui/Empty";
import { Failure } from "../../ui/Failure";
import { formatBytes, formatCount, formatTime } from "../../ui/format";
import { Icon } from "../../ui/Icon";
import { Rows } from "../../ui/Rows";
import { useTitle } from "../../ui/useTitle";
import { NewTenantDialog } from "./NewTenantDialog";
import { TenantPanel } from "./TenantPanel";

/** The tenants of the installation: their state and figures, never their telemetry. */
export function TenantsSection() {
  const { t } = useTranslation("administration");
  useTitle(t("tenants.title"));
  const tenants = useTenants();
  const [typed, setTyped] = useState("");
  const [creating, setCreating] = useState(false);
  const [open, setOpen] = useState<string | null>(null);
  const [gone, setGone] = useState<string | null>(null);
  const word = typed.trim().toLowerCase();
  const rows = (tenants.data ?? []).filter((tenant) =>
    `${tenant.id} ${tenant.name} ${tenant.database ?? ""}`.toLowerCase().includes(word),
  );
  return (
    <>
      <div className="page-head">
        <Title order={1} size="h2">
          {t("tenants.title")}
        </Title>
        <Button leftSection={<Icon name="plus" />} onClick={() => setCreating(true)}>
          {t("tenants.create")}
        </Button>
      </div>
      <Figures tenants={tenants.data} />
      {gone && (
        <p className="note" role="status">
          {t("erase.done", { tenant: gone })}
        </p>
      )}
      <search className="filters">
        <TextInput
          aria-label={t("tenants.search")}
          placeholder={t("tenants.search")}
          leftSection={<Icon name="search" />}
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
          type="search"
          className="filters-text"
        />
      </search>
      {tenants.isError && <Failure message={messageOf(tenants.error)} onRetry={() => void tenants.refetch()} />}
      {tenants.isPending && <Rows label={t("tenants.loading")} height={60} />}
      {tenants.isSuccess && rows.length === 0 && (
        <div className="card">
          {word ? (
            <Empty title={t("tenants.noMatch")} />
          ) : (
            <Empty title={t("tenants.none")}>{t("tenants.noneHint")}</Empty>
          )}
        </div>
      )}
      <ul className="letters" aria-label={t("tenants.title")}>
        {rows.map((tenant) => (
          <li key={tenant.id} className="card" data-testid="tenant-row" data-suspended={tenant.suspended !== null}>
            <button
              type="button"
              className="letter-head"
              aria-expanded={open === tenant.id}
              onClick={() => setOpen(open === tenant.id ? null : tenant.id)}
            >
              <span className="letter-what">
                <span className="letter-device">{tenant.name}</span>
                <span className="letter-detail">
                  <span className="mono">{tenant.id}</span> ·{" "}
                  {t("tenants.since", { when: formatTime(tenant.createdAt).slice(0, 10) })}
                </span>
              </span>
              <span className="tag">{placementOf(tenant, t("placement.shared"), t("placement.schema"))}</span>
              <span className="status" data-status={tenant.suspended === null ? "online" : "silent"}>
                {tenant.suspended === null ? t("tenants.active") : t("tenants.suspended")}
              </span>
            </button>
            {open === tenant.id && (
              <TenantPanel
                tenant={tenant}
                onErased={() => {
                  setOpen(null);
                  setGone(tenant.name);
                  void tenants.refetch();
                }}
              />
            )}
          </li>
        ))}
      </ul>
      {creating && <NewTenantDialog onClose={() => setCreating(false)} />}
    </>
  );
}

function placementOf(tenant: Tenant, shared: string, schema: string): string {
  if (tenant.database) return tenant.database;
  return tenant.placement === "schema" ? schema : shared;
}

/** The installation in figures. */
function Figures({ tenants }: { tenants: Tenant[] | undefined }) {
  const { t } = useTranslation("administration");
  const status = useStatus().data;
  const figures: [string, string][] = [];
  if (tenants) {
    figures.push([t("figures.tenants"), formatCount(tenants.length)]);
    const suspended = tenants.filter((tenant) => tenant.suspended !== null).length;
    if (suspended > 0) figures.push([t("tenants.suspended"), formatCount(suspended)]);
  }
  if (status?.storage) {
    figures.push([t("figures.data"), formatBytes(status.storage.dataBytes)]);
    figures.push([t("figures.free"), formatBytes(status.storage.freeBytes)]);
    if (status.storage.bytesPerDay) figures.push([t("figures.growth"), formatBytes(status.storage.bytesPerDay)]);
  }
  if (status) figures.push([t("figures.version"), status.version]);
  return (
    <>
      {status?.storage?.ingest === "refused" && (
        <Failure title={t("figures.refused")} message={status.storage.reason ?? ""} />
      )}
      <dl className="card figures">
        {figures.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd className="number">{value}</dd>
          </div>
        ))}
      </dl>
    </>
  );
}
