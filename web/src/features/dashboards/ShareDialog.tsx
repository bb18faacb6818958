import { Button, Modal, TextInput } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useCreateLink, useLinks, useRevokeLink, useSaveDashboard } from "../../api/dashboards";
import type { DashboardLink, Role, WholeDashboard } from "../../api/dashboardTypes";
import { messageOf } from "../../api/errors";
import { useMe } from "../../api/session";
import { Copyable } from "../../ui/Copyable";
import { Failure } from "../../ui/Failure";
import { formatRelative, formatTime } from "../../ui/format";
import { Select } from "../../ui/Select";
import { useNow } from "../../ui/useNow";

const DAYS = ["1", "7", "30", "90", "365"] as const;
const ROLES: Role[] = ["viewer", "operator", "admin", "owner"];

/** Who sees a dashboard: people from a role upwards, and whoever has a link. */
export function ShareDialog({
  dashboard,
  opened,
  onClose,
}: {
  dashboard: WholeDashboard;
  opened: boolean;
  onClose(): void;
}) {
  const { t } = useTranslation("dashboards");
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      title={t("share.title", { name: dashboard.name })}
      size="lg"
      closeButtonProps={{ "aria-label": t("close") }}
    >
      {opened && (
        <div className="form">
          <ByRole dashboard={dashboard} />
          <ByLink dashboard={dashboard} />
        </div>
      )}
    </Modal>
  );
}

function ByRole({ dashboard }: { dashboard: WholeDashboard }) {
  const { t } = useTranslation("dashboards");
  const me = useMe();
  const save = useSaveDashboard(dashboard.id);
  // Not further up than oneself: one would not see it any more.
  const offered = ROLES.slice(0, ROLES.indexOf((me.data?.role as Role) ?? "operator") + 1);
  const { name, document, version } = dashboard;
  return (
    <>
      <h3 className="dialog-head">{t("share.people")}</h3>
      <Select<Role>
        label={t("share.visibleTo")}
        value={dashboard.visibleTo}
        options={offered.map((role) => ({ value: role, label: t(`share.from.${role}`) }))}
        onChange={(visibleTo) => save.mutate({ name, document, version, visibleTo })}
      />
      {save.isError && <Failure message={messageOf(save.error)} />}
    </>
  );
}

function ByLink({ dashboard }: { dashboard: WholeDashboard }) {
  const { t } = useTranslation("dashboards");
  const links = useLinks(dashboard.id);
  const create = useCreateLink(dashboard.id);
  const [name, setName] = useState("");
  const [days, setDays] = useState("30");
  const open = (dashboard.document.variables ?? []).filter(
    (each) => (each.choices ?? []).length === 0 && (each.default ?? []).length === 0 && !each.location && !each.tag,
  );
  return (
    <>
      <h3 className="dialog-head">{t("share.links")}</h3>
      <p className="muted small">{t("share.meaning")}</p>
      {open.length > 0 && (
        <p className="small">{t("share.chooses", { names: open.map((each) => each.label || each.name).join(", ") })}</p>
      )}
      <form
        className="link-form"
        onSubmit={(event) => {
          event.preventDefault();
          create.mutate({ name: name.trim(), days: Number(days) }, { onSuccess: () => setName("") });
        }}
      >
        <TextInput
          label={t("share.linkName")}
          placeholder={t("share.linkNameHint")}
          value={name}
          maxLength={200}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <Select
          label={t("share.ends")}
          value={days}
          options={DAYS.map((value) => ({ value, label: t("share.days", { count: Number(value) }) }))}
          onChange={setDays}
        />
        <Button type="submit" loading={create.isPending}>
          {t("share.make")}
        </Button>
      </form>
      {create.isError && <Failure message={messageOf(create.error)} />}
      {create.data && (
        <div role="status">
          <Copyable label={t("share.newLink")} text={create.data.link} testId="shared-link" />
          <p className="muted small">{t("share.once")}</p>
        </div>
      )}
      {links.isError && <Failure message={messageOf(links.error)} onRetry={() => void links.refetch()} />}
      {links.data && links.data.links.length === 0 && <p className="muted small">{t("share.noLinks")}</p>}
      <ul className="version-list">
        {(links.data?.links ?? []).map((link) => (
          <LinkRow key={link.linkId} link={link} dashboardId={dashboard.id} />
        ))}
      </ul>
    </>
  );
}

function LinkRow({ link, dashboardId }: { link: DashboardLink; dashboardId: string }) {
  const { t } = useTranslation("dashboards");
  const now = useNow(10_000);
  const revoke = useRevokeLink(dashboardId);
  const over = link.revokedAt !== null || Date.parse(link.expiresAt) <= now;
  const state = link.revokedAt
    ? t("share.revoked", { when: formatRelative(link.revokedAt, now) })
    : t(over ? "share.ended" : "share.endsAt", { time: formatTime(link.expiresAt) });
  return (
    <li className="version-row" data-over={over || undefined}>
      <span>
        <strong>{link.name || t("share.unnamed")}</strong>
        <br />
        <span className="muted small">
          {state} · {t("share.used", { when: formatRelative(link.lastUsedAt, now) })}
        </span>
        {revoke.isError && <Failure message={messageOf(revoke.error)} />}
      </span>
      {!over && (
        <Button
          size="compact-xs"
          variant="default"
          loading={revoke.isPending}
          aria-label={t("share.revokeNamed", { name: link.name || t("share.unnamed") })}
          onClick={() => revoke.mutate(link.linkId)}
        >
          {t("share.revoke")}
        </Button>
      )}
    </li>
  );
}
