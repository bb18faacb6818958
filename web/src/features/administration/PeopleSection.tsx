import { Button, Modal, Title, VisuallyHidden } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { messageOf } from "../../api/errors";
import { useChangeRole, useMakeResetLink, useRemoveUser, useRemoveUserSecondFactor, useUsers } from "../../api/people";
import type { Me, Member, Role } from "../../api/types";
import { ConfirmDialog } from "../../ui/ConfirmDialog";
import { Copyable } from "../../ui/Copyable";
import { Failure } from "../../ui/Failure";
import { formatTime } from "../../ui/format";
import { Icon } from "../../ui/Icon";
import { Rows } from "../../ui/Rows";
import { Scrollable } from "../../ui/Scrollable";
import { Select } from "../../ui/Select";
import { useTitle } from "../../ui/useTitle";
import { Invitations } from "./Invitations";
import { InviteDialog } from "./InviteDialog";
import { offeredRoles, roles } from "./roles";

type Asked = { what: "remove" | "factor" | "reset"; user: Member };

/** Who may do what in the tenant, and who is invited. */
export function PeopleSection({ me }: { me: Me }) {
  const { t } = useTranslation("administration");
  useTitle(t("people.title"));
  const users = useUsers();
  const change = useChangeRole();
  const [inviting, setInviting] = useState(false);
  const [asked, setAsked] = useState<Asked | null>(null);
  return (
    <>
      <div className="page-head">
        <Title order={1} size="h2">
          {t("people.title")}
        </Title>
        <Button leftSection={<Icon name="plus" />} onClick={() => setInviting(true)}>
          {t("people.invite")}
        </Button>
      </div>
      {users.isError && <Failure message={messageOf(users.error)} onRetry={() => void users.refetch()} />}
      {change.isError && <Failure message={messageOf(change.error)} />}
      {users.isPending && <Rows label={t("people.loading")} />}
      {users.data && (
        <Scrollable className="card table-scroll tall" label={t("people.title")}>
          <table className="table stacked">
            <thead>
              <tr>
                <th scope="col">{t("people.person")}</th>
                <th scope="col">{t("people.role")}</th>
                <th scope="col">
                  <VisuallyHidden>{t("action")}</VisuallyHidden>
                </th>
              </tr>
            </thead>
            <tbody>
              {users.data.map((user) => (
                <UserRow
                  key={user.id}
                  user={user}
                  me={me}
                  onRole={(role) => change.mutate({ userId: user.id, role })}
                  onAsk={(what) => setAsked({ what, user })}
                />
              ))}
            </tbody>
          </table>
        </Scrollable>
      )}
      <Invitations />
      <RoleWords />
      {inviting && <InviteDialog me={me} onClose={() => setInviting(false)} />}
      {asked && <Ask {...asked} onClose={() => setAsked(null)} />}
    </>
  );
}

interface UserRowProps {
  user: Member;
  me: Me;
  onRole(role: Role): void;
  onAsk(what: Asked["what"]): void;
}

function UserRow({ user, me, onRole, onAsk }: UserRowProps) {
  const { t } = useTranslation("administration");
  const offered = offeredRoles(me);
  const fixed = !offered.includes(user.role);
  const self = user.id === me.user?.id;
  return (
    <tr data-testid="user-row">
      <td className="anywhere">
        <b>{user.name || user.email}</b> {self && <span className="tag">{t("people.you")}</span>}
        {user.name && <div className="muted small">{user.email}</div>}
      </td>
      <td>
        {fixed || self ? (
          t(`role.${user.role}`)
        ) : (
          <Select<Role>
            label={t("people.roleOf", { user: user.email })}
            hideLabel
            value={user.role}
            options={offered.map((role) => ({ value: role, label: t(`role.${role}`) }))}
            onChange={onRole}
          />
        )}
      </td>
      <td>
        {!self && !fixed && (
          <div className="administration-actions end">
            {(["reset", "factor", "remove"] as const).map((what) => (
              <Button
                key={what}
                size="xs"
                variant="default"
                onClick={() => onAsk(what)}
                aria-label={t(`people.${what}Of`, { user: user.email })}
              >
                {t(`people.${what}`)}
              </Button>
            ))}
          </div>
        )}
      </td>
    </tr>
  );
}

/** Asks, does, and shows a link that was made. */
function Ask({ what, user, onClose }: Asked & { onClose(): void }) {
  const { t } = useTranslation("administration");
  const remove = useRemoveUser();
  const factor = useRemoveUserSecondFactor();
  const reset = useMakeResetLink();
  const act = { remove, factor, reset }[what];
  if (reset.data) {
    return (
      <Modal
        opened
        onClose={onClose}
        title={t("people.resetOf", { user: user.email })}
        centered
        closeOnClickOutside={false}
        closeButtonProps={{ "aria-label": t("close") }}
      >
        <p className="lead">{t("people.resetMade", { until: formatTime(reset.data.expiresAt) })}</p>
        <Copyable label={t("people.link")} text={reset.data.link} testId="made-link" />
      </Modal>
    );
  }
  return (
    <ConfirmDialog
      title={t(`people.${what}Of`, { user: user.email })}
      action={t(`people.${what}Do`)}
      harmless={what === "reset"}
      busy={act.isPending}
      onConfirm={() => act.mutate(user.id, what === "reset" ? {} : { onSuccess: onClose })}
      onClose={onClose}
    >
      {act.isError && <Failure message={messageOf(act.error)} />}
      <p>{t(`people.${what}Means`)}</p>
    </ConfirmDialog>
  );
}

function RoleWords() {
  const { t } = useTranslation("administration");
  return (
    <section className="card panel administration-part" aria-labelledby="roles-title">
      <h2 className="panel-title" id="roles-title">
        {t("people.roles")}
      </h2>
      <dl className="role-words">
        {roles.map((role) => (
          <div key={role}>
            <dt>{t(`role.${role}`)}</dt>
            <dd className="muted">{t(`roleMeans.${role}`)}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
