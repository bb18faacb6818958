import { Button } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { messageOf } from "../../api/errors";
import { useInvitations, useWithdrawInvitation } from "../../api/people";
import { Empty } from "../../ui/Empty";
import { Failure } from "../../ui/Failure";
import { formatRelative, formatTime } from "../../ui/format";
import { Rows } from "../../ui/Rows";
import { useNow } from "../../ui/useNow";

/** Who is invited and has not accepted yet. */
export function Invitations() {
  const { t } = useTranslation("administration");
  const invitations = useInvitations();
  const withdraw = useWithdrawInvitation();
  const now = useNow(30_000);
  return (
    <section className="administration-part" aria-labelledby="invitations-title">
      <h2 className="panel-title" id="invitations-title">
        {t("invitations.title")}
      </h2>
      {(invitations.isError || withdraw.isError) && (
        <Failure message={messageOf(invitations.error ?? withdraw.error)} />
      )}
      {invitations.isPending && <Rows label={t("invitations.loading")} count={1} />}
      {invitations.data?.length === 0 && (
        <div className="card">
          <Empty title={t("invitations.none")}>{t("invitations.noneHint")}</Empty>
        </div>
      )}
      {invitations.data && invitations.data.length > 0 && (
        <ul className="card invitations" aria-label={t("invitations.title")}>
          {invitations.data.map((invitation) => (
            <li key={invitation.id} data-testid="invitation-row">
              <span className="anywhere">
                <b>{invitation.email}</b>{" "}
                <span className="muted">
                  {t("invitations.as", { role: t(`role.${invitation.role}`) })} ·{" "}
                  <span title={formatTime(invitation.expiresAt)}>
                    {t("invitations.until", { when: formatRelative(invitation.expiresAt, now) })}
                  </span>
                </span>
              </span>
              <Button
                size="xs"
                variant="default"
                loading={withdraw.isPending && withdraw.variables === invitation.id}
                onClick={() => withdraw.mutate(invitation.id)}
                aria-label={t("invitations.withdrawOf", { user: invitation.email })}
              >
                {t("invitations.withdraw")}
              </Button>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}
