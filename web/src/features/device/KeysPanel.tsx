import { Button, Skeleton } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useDeviceKeys, useKeyChanges } from "../../api/deviceKeys";
import { messageOf } from "../../api/errors";
import type { IssuedKey, KeyView } from "../../api/types";
import { Empty } from "../../ui/Empty";
import { Failure } from "../../ui/Failure";
import { formatRelative, formatTime } from "../../ui/format";
import { useNow } from "../../ui/useNow";
import { IssueKey, NewKey, RevokeKey, RotateKey } from "./KeyDialogs";
import { isGood, keyState, MOST_KEYS } from "./keyState";

type Open = { what: "issue" } | { what: "rotate" | "revoke"; key: KeyView } | { what: "shown"; key: IssuedKey } | null;

/** The keys that this device sends with: issued, rotated with overlap, revoked. */
export function KeysPanel({ deviceId }: { deviceId: string }) {
  const { t } = useTranslation("device");
  const keys = useDeviceKeys(deviceId);
  const changes = useKeyChanges(deviceId);
  const now = useNow(30_000);
  const [open, setOpen] = useState<Open>(null);
  const [ended, setEnded] = useState(false);
  const all = keys.data ?? [];
  const good = all.filter((key) => isGood(key, now));
  const listed = ended ? all : good;
  return (
    <section className="card panel" aria-label={t("keys.title")}>
      <div className="panel-head">
        <h2 className="panel-title">{t("keys.title")}</h2>
        <div className="panel-doing">
          {all.length > good.length && (
            <button type="button" className="link small" aria-pressed={ended} onClick={() => setEnded(!ended)}>
              {t("keys.showEnded", { count: all.length - good.length })}
            </button>
          )}
          <Button
            size="xs"
            variant="default"
            onClick={() => setOpen({ what: "issue" })}
            disabled={good.length >= MOST_KEYS}
            title={good.length >= MOST_KEYS ? t("keys.full") : undefined}
          >
            {t("keys.issue")}
          </Button>
        </div>
      </div>
      {keys.isError && !keys.data && <Failure message={messageOf(keys.error)} onRetry={() => void keys.refetch()} />}
      {keys.isPending && <Skeleton height={60} aria-label={t("keys.loading")} />}
      {keys.isSuccess && listed.length === 0 && <Empty title={t("keys.none")}>{t("keys.noneText")}</Empty>}
      <ul className="device-keys">
        {listed.map((key) => (
          <KeyRow key={key.keyId} entry={key} now={now} onOpen={(what) => setOpen({ what, key })} />
        ))}
      </ul>
      {open?.what === "issue" && (
        <IssueKey
          issue={changes.issue}
          onClose={() => setOpen(null)}
          onIssued={(key) => setOpen({ what: "shown", key })}
        />
      )}
      {open?.what === "rotate" && (
        <RotateKey
          entry={open.key}
          rotate={changes.rotate}
          onClose={() => setOpen(null)}
          onIssued={(key) => setOpen({ what: "shown", key })}
        />
      )}
      {open?.what === "revoke" && <RevokeKey entry={open.key} revoke={changes.revoke} onClose={() => setOpen(null)} />}
      {open?.what === "shown" && <NewKey entry={open.key} onClose={() => setOpen(null)} />}
    </section>
  );
}

function KeyRow({ entry, now, onOpen }: { entry: KeyView; now: number; onOpen(what: "rotate" | "revoke"): void }) {
  const { t } = useTranslation("device");
  const state = keyState(entry, now);
  const name = entry.name || entry.keyId;
  return (
    <li className="device-key" data-testid="device-key-row" data-state={state}>
      <div className="device-key-name">
        <span>{name}</span>
        <span className="mono small muted">{entry.keyId}</span>
        <span className="key-state" data-state={state}>
          {t(`keys.state.${state}`)}
        </span>
      </div>
      <p className="muted small device-key-facts">
        <span>{t("keys.created", { time: formatTime(entry.createdAt) })}</span>
        <span title={entry.lastUsedAt ? formatTime(entry.lastUsedAt) : undefined}>
          {entry.lastUsedAt
            ? t("keys.used", { when: formatRelative(entry.lastUsedAt, now), address: entry.lastUsedFrom ?? "–" })
            : t("keys.unused")}
        </span>
        <span>
          {entry.revokedAt
            ? t("keys.revoked", { time: formatTime(entry.revokedAt) })
            : entry.expiresAt
              ? t("keys.expires", { time: formatTime(entry.expiresAt) })
              : t("keys.endless")}
        </span>
      </p>
      {isGood(entry, now) && (
        <div className="device-key-doing">
          {!entry.replacedBy && entry.kind === "device" && (
            <Button
              size="xs"
              variant="default"
              onClick={() => onOpen("rotate")}
              aria-label={t("keys.rotateOne", { name })}
            >
              {t("keys.rotate")}
            </Button>
          )}
          <Button
            size="xs"
            variant="default"
            onClick={() => onOpen("revoke")}
            aria-label={t("keys.revokeOne", { name })}
          >
            {t("keys.revoke")}
          </Button>
        </div>
      )}
    </li>
  );
}
