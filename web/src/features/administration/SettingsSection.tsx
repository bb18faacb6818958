import { Button, Stack, TextInput, Title } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { messageOf } from "../../api/errors";
import { useChangeSettings, useSettings } from "../../api/tenants";
import type { TenantSettings } from "../../api/types";
import { Failure } from "../../ui/Failure";
import { formatCount, formatTime } from "../../ui/format";
import { Rows } from "../../ui/Rows";
import { useTitle } from "../../ui/useTitle";
import { limitNames } from "./terms";

/** What the tenant is called, what it may use, and what becomes of unknown devices. */
export function SettingsSection() {
  const { t } = useTranslation("administration");
  useTitle(t("settings.title"));
  const settings = useSettings();
  return (
    <>
      <div className="page-head">
        <Title order={1} size="h2">
          {t("settings.title")}
        </Title>
      </div>
      {settings.isError && <Failure message={messageOf(settings.error)} onRetry={() => void settings.refetch()} />}
      {settings.isPending && <Rows label={t("settings.loading")} count={3} height={90} />}
      {settings.data && (
        <>
          {settings.data.suspended !== null && (
            <Failure title={t("settings.suspended")} message={settings.data.suspended} />
          )}
          <div className="columns">
            <OwnSettings settings={settings.data} />
            <Limits settings={settings.data} />
          </div>
        </>
      )}
    </>
  );
}

function OwnSettings({ settings }: { settings: TenantSettings }) {
  const { t } = useTranslation("administration");
  const [name, setName] = useState(settings.name);
  const [autoRegister, setAutoRegister] = useState(settings.autoRegister);
  const change = useChangeSettings();
  const changed = name.trim() !== settings.name || autoRegister !== settings.autoRegister;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (name.trim()) change.mutate({ name: name.trim(), autoRegister });
  };
  return (
    <section className="card panel" aria-labelledby="own-settings">
      <h2 className="panel-title" id="own-settings">
        {t("settings.own")}
      </h2>
      <form onSubmit={submit} noValidate>
        <Stack gap="md">
          {change.isError && <Failure message={messageOf(change.error)} />}
          <TextInput
            label={t("settings.name")}
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
            error={name.trim() === "" && t("settings.enterName")}
            maxLength={200}
          />
          <fieldset className="choices">
            <legend>{t("settings.unknown")}</legend>
            <label>
              <input
                type="checkbox"
                checked={autoRegister}
                onChange={(event) => setAutoRegister(event.currentTarget.checked)}
              />
              <span>
                {t("settings.autoRegister")} <span className="muted">{t("settings.autoRegisterHint")}</span>
              </span>
            </label>
          </fieldset>
          <dl className="ids">
            <div>
              <dt>{t("settings.id")}</dt>
              <dd className="mono small">{settings.id}</dd>
            </div>
            <div>
              <dt>{t("settings.since")}</dt>
              <dd className="small">{formatTime(settings.createdAt)}</dd>
            </div>
          </dl>
          <div className="administration-actions">
            <Button type="submit" loading={change.isPending} disabled={!changed || name.trim() === ""}>
              {t("save")}
            </Button>
            <span role="status" className="muted">
              {change.isSuccess && !changed && t("saved")}
            </span>
          </div>
        </Stack>
      </form>
    </section>
  );
}

function Limits({ settings }: { settings: TenantSettings }) {
  const { t } = useTranslation("administration");
  const amount = (value: number) => (value === 0 ? t("limits.none") : formatCount(value));
  return (
    <section className="card panel" aria-labelledby="limits-title">
      <h2 className="panel-title" id="limits-title">
        {t("limits.title")}
      </h2>
      <p className="lead">{t("limits.lead")}</p>
      <dl className="ledger">
        {limitNames.map((name) => (
          <div key={name} className="entry">
            <dt>
              {t(`limits.${name}`)}{" "}
              {settings.ownQuotas.includes(name) && <span className="tag">{t("limits.own")}</span>}
            </dt>
            <dd className="number">{amount(settings.quotas[name])}</dd>
          </div>
        ))}
        <div className="entry">
          <dt>{t("limits.deadLetters")}</dt>
          <dd className="number">{formatCount(settings.maxDeadLetters)}</dd>
        </div>
        <div className="entry">
          <dt>{t("limits.series")}</dt>
          <dd className="number">{formatCount(settings.maxSeries)}</dd>
        </div>
        <div className="entry">
          <dt>{t("limits.retention")}</dt>
          <dd className="number">
            {settings.retentionDays === null
              ? t("limits.forever")
              : t("limits.days", { count: settings.retentionDays })}
          </dd>
        </div>
      </dl>
    </section>
  );
}
