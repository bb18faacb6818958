import { Button, VisuallyHidden } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { messageOf } from "../../api/errors";
import { useEnrolmentTokens, useRevokeEnrolmentToken } from "../../api/keys";
import type { EnrolmentToken } from "../../api/types";
import { ConfirmDialog } from "../../ui/ConfirmDialog";
import { Empty } from "../../ui/Empty";
import { Failure } from "../../ui/Failure";
import { formatCount, formatRelative, formatTime } from "../../ui/format";
import { Rows } from "../../ui/Rows";
import { Scrollable } from "../../ui/Scrollable";
import { useNow } from "../../ui/useNow";
import { NewTokenDialog } from "./NewTokenDialog";

/** Enrolment tokens that are good for something still. */
export function TokensPanel() {
  const { t } = useTranslation("administration");
  const tokens = useEnrolmentTokens();
  const revoke = useRevokeEnrolmentToken();
  const now = useNow(10_000);
  const [creating, setCreating] = useState(false);
  const [revoked, setRevoked] = useState<EnrolmentToken | null>(null);
  const rows = (tokens.data ?? []).filter(
    (token) => token.revokedAt === null && Date.parse(token.expiresAt) > now && token.uses < token.maxUses,
  );
  return (
    <section className="administration-part" aria-labelledby="tokens-title">
      <div className="page-head">
        <h2 className="panel-title" id="tokens-title">
          {t("tokens.title")}
        </h2>
        <Button variant="default" onClick={() => setCreating(true)}>
          {t("tokens.create")}
        </Button>
      </div>
      <p className="lead">{t("tokens.lead")}</p>
      {tokens.isError && <Failure message={messageOf(tokens.error)} onRetry={() => void tokens.refetch()} />}
      {tokens.isPending && <Rows label={t("tokens.loading")} count={2} />}
      {tokens.isSuccess && rows.length === 0 && (
        <div className="card">
          <Empty title={t("tokens.none")}>{t("tokens.noneHint")}</Empty>
        </div>
      )}
      {rows.length > 0 && (
        <Scrollable className="card table-scroll tall" label={t("tokens.title")}>
          <table className="table">
            <thead>
              <tr>
                <th scope="col">{t("keys.name")}</th>
                <th scope="col">{t("tokens.used")}</th>
                <th scope="col">{t("keys.ends")}</th>
                <th scope="col">
                  <VisuallyHidden>{t("action")}</VisuallyHidden>
                </th>
              </tr>
            </thead>
            <tbody>
              {rows.map((token) => (
                <tr key={token.tokenId} data-testid="token-row">
                  <td className="anywhere">
                    <b>{token.name || token.tokenId}</b>
                    {token.deviceIdPrefix && (
                      <div className="muted small">{t("tokens.prefixOf", { prefix: token.deviceIdPrefix })}</div>
                    )}
                  </td>
                  <td>
                    {t("tokens.uses", { uses: formatCount(token.uses), most: formatCount(token.maxUses) })}
                    {token.lastUsedAt && <div className="muted small">{formatRelative(token.lastUsedAt, now)}</div>}
                  </td>
                  <td title={formatTime(token.expiresAt)}>{formatRelative(token.expiresAt, now)}</td>
                  <td>
                    <div className="administration-actions end">
                      <Button
                        size="xs"
                        variant="default"
                        onClick={() => setRevoked(token)}
                        aria-label={t("keys.revokeOf", { key: token.name || token.tokenId })}
                      >
                        {t("keys.revoke")}
                      </Button>
                    </div>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </Scrollable>
      )}
      {creating && <NewTokenDialog onClose={() => setCreating(false)} />}
      {revoked && (
        <ConfirmDialog
          title={t("keys.revokeOf", { key: revoked.name || revoked.tokenId })}
          action={t("keys.revoke")}
          busy={revoke.isPending}
          onConfirm={() => revoke.mutate(revoked.tokenId, { onSuccess: () => setRevoked(null) })}
          onClose={() => setRevoked(null)}
        >
          {revoke.isError && <Failure message={messageOf(revoke.error)} />}
          <p>{t("tokens.revokeMeans")}</p>
        </ConfirmDialog>
      )}
    </section>
  );
}
