import { Button, TextInput, useComputedColorScheme } from "@mantine/core";
import { useEffect, useReducer, useState } from "react";
import { useTranslation } from "react-i18next";
import { useLocation, useSearch } from "wouter";
import { useChoices, useSaveDashboard } from "../../api/dashboards";
import type { Panel, WholeDashboard } from "../../api/dashboardTypes";
import { ApiError, messageOf } from "../../api/errors";
import { searchOf, viewOf } from "../../panels/address";
import { PanelView } from "../../panels/PanelView";
import { ViewBar } from "../../panels/ViewBar";
import { Empty } from "../../ui/Empty";
import { Failure } from "../../ui/Failure";
import { Icon } from "../../ui/Icon";
import { useNow } from "../../ui/useNow";
import { Conflict } from "./Conflict";
import {
  begun,
  cleaned,
  type Draft,
  draftOf,
  isSame,
  panelsOf,
  stepped,
  withoutPanel,
  withPanel,
  withTwin,
} from "./draft";
import { EditGrid } from "./EditGrid";
import { PanelDialog } from "./PanelDialog";
import { SettingsDialog } from "./SettingsDialog";
import { usePanelAnswers } from "./usePanelAnswers";

interface EditorProps {
  dashboard: WholeDashboard;
  onDone(): void;
}

/** A dashboard as it is changed: nothing is kept before it is saved, and nothing is lost before it is thrown away. */
export function Editor({ dashboard, onDone }: EditorProps) {
  const { t } = useTranslation("dashboards");
  const [base, setBase] = useState(dashboard);
  const [history, step] = useReducer(stepped, draftOf(dashboard), begun);
  const draft = history.now;
  const changed = !isSame(draft, draftOf(base));
  const [path, navigate] = useLocation();
  const view = viewOf(useSearch(), draft.document);
  const variables = draft.document.variables ?? [];
  const panels = panelsOf(draft.document);
  const { query, byPanel } = usePanelAnswers(
    { panels: panels.filter(isAskable), variables, values: view.values, range: view.range },
    view.refresh,
  );
  const choices = useChoices(variables);
  const scheme = useComputedColorScheme("light");
  const now = useNow(5_000);
  const save = useSaveDashboard(dashboard.id);
  const [edited, setEdited] = useState<Panel | "new" | null>(null);
  const [settings, setSettings] = useState(false);

  const change = (next: Draft, subject?: string) =>
    step({ kind: "change", draft: next, ...(subject !== undefined && { subject }) });
  const store = (version: number) =>
    save.mutate(
      { ...cleaned(draft), version },
      {
        onSuccess: (saved) => {
          setBase(saved);
          navigate(path + searchOf(view, saved.document), { replace: true });
          onDone();
        },
      },
    );
  useUnsaved(changed);
  useKeys(step);

  const conflict = save.error instanceof ApiError && save.error.status === 409;
  const edges = {
    from: query.data ? Date.parse(query.data.from) / 1000 : 0,
    to: query.data ? Date.parse(query.data.to) / 1000 : 1,
  };
  return (
    <>
      <div className="edit-bar">
        <TextInput
          aria-label={t("edit.name")}
          value={draft.name}
          maxLength={200}
          onChange={(event) => change({ ...draft, name: event.currentTarget.value }, "name")}
          error={draft.name.trim() ? undefined : t("edit.needsName")}
          className="edit-name"
        />
        <div className="view-actions">
          <Button variant="default" onClick={() => setEdited("new")} leftSection={<Icon name="plus" />}>
            {t("edit.add")}
          </Button>
          <Button variant="default" onClick={() => setSettings(true)}>
            {t("edit.settings")}
          </Button>
          <Button variant="default" disabled={history.past.length === 0} onClick={() => step({ kind: "undo" })}>
            {t("edit.undo")}
          </Button>
          <Button variant="default" disabled={history.future.length === 0} onClick={() => step({ kind: "redo" })}>
            {t("edit.redo")}
          </Button>
          <Button variant="default" onClick={() => (!changed || window.confirm(t("edit.sureToLeave"))) && onDone()}>
            {t("edit.cancel")}
          </Button>
          <Button
            loading={save.isPending}
            disabled={!changed || !draft.name.trim()}
            onClick={() => store(base.version)}
          >
            {t("edit.save")}
          </Button>
        </div>
      </div>
      {save.isError && !conflict && <Failure title={t("edit.notSaved")} message={messageOf(save.error)} />}
      {conflict && (
        <Conflict
          id={dashboard.id}
          draft={cleaned(draft)}
          onTheirs={(theirs) => {
            save.reset();
            setBase(theirs);
            step({ kind: "begin", draft: draftOf(theirs) });
          }}
          onMine={store}
        />
      )}
      <ViewBar
        view={view}
        variables={variables}
        choices={choices.data?.choices ?? {}}
        onChange={(next) => navigate(path + searchOf(next, draft.document), { replace: true })}
      />
      {query.isError && <Failure message={messageOf(query.error)} />}
      {panels.length === 0 ? (
        <div className="card">
          <Empty title={t("view.noPanels")}>
            <p>{t("edit.addFirst")}</p>
            <Button mt="sm" onClick={() => setEdited("new")} leftSection={<Icon name="plus" />}>
              {t("edit.add")}
            </Button>
          </Empty>
        </div>
      ) : (
        <EditGrid
          panels={panels}
          onPlaces={(next) => change({ ...draft, document: { ...draft.document, panels: next } })}
          onEdit={setEdited}
          onTwin={(id) => change(withTwin(draft, id))}
          onRemove={(id) => change(withoutPanel(draft, id))}
        >
          {(panel) => <PanelView panel={panel} answer={byPanel.get(panel.id)} scheme={scheme} now={now} {...edges} />}
        </EditGrid>
      )}
      <PanelDialog
        panel={edited}
        panels={panels}
        variables={variables}
        view={view}
        onClose={() => setEdited(null)}
        onDone={(panel) => {
          change(withPanel(draft, panel));
          setEdited(null);
        }}
      />
      <SettingsDialog
        opened={settings}
        draft={draft}
        onClose={() => setSettings(false)}
        onDone={(next) => {
          change(next);
          setSettings(false);
        }}
      />
    </>
  );
}

/** What the server would refuse as a whole is not asked for while it is being typed. */
export function isAskable(panel: Panel): boolean {
  if (["line", "stat", "gauge", "bar"].includes(panel.kind) && !(panel.types ?? []).some(Boolean)) return false;
  return panel.kind !== "gauge" || (panel.min ?? 0) < (panel.max ?? 0);
}

/** The browser asks before a page with unsaved changes is left. */
function useUnsaved(changed: boolean): void {
  useEffect(() => {
    if (!changed) return;
    const ask = (event: BeforeUnloadEvent) => event.preventDefault();
    window.addEventListener("beforeunload", ask);
    return () => window.removeEventListener("beforeunload", ask);
  }, [changed]);
}

/** Ctrl+Z and Ctrl+Shift+Z, except where text is typed, which has its own. */
function useKeys(step: (step: { kind: "undo" | "redo" }) => void): void {
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      const typed =
        event.target instanceof HTMLElement && event.target.closest("input, textarea, select, [role=dialog]");
      if (!(event.ctrlKey || event.metaKey) || typed) return;
      const key = event.key.toLowerCase();
      if (key !== "z" && key !== "y") return;
      event.preventDefault();
      step({ kind: key === "y" || event.shiftKey ? "redo" : "undo" });
    };
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  }, [step]);
}
