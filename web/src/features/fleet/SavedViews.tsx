import { Alert, Button, Group, Modal, Stack, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "wouter";
import { Copyable } from "../../ui/Copyable";
import { Icon } from "../../ui/Icon";
import { readViews, renamed, type SavedView, withView, writeViews } from "./savedViews";
import { sameView } from "./view";

type Dialog = { kind: "save" } | { kind: "edit"; view: SavedView };

/** A person's views by name; the one that is shown can be renamed, shared and deleted, any other one saved. */
export function SavedViews({ storageKey, search }: { storageKey: string; search: string }) {
  const { t } = useTranslation("fleet");
  const [views, setViews] = useState(() => readViews(storageKey));
  const [refused, setRefused] = useState(false);
  const [dialog, setDialog] = useState<Dialog | null>(null);
  const shown = views.find((view) => sameView(view.search, search));
  const isAll = sameView(search, "");

  const keep = (next: SavedView[]) => {
    setViews(next);
    setRefused(!writeViews(storageKey, next));
    setDialog(null);
  };

  if (views.length === 0 && isAll) return null;
  return (
    <nav className="views" aria-label={t("views.title")}>
      <Link href="/devices" className="view" aria-current={isAll ? "page" : undefined}>
        {t("views.all")}
      </Link>
      {views.map((view) => (
        <Link
          key={view.name}
          href={view.search ? `/devices?${view.search}` : "/devices"}
          className="view"
          aria-current={view === shown ? "page" : undefined}
        >
          {view.name}
        </Link>
      ))}
      {shown && (
        <Button variant="subtle" size="compact-sm" onClick={() => setDialog({ kind: "edit", view: shown })}>
          {t("views.edit")}
        </Button>
      )}
      {!shown && !isAll && (
        <Button
          variant="subtle"
          size="compact-sm"
          leftSection={<Icon name="plus" size={14} />}
          onClick={() => setDialog({ kind: "save" })}
        >
          {t("views.save")}
        </Button>
      )}
      {refused && (
        <Alert color="yellow" variant="light" className="views-refused">
          {t("views.refused")}
        </Alert>
      )}
      {dialog && (
        <ViewDialog
          dialog={dialog}
          search={search}
          onClose={() => setDialog(null)}
          onName={(name) =>
            keep(dialog.kind === "save" ? withView(views, { name, search }) : renamed(views, dialog.view.name, name))
          }
          onDelete={(view) => keep(views.filter((other) => other !== view))}
        />
      )}
    </nav>
  );
}

function ViewDialog(props: {
  dialog: Dialog;
  search: string;
  onClose(): void;
  onName(name: string): void;
  onDelete(view: SavedView): void;
}) {
  const { t } = useTranslation("fleet");
  const view = props.dialog.kind === "edit" ? props.dialog.view : null;
  const [name, setName] = useState(view?.name ?? "");
  const [checked, setChecked] = useState(false);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setChecked(true);
    if (name.trim()) props.onName(name.trim());
  };
  return (
    <Modal
      opened
      onClose={props.onClose}
      title={t(view ? "views.editTitle" : "views.saveTitle")}
      centered
      closeButtonProps={{ "aria-label": t("close") }}
    >
      <form onSubmit={submit} noValidate>
        <Stack gap="md">
          <TextInput
            label={t("views.name")}
            description={t("views.nameHint")}
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
            error={checked && !name.trim() ? t("views.nameMissing") : undefined}
            maxLength={60}
            data-autofocus
            required
          />
          <Copyable label={t("views.address")} text={`${window.location.origin}/devices?${props.search}`} />
          <Group justify="flex-end">
            {view && (
              <Button variant="default" color="red" onClick={() => props.onDelete(view)} className="danger">
                {t("views.delete")}
              </Button>
            )}
            <Button type="submit">{t(view ? "views.rename" : "views.save")}</Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
