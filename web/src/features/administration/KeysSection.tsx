import { Button, Title, VisuallyHidden } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { messageOf } from "../../api/errors";
import { useKeys, useRevokeKey } from "../../api/keys";
import type { Key } from "../../api/types";
import { ConfirmDialog } from "../../ui/ConfirmDialog";
import { Empty } from "../../ui/Empty";
import { Failure } from "../../ui/Failure";
import { formatRelative, formatTime } from "../../ui/format";
import { Icon } from "../../ui/Icon";
import { Rows } from "../../ui/Rows";
import { Scrollable } from "../../ui/Scrollable";
import { useNow } from "../../ui/useNow";
import { useTitle } from "../../ui/useTitle";
import { IssueKeyDialog } from "./IssueKeyDialog";
import { RotateKeyDialog } from "./RotateKeyDialog";
import { TokensPanel } from "./TokensPanel";
import { stateOf } from "./terms";

/** Gateway and service keys, and the tokens with which devices register themselves. */
export function KeysSection() {
  const { t } = useTranslation("administration");
  useTitle(t("keys.title"));
  const keys = useKeys();
  const revoke = useRevokeKey();
  const now = useNow(10_000);
  const [issuing, setIssuing] = useState(false);
  const [rotated, setRotated] = useState<Key | null>(null);
  const [revoked, setRevoked] = useState<Key | null>(null);
  const [ended, setEnded] = useState(false);
  const isLive = (key: Key) => stateOf(key, now) === "live" || stateOf(key, now) === "soon";
  const rows = (keys.data ?? []).filter((key) => ended || isLive(key));
  const hidden = (keys.data ?? []).filter((key) => !isLive(key)).length;

  return (
    <>
      <div className="page-head">
        <Title order={1} size="h2">
          {t("keys.title")}
        </Title>
        <Button leftSection={<Icon name="plus" />} onClick={() => setIssuing(true)}>
          {t("keys.issue")}
        </Button>
      </div>
      <p className="lead">{t("keys.lead")}</p>
      {keys.isError && <Failure message={messageOf(keys.error)} onRetry={() => void keys.refetch()} />}
      {keys.isPending && <Rows label={t("keys.loading")} />}
      {keys.isSuccess && rows.length === 0 && (
        <div className="card">
          <Empty title={t("keys.none")}>{t("keys.noneHint")}</Empty>
        </div>
      )}
      {rows.length > 0 && (
        <Scrollable className="card table-scroll tall" label={t("keys.title")}>
          <table className="table">
            <thead>
              <tr>
                <th scope="col">{t("keys.name")}</th>
                <th scope="col">{t("keys.lastUsed")}</th>
                <th scope="col">{t("keys.ends")}</th>
                <th scope="col">
                  <VisuallyHidden>{t("action")}</VisuallyHidden>
                </th>
              </tr>
            </thead>
            <tbody>
              {rows.map((key) => (
                <KeyRow
                  key={key.keyId}
                  record={key}
                  now={now}
                  onRotate={() => setRotated(key)}
                  onRevoke={() => setRevoked(key)}
                />
              ))}
            </tbody>
          </table>
        </Scrollable>
      )}
      {hidden > 0 && (
        <div className="more">
          <Button size="xs" variant="default" onClick={() => setEnded(!ended)} aria-pressed={ended}>
            {ended ? t("keys.hideEnded") : t("keys.showEnded", { count: hidden })}
          </Button>
        </div>
      )}
      <TokensPanel />
      {issuing && <IssueKeyDialog onClose={() => setIssuing(false)} />}
      {rotated && <RotateKeyDialog record={rotated} onClose={() => setRotated(null)} />}
      {revoked && (
        <ConfirmDialog
          title={t("keys.revokeOf", { key: revoked.name || revoked.keyId })}
          action={t("keys.revoke")}
          busy={revoke.isPending}
          onConfirm={() => revoke.mutate(revoked.keyId, { onSuccess: () => setRevoked(null) })}
          onClose={() => setRevoked(null)}
        >
          {revoke.isError && <Failure message={messageOf(revoke.error)} />}
          <p>
            {revoked.lastUsedAt
              ? t("keys.revokeMeansUsed", { ago: formatRelative(revoked.lastUsedAt, now) })
              : t("keys.revokeMeans")}
          </p>
        </ConfirmDialog>
      )}
    </>
  );
}

interface KeyRowProps {
  record: Key;
  now: number;
  onRotate(): void;
  onRevoke(): void;
}

function KeyRow({ record, now, onRotate, onRevoke }: KeyRowProps) {
  const { t } = useTranslation("administration");
  const state = stateOf(record, now);
  const name = record.name || record.keyId;
  return (
    <tr data-testid="key-row" data-state={state}>
      <td className="anywhere">
        <b>{name}</b>
        <div className="muted small">
          {t(`keys.kind.${record.kind}`)}
          {record.kind === "service" && `: ${record.scopes.map((scope) => t(`keys.scope.${scope}`)).join(", ")}`}
          {record.addresses.length > 0 && ` · ${record.addresses.join(", ")}`}
        </div>
        {record.name && <div className="muted mono small">{record.keyId}</div>}
      </td>
      <td title={record.lastUsedAt ? formatTime(record.lastUsedAt) : undefined}>
        {formatRelative(record.lastUsedAt, now)}
        {record.lastUsedFrom && <div className="muted small">{record.lastUsedFrom}</div>}
      </td>
      <td title={record.expiresAt ? formatTime(record.expiresAt) : undefined}>
        {state === "revoked" && <span className="tag">{t("keys.state.revoked")}</span>}
        {state === "ended" && <span className="tag">{t("keys.state.ended")}</span>}
        {state === "soon" && record.expiresAt && (
          <span className="late">{t("keys.state.soon", { when: formatRelative(record.expiresAt, now) })}</span>
        )}
        {state === "live" && (record.expiresAt ? formatRelative(record.expiresAt, now) : t("keys.never"))}
        {record.replacedBy && <div className="muted small">{t("keys.replaced")}</div>}
      </td>
      <td>
        {(state === "live" || state === "soon") && (
          <div className="administration-actions end">
            {!record.replacedBy && (
              <Button size="xs" variant="default" onClick={onRotate} aria-label={t("keys.rotateOf", { key: name })}>
                {t("keys.rotate")}
              </Button>
            )}
            <Button size="xs" variant="default" onClick={onRevoke} aria-label={t("keys.revokeOf", { key: name })}>
              {t("keys.revoke")}
            </Button>
          </div>
        )}
      </td>
    </tr>
  );
}
