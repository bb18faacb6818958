import type { ReactNode } from "react";
import type { Panel } from "../api/dashboardTypes";
import { inOrder } from "./grid";

/** Panels at their places; on a phone one below the other, in reading order. */
export function PanelGrid({ panels, children }: { panels: Panel[]; children(panel: Panel): ReactNode }) {
  return (
    <div className="panel-grid">
      {inOrder(panels).map((panel) => (
        <PanelCell key={panel.id} panel={panel}>
          {children(panel)}
        </PanelCell>
      ))}
    </div>
  );
}

export function PanelCell({ panel, children, held }: { panel: Panel; children: ReactNode; held?: boolean }) {
  const { x, y, w, h } = panel.at;
  const place = { "--x": x + 1, "--y": y + 1, "--w": w, "--h": h } as React.CSSProperties;
  return (
    <div className="panel-cell" data-panel={panel.id} data-held={held || undefined} style={place}>
      {children}
    </div>
  );
}

export function PanelFrame(props: { title: string; kind: string; tools?: ReactNode; children: ReactNode }) {
  return (
    <article className="card dash-panel" aria-label={props.title || props.kind} data-kind={props.kind}>
      <header className="dash-head">
        <h2 className="dash-title">{props.title}</h2>
        {props.tools}
      </header>
      <div className="dash-body">{props.children}</div>
    </article>
  );
}
