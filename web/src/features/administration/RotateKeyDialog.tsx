import { Button, Group, Modal, Stack } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { messageOf } from "../../api/errors";
import { useRotateKey } from "../../api/keys";
import type { Key } from "../../api/types";
import { Failure } from "../../ui/Failure";
import { formatDuration } from "../../ui/format";
import { Select } from "../../ui/Select";
import { lineFor } from "./IssueKeyDialog";
import { ShownOnce } from "./ShownOnce";
import { endOf, lives, overlaps } from "./terms";

/** A new key in place of an old one, with both good for a while. */
export function RotateKeyDialog({ record, onClose }: { record: Key; onClose(): void }) {
  const { t } = useTranslation("administration");
  const [overlap, setOverlap] = useState("86400");
  const [days, setDays] = useState(record.expiresAt ? "365" : "0");
  const rotate = useRotateKey();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const expiresAt = endOf(Number(days), Date.now());
    rotate.mutate({ keyId: record.keyId, overlapSeconds: Number(overlap), expiresAt });
  };
  return (
    <Modal
      opened
      onClose={onClose}
      title={t("keys.rotateOf", { key: record.name || record.keyId })}
      size="lg"
      centered
      closeOnClickOutside={false}
      closeOnEscape={!rotate.data}
      closeButtonProps={{ "aria-label": t("close") }}
    >
      {rotate.data ? (
        <Stack gap="md">
          <ShownOnce label={t("key")} text={rotate.data.key} line={lineFor(rotate.data)} testId="issued-key" />
          <Group justify="flex-end">
            <Button onClick={onClose}>{t("done")}</Button>
          </Group>
        </Stack>
      ) : (
        <form onSubmit={submit}>
          <Stack gap="md">
            {rotate.isError && <Failure message={messageOf(rotate.error)} />}
            <p className="muted">{t("keys.rotateMeans")}</p>
            <Select
              label={t("keys.overlap")}
              value={overlap}
              options={overlaps.map((seconds) => ({
                value: String(seconds),
                label: seconds > 0 ? formatDuration(seconds * 1000) : t("keys.atOnce"),
              }))}
              onChange={setOverlap}
            />
            <Select
              label={t("keys.life")}
              value={days}
              options={lives.map((life) => ({
                value: String(life),
                label: life > 0 ? t("keys.days", { count: life }) : t("keys.noEnd"),
              }))}
              onChange={setDays}
            />
            <Group justify="flex-end">
              <Button variant="default" onClick={onClose}>
                {t("cancel")}
              </Button>
              <Button type="submit" loading={rotate.isPending}>
                {t("keys.rotate")}
              </Button>
            </Group>
          </Stack>
        </form>
      )}
    </Modal>
  );
}
