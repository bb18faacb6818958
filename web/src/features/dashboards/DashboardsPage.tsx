import { Button, Modal, TextInput, Title } from "@mantine/core";
import { type ChangeEvent, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, useLocation } from "wouter";
import { useCreateDashboard, useDashboards } from "../../api/dashboards";
import type { Dashboard, NewDashboard } from "../../api/dashboardTypes";
import { messageOf } from "../../api/errors";
import { useMe } from "../../api/session";
import { Empty } from "../../ui/Empty";
import { Failure } from "../../ui/Failure";
import { formatRelative } from "../../ui/format";
import { Icon } from "../../ui/Icon";
import { Loading } from "../../ui/Loading";
import { useNow } from "../../ui/useNow";
import { useTitle } from "../../ui/useTitle";
import { LARGEST, readFile } from "./exchange";
import { TEMPLATES, type Template, templateDocument, templateName, templateWords } from "./templates";
import "./dashboards.css";

export const mayChange = (role: string | null | undefined): boolean =>
  role === "owner" || role === "admin" || role === "operator";

/** All dashboards of the tenant, and ways to a new one. */
export function DashboardsPage() {
  const { t } = useTranslation("dashboards");
  useTitle(t("title"));
  const dashboards = useDashboards();
  const me = useMe();
  const [asking, setAsking] = useState<Template | null>(null);
  const [, navigate] = useLocation();
  const create = useCreateDashboard();
  const [fault, setFault] = useState("");
  const file = useRef<HTMLInputElement>(null);
  const changes = mayChange(me.data?.role);

  const make = (body: NewDashboard) =>
    create.mutate(body, {
      onSuccess: (made) =>
        navigate(`/dashboards/${made.id}${(made.document.panels ?? []).length === 0 ? "?edit=1" : ""}`),
    });
  const take = async (event: ChangeEvent<HTMLInputElement>) => {
    const input = event.currentTarget;
    const chosen = input.files?.[0];
    setFault("");
    if (!chosen) return;
    const read = chosen.size > LARGEST ? null : readFile(await chosen.text(), chosen.name);
    input.value = "";
    if (read) make(read);
    else setFault(t("list.noDashboard", { file: chosen.name }));
  };

  return (
    <>
      <div className="page-head">
        <Title order={1} size="h2">
          {t("title")}
        </Title>
        {changes && (
          <div className="view-actions">
            <input
              ref={file}
              type="file"
              accept="application/json,.json"
              hidden
              onChange={(event) => void take(event)}
              aria-label={t("list.import")}
            />
            <Button variant="default" onClick={() => file.current?.click()}>
              {t("list.import")}
            </Button>
            <Button onClick={() => setAsking("empty")} leftSection={<Icon name="plus" />}>
              {t("list.new")}
            </Button>
          </div>
        )}
      </div>
      {fault && <Failure message={fault} />}
      {create.isError && asking === null && <Failure title={t("list.notMade")} message={messageOf(create.error)} />}
      {dashboards.isError && (
        <Failure message={messageOf(dashboards.error)} onRetry={() => void dashboards.refetch()} />
      )}
      {dashboards.isPending && <Loading label={t("list.loading")} />}
      {dashboards.data &&
        (dashboards.data.dashboards.length > 0 ? (
          <List dashboards={dashboards.data.dashboards} />
        ) : (
          <div className="card">
            <Empty title={t("list.none")}>{changes ? t("list.teach") : t("list.askSomebody")}</Empty>
          </div>
        ))}
      {changes && dashboards.data && (
        <section className="templates" aria-labelledby="templates">
          <h2 id="templates" className="templates-title">
            {t("list.ready")}
          </h2>
          <ul className="template-list">
            {TEMPLATES.map((template) => (
              <li key={template} className="card template">
                <h3 className="template-name">{templateName(template)}</h3>
                <p className="muted small">{templateWords(template)}</p>
                <Button
                  variant="default"
                  size="xs"
                  onClick={() => setAsking(template)}
                  aria-label={t("list.useNamed", { name: templateName(template) })}
                >
                  {t("list.use")}
                </Button>
              </li>
            ))}
          </ul>
        </section>
      )}
      <Modal
        opened={asking !== null}
        onClose={() => setAsking(null)}
        title={t("list.new")}
        closeButtonProps={{ "aria-label": t("close") }}
      >
        {asking && (
          <NewForm
            template={asking}
            busy={create.isPending}
            failure={create.isError ? messageOf(create.error) : ""}
            onTemplate={setAsking}
            onMake={make}
          />
        )}
      </Modal>
    </>
  );
}

function List({ dashboards }: { dashboards: Dashboard[] }) {
  const { t } = useTranslation("dashboards");
  const now = useNow(30_000);
  return (
    <ul className="card dashboard-list" aria-label={t("title")}>
      {dashboards.map((dashboard) => (
        <li key={dashboard.id} className="dashboard-row">
          <Link href={`/dashboards/${dashboard.id}`} className="dashboard-name">
            {dashboard.name}
          </Link>
          <span className="muted small">
            {t("list.changed", { when: formatRelative(dashboard.changedAt, now), who: dashboard.changedBy })}
            {dashboard.visibleTo !== "viewer" && ` · ${t(`share.from.${dashboard.visibleTo}`)}`}
          </span>
        </li>
      ))}
    </ul>
  );
}

interface NewFormProps {
  template: Template;
  busy: boolean;
  failure: string;
  onTemplate(template: Template): void;
  onMake(body: NewDashboard): void;
}

function NewForm({ template, busy, failure, onTemplate, onMake }: NewFormProps) {
  const { t } = useTranslation("dashboards");
  const [typed, setTyped] = useState<string | null>(null);
  const name = typed ?? (template === "empty" ? "" : templateName(template));
  return (
    <form
      className="form"
      onSubmit={(event) => {
        event.preventDefault();
        if (name.trim()) onMake({ name: name.trim(), document: templateDocument(template) });
      }}
    >
      <TextInput
        label={t("edit.name")}
        value={name}
        onChange={(event) => setTyped(event.currentTarget.value)}
        maxLength={200}
        required
        data-autofocus
      />
      <fieldset className="choices">
        <legend>{t("list.begin")}</legend>
        {(["empty", ...TEMPLATES] as const).map((each) => (
          <label key={each} className="choice">
            <input type="radio" name="template" checked={each === template} onChange={() => onTemplate(each)} />
            {templateName(each)}
          </label>
        ))}
      </fieldset>
      {failure && <Failure title={t("list.notMade")} message={failure} />}
      <Button type="submit" loading={busy} disabled={!name.trim()}>
        {t("list.make")}
      </Button>
    </form>
  );
}
