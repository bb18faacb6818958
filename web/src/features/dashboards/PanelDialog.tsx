import { Button, Modal, useComputedColorScheme } from "@mantine/core";
import { useDebouncedValue } from "@mantine/hooks";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { usePanels } from "../../api/dashboards";
import type { DashboardVariable, Panel } from "../../api/dashboardTypes";
import { messageOf } from "../../api/errors";
import type { View } from "../../panels/address";
import { PanelFrame } from "../../panels/PanelGrid";
import { PanelView } from "../../panels/PanelView";
import { Failure } from "../../ui/Failure";
import { useNow } from "../../ui/useNow";
import { newPanel } from "./draft";
import { isAskable } from "./Editor";
import { PanelFields } from "./PanelFields";

const KINDS: Panel["kind"][] = ["line", "stat", "gauge", "bar", "table", "locations", "attention", "text"];
/** What a new panel is about until something is chosen. */
const FIRST_TYPE = "temperature";

interface PanelDialogProps {
  panel: Panel | "new" | null;
  panels: Panel[];
  variables: DashboardVariable[];
  view: View;
  onClose(): void;
  onDone(panel: Panel): void;
}

/** Makes or changes one panel, with what it will show above the fields. */
export function PanelDialog({ panel, panels, variables, view, onClose, onDone }: PanelDialogProps) {
  const { t } = useTranslation("dashboards");
  const [kind, setKind] = useState<Panel["kind"] | null>(null);
  const close = () => {
    setKind(null);
    onClose();
  };
  const begun = panel === "new" ? kind && newPanel(kind, panels, FIRST_TYPE) : panel;
  return (
    <Modal
      opened={panel !== null}
      onClose={close}
      size="xl"
      title={t(panel === "new" ? "edit.add" : "edit.panel")}
      closeButtonProps={{ "aria-label": t("close") }}
    >
      {panel === "new" && !begun && (
        <ul className="kind-list">
          {KINDS.map((each) => (
            <li key={each}>
              <button type="button" className="kind" onClick={() => setKind(each)}>
                <strong>{t(`kind.${each}`)}</strong>
                <span className="muted small">{t(`kindWords.${each}`)}</span>
              </button>
            </li>
          ))}
        </ul>
      )}
      {begun && (
        <Form
          key={begun.id + begun.kind}
          begun={begun}
          variables={variables}
          view={view}
          isNew={panel === "new"}
          onDone={(done) => {
            setKind(null);
            onDone(done);
          }}
        />
      )}
    </Modal>
  );
}

interface FormProps {
  begun: Panel;
  variables: DashboardVariable[];
  view: View;
  isNew: boolean;
  onDone(panel: Panel): void;
}

function Form({ begun, variables, view, isNew, onDone }: FormProps) {
  const { t } = useTranslation("dashboards");
  const [panel, setPanel] = useState(begun);
  const [asked] = useDebouncedValue(panel, 300);
  const scheme = useComputedColorScheme("light");
  const now = useNow(5_000);
  const ready = isAskable(panel);
  const query = usePanels(
    { panels: [{ ...asked, title: "" }], variables, values: view.values, range: view.range },
    10,
    isAskable(asked),
  );
  const answer = query.data?.panels.find((each) => each.id === panel.id);
  return (
    <form
      className="form"
      onSubmit={(event) => {
        event.preventDefault();
        if (ready) onDone(panel);
      }}
    >
      <div className="panel-preview" data-testid="preview">
        <PanelFrame title={panel.title ?? ""} kind={t(`kind.${panel.kind}`)}>
          {query.isError ? (
            <Failure message={messageOf(query.error)} />
          ) : (
            <PanelView
              panel={{ ...panel, at: { ...panel.at, h: 4 } }}
              answer={ready ? answer : undefined}
              scheme={scheme}
              now={now}
              from={query.data ? Date.parse(query.data.from) / 1000 : 0}
              to={query.data ? Date.parse(query.data.to) / 1000 : 1}
            />
          )}
        </PanelFrame>
      </div>
      <PanelFields panel={panel} variables={variables} values={view.values} onChange={setPanel} />
      <Button type="submit" disabled={!ready}>
        {t(isNew ? "edit.addThis" : "edit.take")}
      </Button>
    </form>
  );
}
