import { Button, Group, Modal, Stack, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { messageOf } from "../../api/errors";
import { useIssueKey } from "../../api/keys";
import type { IssuedKey, Scope } from "../../api/types";
import { readingLine, sendingLine } from "../../ui/curl";
import { Failure } from "../../ui/Failure";
import { Select } from "../../ui/Select";
import { ShownOnce } from "./ShownOnce";
import { endOf, lives } from "./terms";

const scopes: Scope[] = ["read", "ingest", "admin"];

/** A new gateway or service key; shown once. */
export function IssueKeyDialog({ onClose }: { onClose(): void }) {
  const { t } = useTranslation("administration");
  const [kind, setKind] = useState<"gateway" | "service">("gateway");
  const [name, setName] = useState("");
  const [chosen, setChosen] = useState<ReadonlySet<Scope>>(new Set(["read"]));
  const [days, setDays] = useState("365");
  const [addresses, setAddresses] = useState("");
  const [checked, setChecked] = useState(false);
  const issue = useIssueKey();
  const noScope = kind === "service" && chosen.size === 0;

  const submit = (event: FormEvent) => {
    event.preventDefault();
    setChecked(true);
    if (name.trim() === "" || noScope) return;
    issue.mutate({
      kind,
      name: name.trim(),
      ...(kind === "service" && { scopes: [...chosen] }),
      expiresAt: endOf(Number(days), Date.now()),
      addresses: addresses
        .split(/[\s,;]+/)
        .map((address) => address.trim())
        .filter(Boolean),
    });
  };
  const toggle = (scope: Scope, wanted: boolean) => {
    const next = new Set(chosen);
    if (wanted) next.add(scope);
    else next.delete(scope);
    setChosen(next);
  };

  return (
    <Modal
      opened
      onClose={onClose}
      title={t("keys.issue")}
      size="lg"
      centered
      closeOnClickOutside={false}
      closeOnEscape={!issue.data}
      closeButtonProps={{ "aria-label": t("close") }}
    >
      {issue.data ? (
        <Stack gap="md">
          <ShownOnce label={t("key")} text={issue.data.key} line={lineFor(issue.data)} testId="issued-key" />
          <Group justify="flex-end">
            <Button onClick={onClose}>{t("done")}</Button>
          </Group>
        </Stack>
      ) : (
        <form onSubmit={submit} noValidate>
          <Stack gap="md">
            {issue.isError && <Failure message={messageOf(issue.error)} />}
            <Select<"gateway" | "service">
              label={t("keys.kindLabel")}
              value={kind}
              options={[
                { value: "gateway", label: t("keys.gatewayHint") },
                { value: "service", label: t("keys.serviceHint") },
              ]}
              onChange={setKind}
            />
            <TextInput
              label={t("keys.name")}
              description={t("keys.nameHint")}
              value={name}
              onChange={(event) => setName(event.currentTarget.value)}
              error={checked && name.trim() === "" && t("keys.enterName")}
              maxLength={200}
              data-autofocus
            />
            {kind === "service" && (
              <fieldset className="choices">
                <legend>{t("keys.scopes")}</legend>
                {scopes.map((scope) => (
                  <label key={scope}>
                    <input
                      type="checkbox"
                      checked={chosen.has(scope)}
                      onChange={(event) => toggle(scope, event.currentTarget.checked)}
                    />
                    <span>
                      <b>{t(`keys.scope.${scope}`)}</b> <span className="muted">{t(`keys.scopeHint.${scope}`)}</span>
                    </span>
                  </label>
                ))}
                {checked && noScope && <p className="fault">{t("keys.enterScope")}</p>}
              </fieldset>
            )}
            <Select
              label={t("keys.life")}
              value={days}
              options={lives.map((life) => ({
                value: String(life),
                label: life > 0 ? t("keys.days", { count: life }) : t("keys.noEnd"),
              }))}
              onChange={setDays}
            />
            <TextInput
              label={t("keys.addresses")}
              description={t("keys.addressesHint")}
              placeholder="192.0.2.0/24"
              value={addresses}
              onChange={(event) => setAddresses(event.currentTarget.value)}
              spellCheck={false}
            />
            <Group justify="flex-end">
              <Button variant="default" onClick={onClose}>
                {t("cancel")}
              </Button>
              <Button type="submit" loading={issue.isPending}>
                {t("keys.issue")}
              </Button>
            </Group>
          </Stack>
        </form>
      )}
    </Modal>
  );
}

/** A command that a new key is good for. */
export function lineFor({ key, kind, scopes: granted }: IssuedKey): string {
  const origin = window.location.origin;
  const sends = kind === "gateway" || granted.includes("ingest");
  if (sends) return sendingLine({ origin, key, deviceId: "dev-001", now: new Date() });
  return readingLine({ origin, key, path: granted.includes("read") ? "/api/v1/devices" : "/api/v1/keys" });
}
