import { ActionIcon } from "@mantine/core";
import { type KeyboardEvent, type PointerEvent, type ReactNode, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Panel } from "../../api/dashboardTypes";
import { byKey, COLUMNS, GAP, inOrder, moved, ROW, resized } from "../../panels/grid";
import { PanelCell, PanelFrame } from "../../panels/PanelGrid";
import { EditIcon } from "./EditIcon";

interface EditGridProps {
  panels: Panel[];
  onPlaces(panels: Panel[]): void;
  onEdit(panel: Panel): void;
  onTwin(id: string): void;
  onRemove(id: string): void;
  children(panel: Panel): ReactNode;
}

interface Drag {
  id: string;
  sizes: boolean;
  /** Pointer at the beginning, and the size of a cell with its gap then. */
  startX: number;
  startY: number;
  cell: number;
  from: Panel["at"];
  /** Where it is held now: the pointer may be lifted before the last move is on the screen. */
  latest?: Panel[];
}

/** Panels that can be taken by pointer, finger and arrow keys. */
export function EditGrid({ panels, onPlaces, onEdit, onTwin, onRemove, children }: EditGridProps) {
  const { t } = useTranslation("dashboards");
  const grid = useRef<HTMLDivElement>(null);
  const drag = useRef<Drag | null>(null);
  const [preview, setPreview] = useState<{ id: string; panels: Panel[] } | null>(null);
  const [told, setTold] = useState("");
  const shown = preview?.panels ?? panels;

  const begin = (panel: Panel, sizes: boolean) => (event: PointerEvent<HTMLButtonElement>) => {
    if (event.button !== 0 || !grid.current) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    const cell = (grid.current.clientWidth + GAP) / COLUMNS;
    drag.current = {
      id: panel.id,
      sizes,
      startX: event.clientX,
      startY: event.clientY + window.scrollY,
      cell,
      from: panel.at,
    };
  };
  const move = (event: PointerEvent) => {
    const held = drag.current;
    if (!held) return;
    const right = (event.clientX - held.startX) / held.cell;
    const down = (event.clientY + window.scrollY - held.startY) / (ROW + GAP);
    const { x, y, w, h } = held.from;
    const next = held.sizes
      ? resized(panels, held.id, w + right, h + down)
      : moved(panels, held.id, x + right, y + down);
    held.latest = next;
    setPreview({ id: held.id, panels: next });
  };
  const end = () => {
    if (drag.current?.latest) onPlaces(drag.current.latest);
    drag.current = null;
    setPreview(null);
  };
  const cancel = () => {
    drag.current = null;
    setPreview(null);
  };
  const press = (panel: Panel, sizes: boolean) => (event: KeyboardEvent) => {
    if (event.key === "Escape") return cancel();
    const next = byKey(panels, panel.id, event.key, sizes || event.shiftKey);
    if (!next) return;
    event.preventDefault();
    onPlaces(next);
    const at = next.find((each) => each.id === panel.id)?.at;
    if (at) setTold(t("edit.placed", { column: at.x + 1, row: at.y + 1, width: at.w, height: at.h }));
  };
  const handlers = { onPointerMove: move, onPointerUp: end, onPointerCancel: cancel };

  return (
    <>
      <p className="muted small edit-hint">{t("edit.hint")}</p>
      <div className="unseen" role="status">
        {told}
      </div>
      <div className="panel-grid" data-editing ref={grid}>
        {inOrder(shown).map((panel) => {
          const name = panel.title || t(`kind.${panel.kind}`);
          return (
            <PanelCell key={panel.id} panel={panel} held={preview?.id === panel.id}>
              <PanelFrame
                title={panel.title ?? ""}
                kind={t(`kind.${panel.kind}`)}
                tools={
                  <div className="panel-tools">
                    <button
                      type="button"
                      className="panel-handle"
                      aria-label={t("edit.move", { name })}
                      onPointerDown={begin(panel, false)}
                      onKeyDown={press(panel, false)}
                      {...handlers}
                    >
                      <EditIcon name="move" />
                    </button>
                    <ActionIcon variant="subtle" aria-label={t("edit.change", { name })} onClick={() => onEdit(panel)}>
                      <EditIcon name="pencil" />
                    </ActionIcon>
                    <ActionIcon variant="subtle" aria-label={t("edit.twin", { name })} onClick={() => onTwin(panel.id)}>
                      <EditIcon name="twin" />
                    </ActionIcon>
                    <ActionIcon
                      variant="subtle"
                      aria-label={t("edit.remove", { name })}
                      onClick={() => onRemove(panel.id)}
                    >
                      <EditIcon name="bin" />
                    </ActionIcon>
                  </div>
                }
              >
                {children(panel)}
              </PanelFrame>
              <button
                type="button"
                className="panel-corner"
                aria-label={t("edit.resize", { name })}
                onPointerDown={begin(panel, true)}
                onKeyDown={press(panel, true)}
                {...handlers}
              >
                <EditIcon name="corner" />
              </button>
            </PanelCell>
          );
        })}
      </div>
    </>
  );
}
