import { Button, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { messageOf } from "../../api/errors";
import { useInviteOwner, useResumeTenant, useSuspendTenant, useTenantFigures } from "../../api/tenants";
import type { Tenant } from "../../api/types";
import { Copyable } from "../../ui/Copyable";
import { Failure } from "../../ui/Failure";
import { formatCount } from "../../ui/format";
import { Scrollable } from "../../ui/Scrollable";
import { EraseTenant } from "./EraseTenant";
import { TenantChange } from "./TenantChange";

/** One tenant: its figures, its limits, its state. */
export function TenantPanel({ tenant, onErased }: { tenant: Tenant; onErased(): void }) {
  return (
    <div className="letter-body tenant-panel">
      <TenantFigures tenant={tenant} />
      <TenantChange key={JSON.stringify(tenant)} tenant={tenant} />
      <Owner tenant={tenant} />
      <Suspension tenant={tenant} />
      {tenant.suspended !== null && <EraseTenant tenant={tenant} onErased={onErased} />}
    </div>
  );
}

const entries = ["accepted", "stored", "duplicate", "dead", "rejected", "inFlight"] as const;

/** How much it sends: of the last day, and ever. */
function TenantFigures({ tenant }: { tenant: Tenant }) {
  const { t } = useTranslation("administration");
  const day = useTenantFigures(tenant.id, 24);
  const ever = useTenantFigures(tenant.id, null);
  const failed = day.error ?? ever.error;
  const of = (books: typeof day.data, entry: (typeof entries)[number]) => {
    if (!books) return "…";
    const value = books[entry];
    return formatCount(typeof value === "number" ? value : Object.values(value).reduce((sum, count) => sum + count, 0));
  };
  return (
    <div>
      {failed && <Failure message={messageOf(failed)} />}
      {ever.data && !ever.data.balanced && <Failure message={t("figures.unbalanced")} />}
      <Scrollable className="table-scroll" label={t("figures.title")}>
        <table className="table" data-testid="tenant-figures">
          <thead>
            <tr>
              <th scope="col">{t("figures.events")}</th>
              {entries.map((entry) => (
                <th key={entry} scope="col" className="right">
                  {t(`figures.${entry}`)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {(
              [
                ["day", day.data],
                ["ever", ever.data],
              ] as const
            ).map(([name, books]) => (
              <tr key={name}>
                <th scope="row">{t(`figures.${name}`)}</th>
                {entries.map((entry) => (
                  <td key={entry} className="number right">
                    {of(books, entry)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </Scrollable>
    </div>
  );
}

/** Invites an owner: without one nobody can begin there. */
function Owner({ tenant }: { tenant: Tenant }) {
  const { t } = useTranslation("administration");
  const [email, setEmail] = useState("");
  const invite = useInviteOwner(tenant.id);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (email.trim()) invite.mutate(email.trim(), { onSuccess: () => setEmail("") });
  };
  return (
    <section aria-labelledby={`owner-${tenant.id}`}>
      <h2 className="part-title" id={`owner-${tenant.id}`}>
        {t("owner.title")}
      </h2>
      {invite.isError && <Failure message={messageOf(invite.error)} />}
      <form onSubmit={submit} className="administration-line" noValidate>
        <TextInput
          label={t("people.email")}
          type="email"
          value={email}
          onChange={(event) => setEmail(event.currentTarget.value)}
          autoComplete="off"
        />
        <Button type="submit" variant="default" loading={invite.isPending} disabled={email.trim() === ""}>
          {t("owner.invite")}
        </Button>
      </form>
      {invite.data && (
        <Copyable label={t("owner.link", { email: invite.data.email })} text={invite.data.link} testId="made-link" />
      )}
    </section>
  );
}

/** Takes nothing more from its senders, or takes it again. */
function Suspension({ tenant }: { tenant: Tenant }) {
  const { t } = useTranslation("administration");
  const [reason, setReason] = useState("");
  const suspend = useSuspendTenant(tenant.id);
  const resume = useResumeTenant(tenant.id);
  const failed = suspend.error ?? resume.error;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (reason.trim()) suspend.mutate(reason.trim(), { onSuccess: () => setReason("") });
  };
  return (
    <section aria-labelledby={`state-${tenant.id}`}>
      <h2 className="part-title" id={`state-${tenant.id}`}>
        {t("suspension.title")}
      </h2>
      {failed && <Failure message={messageOf(failed)} />}
      {tenant.suspended === null ? (
        <form onSubmit={submit} className="administration-line" noValidate>
          <TextInput
            label={t("suspension.reason")}
            description={t("suspension.hint")}
            value={reason}
            onChange={(event) => setReason(event.currentTarget.value)}
            maxLength={200}
          />
          <Button type="submit" variant="default" loading={suspend.isPending} disabled={reason.trim() === ""}>
            {t("suspension.suspend")}
          </Button>
        </form>
      ) : (
        <div className="administration-line">
          <p>{t("suspension.since", { reason: tenant.suspended })}</p>
          <Button variant="default" loading={resume.isPending} onClick={() => resume.mutate(undefined)}>
            {t("suspension.resume")}
          </Button>
        </div>
      )}
    </section>
  );
}
