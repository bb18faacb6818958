import { Button, Group, Modal, Stack, Text, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import type { useKeyChanges } from "../../api/deviceKeys";
import { messageOf } from "../../api/errors";
import type { IssuedKey, KeyView } from "../../api/types";
import { Copyable } from "../../ui/Copyable";
import { Failure } from "../../ui/Failure";
import { formatTime, fromInputTime, toInputTime } from "../../ui/format";
import { Select } from "../../ui/Select";
import { type Overlap, overlaps } from "./keyState";

type Changes = ReturnType<typeof useKeyChanges>;

export function IssueKey(props: { issue: Changes["issue"]; onClose(): void; onIssued(key: IssuedKey): void }) {
  const { t } = useTranslation("device");
  const { issue, onClose, onIssued } = props;
  const [name, setName] = useState("");
  const [end, setEnd] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const expires = end === "" ? null : fromInputTime(end);
    const expiresAt = expires === null ? null : new Date(expires).toISOString();
    issue.mutate({ name: name.trim(), expiresAt }, { onSuccess: onIssued });
  };
  return (
    <Modal opened onClose={onClose} title={t("keys.issueTitle")} centered>
      <form onSubmit={submit}>
        <Stack gap="sm">
          {issue.isError && <Failure message={messageOf(issue.error)} />}
          <TextInput
            label={t("keys.name")}
            description={t("keys.nameHint")}
            value={name}
            maxLength={200}
            onChange={(event) => setName(event.currentTarget.value)}
            data-autofocus
          />
          <TextInput
            label={t("keys.expiry")}
            type="datetime-local"
            value={end}
            min={toInputTime(Date.now())}
            onChange={(event) => setEnd(event.currentTarget.value)}
          />
          <Ending onClose={onClose} pending={issue.isPending} confirm={t("keys.issue")} />
        </Stack>
      </form>
    </Modal>
  );
}

export function RotateKey(props: {
  entry: KeyView;
  rotate: Changes["rotate"];
  onClose(): void;
  onIssued(key: IssuedKey): void;
}) {
  const { t } = useTranslation("device");
  const { entry, rotate, onClose, onIssued } = props;
  const [overlap, setOverlap] = useState<Overlap>("day");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    rotate.mutate({ keyId: entry.keyId, overlapSeconds: overlaps[overlap] }, { onSuccess: onIssued });
  };
  return (
    <Modal opened onClose={onClose} title={t("keys.rotateOne", { name: entry.name || entry.keyId })} centered>
      <form onSubmit={submit}>
        <Stack gap="sm">
          {rotate.isError && <Failure message={messageOf(rotate.error)} />}
          <Text size="sm">{t("keys.rotateText")}</Text>
          <Select<Overlap>
            label={t("keys.overlap")}
            value={overlap}
            options={(Object.keys(overlaps) as Overlap[]).map((name) => ({
              value: name,
              label: t(`keys.overlaps.${name}`),
            }))}
            onChange={setOverlap}
          />
          <Ending onClose={onClose} pending={rotate.isPending} confirm={t("keys.rotate")} />
        </Stack>
      </form>
    </Modal>
  );
}

export function RevokeKey({ entry, revoke, onClose }: { entry: KeyView; revoke: Changes["revoke"]; onClose(): void }) {
  const { t } = useTranslation("device");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    revoke.mutate(entry.keyId, { onSuccess: onClose });
  };
  return (
    <Modal opened onClose={onClose} title={t("keys.revokeOne", { name: entry.name || entry.keyId })} centered>
      <form onSubmit={submit}>
        <Stack gap="sm">
          {revoke.isError && <Failure message={messageOf(revoke.error)} />}
          <Text size="sm">{t("keys.revokeText")}</Text>
          <Ending onClose={onClose} pending={revoke.isPending} confirm={t("keys.revokeConfirm")} grave />
        </Stack>
      </form>
    </Modal>
  );
}

/** The text of a new key, which nobody can look up again. It is closed on purpose only. */
export function NewKey({ entry, onClose }: { entry: IssuedKey; onClose(): void }) {
  const { t } = useTranslation("device");
  return (
    <Modal
      opened
      onClose={onClose}
      title={t("keys.newTitle")}
      closeOnClickOutside={false}
      closeOnEscape={false}
      withCloseButton={false}
      centered
    >
      <Stack gap="sm">
        <Text size="sm">{t("keys.newText")}</Text>
        <Copyable label={t("keys.key")} text={entry.key} testId="device-key" />
        {entry.expiresAt && (
          <Text size="sm" c="dimmed">
            {t("keys.expires", { time: formatTime(entry.expiresAt) })}
          </Text>
        )}
        <Group justify="flex-end">
          <Button onClick={onClose}>{t("keys.kept")}</Button>
        </Group>
      </Stack>
    </Modal>
  );
}

function Ending(props: { onClose(): void; pending: boolean; confirm: string; grave?: boolean }) {
  const { t } = useTranslation("device");
  return (
    <Group justify="flex-end" gap="sm">
      <Button variant="default" onClick={props.onClose}>
        {t("cancel")}
      </Button>
      <Button type="submit" loading={props.pending} color={props.grave ? "red" : undefined}>
        {props.confirm}
      </Button>
    </Group>
  );
}
