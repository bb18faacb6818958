import { Button, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { messageOf } from "../../api/errors";
import { useChangeTenant } from "../../api/tenants";
import type { Tenant } from "../../api/types";
import { Failure } from "../../ui/Failure";
import { LimitFields } from "./LimitFields";
import { type LimitName, limitTexts, readLimits } from "./terms";

/** Name and limits of a tenant. */
export function TenantChange({ tenant }: { tenant: Tenant }) {
  const { t } = useTranslation("administration");
  const before = limitTexts(tenant.limits);
  const [name, setName] = useState(tenant.name);
  const [limits, setLimits] = useState(before);
  const [faults, setFaults] = useState<LimitName[]>([]);
  const change = useChangeTenant(tenant.id);
  const changed = name.trim() !== tenant.name || JSON.stringify(limits) !== JSON.stringify(before);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const read = readLimits(limits);
    setFaults(read.ok ? [] : read.faults);
    if (read.ok && name.trim()) change.mutate({ name: name.trim(), limits: read.limits });
  };
  return (
    <section aria-labelledby={`limits-${tenant.id}`}>
      <h2 className="part-title" id={`limits-${tenant.id}`}>
        {t("limits.title")}
      </h2>
      {change.isError && <Failure message={messageOf(change.error)} />}
      <form onSubmit={submit} noValidate>
        <div className="limit-fields">
          <TextInput
            label={t("settings.name")}
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
            maxLength={200}
          />
          <LimitFields texts={limits} faults={faults} onChange={setLimits} />
        </div>
        <p className="muted small">{t("limits.typedHint")}</p>
        <Button type="submit" variant="default" loading={change.isPending} disabled={!changed || name.trim() === ""}>
          {t("save")}
        </Button>
      </form>
    </section>
  );
}
