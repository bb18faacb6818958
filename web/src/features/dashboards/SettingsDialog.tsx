import { ActionIcon, Button, Modal, TextInput } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useChoices } from "../../api/dashboards";
import type { DashboardVariable, Range, RefreshSeconds } from "../../api/dashboardTypes";
import { RANGES, REFRESHES } from "../../panels/address";
import { rangeWord, refreshWord } from "../../panels/words";
import { Select } from "../../ui/Select";
import { type Draft, panelsOf } from "./draft";
import { EditIcon } from "./EditIcon";

interface SettingsDialogProps {
  opened: boolean;
  draft: Draft;
  onClose(): void;
  onDone(draft: Draft): void;
}

const SEE_ALL: DashboardVariable[] = [
  { name: "device", kind: "device" },
  { name: "location", kind: "location" },
];

/** What a dashboard begins with: its words, its range, and the choices at its top. */
export function SettingsDialog({ opened, draft, onClose, onDone }: SettingsDialogProps) {
  const { t } = useTranslation("dashboards");
  return (
    <Modal
      opened={opened}
      onClose={onClose}
      size="lg"
      title={t("edit.settings")}
      closeButtonProps={{ "aria-label": t("close") }}
    >
      {opened && <Form draft={draft} onDone={onDone} />}
    </Modal>
  );
}

function Form({ draft, onDone }: { draft: Draft; onDone(draft: Draft): void }) {
  const { t } = useTranslation("dashboards");
  const [document, setDocument] = useState(draft.document);
  const choices = useChoices(SEE_ALL);
  const variables = document.variables ?? [];
  const used = new Set(panelsOf(draft.document).map((panel) => panel.of?.variable));
  const set = (index: number, part: Partial<DashboardVariable>) =>
    setDocument({
      ...document,
      variables: variables.map((each, place) => (place === index ? { ...each, ...part } : each)),
    });
  const add = (kind: DashboardVariable["kind"]) => {
    let name: string = kind;
    for (let number = 2; variables.some((each) => each.name === name); number += 1) name = `${kind}${number}`;
    setDocument({ ...document, variables: [...variables, { name, kind, label: t(`variable.${kind}`) }] });
  };
  return (
    <form
      className="form"
      onSubmit={(event) => {
        event.preventDefault();
        onDone({ ...draft, document });
      }}
    >
      <TextInput
        label={t("edit.description")}
        value={document.description ?? ""}
        maxLength={1_000}
        onChange={(event) => setDocument({ ...document, description: event.currentTarget.value })}
      />
      <div className="fields">
        <Select<Range>
          label={t("view.range")}
          value={document.range ?? "24h"}
          options={RANGES.map((value) => ({ value, label: rangeWord(value) }))}
          onChange={(range) => setDocument({ ...document, range })}
        />
        <Select
          label={t("view.refresh")}
          value={String(document.refreshSeconds ?? 30)}
          options={REFRESHES.map((value) => ({ value: String(value), label: refreshWord(value) }))}
          onChange={(value) => setDocument({ ...document, refreshSeconds: Number(value) as RefreshSeconds })}
        />
      </div>
      <fieldset className="choices">
        <legend>{t("variable.title")}</legend>
        <p className="muted small">{t("variable.meaning")}</p>
        {variables.map((variable, index) => {
          const offered = choices.data?.choices[variable.kind] ?? [];
          const chosen = variable.default?.[0] ?? "";
          return (
            <div key={variable.name} className="threshold">
              <TextInput
                label={t(`variable.${variable.kind}`)}
                value={variable.label ?? ""}
                maxLength={200}
                onChange={(event) => set(index, { label: event.currentTarget.value })}
              />
              <Select
                label={t("variable.default")}
                value={chosen}
                options={[
                  { value: "", label: t("view.all") },
                  ...offered,
                  ...(chosen && !offered.some(({ value }) => value === chosen)
                    ? [{ value: chosen, label: chosen }]
                    : []),
                ]}
                onChange={(value) => set(index, { default: value ? [value] : [] })}
              />
              <ActionIcon
                variant="default"
                size={36}
                disabled={used.has(variable.name)}
                title={used.has(variable.name) ? t("variable.used") : undefined}
                aria-label={t("variable.remove", { name: variable.label || variable.name })}
                onClick={() => setDocument({ ...document, variables: variables.filter((_, place) => place !== index) })}
              >
                <EditIcon name="bin" />
              </ActionIcon>
            </div>
          );
        })}
        {variables.length < 4 && (
          <div className="view-actions">
            <Button size="xs" variant="default" onClick={() => add("device")}>
              {t("variable.addDevice")}
            </Button>
            <Button size="xs" variant="default" onClick={() => add("location")}>
              {t("variable.addLocation")}
            </Button>
          </div>
        )}
      </fieldset>
      <Button type="submit">{t("edit.take")}</Button>
    </form>
  );
}
