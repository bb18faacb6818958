import { Button, Textarea } from "@mantine/core";
import { type DragEvent, useEffect, useMemo, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { messageOf } from "../../api/errors";
import { useProvision } from "../../api/provisioning";
import { randomText } from "../../ui/curl";
import { Failure } from "../../ui/Failure";
import { formatCount } from "../../ui/format";
import { Select } from "../../ui/Select";
import { type Column, columns, type Mapping, MOST_ROWS, preview, readTable, serverList, tally } from "./deviceList";
import { ImportedKeys } from "./ImportedKeys";
import { ImportPreview } from "./ImportPreview";

/** Many devices at once from a list: looked at before anything is done, and the keys handed out at the end. */
export function DeviceImport({ onClose }: { onClose(): void }) {
  const { t } = useTranslation("administration");
  const [text, setText] = useState("");
  const [chosen, setChosen] = useState<Mapping | null>(null);
  const [dragging, setDragging] = useState(false);
  const check = useProvision();
  const run = useProvision();
  // The same for every attempt with the same list: a lost answer is had again, with the same keys.
  const repeatKey = useRef({ csv: "", key: "" });

  const read = useMemo(() => (text.trim() === "" ? null : readTable(text)), [text]);
  const table = read?.ok ? { ...read.table, mapping: chosen ?? read.table.mapping } : null;
  const csv = table && table.mapping.deviceId !== null ? serverList(table) : "";
  const said = check.data && check.variables.csv === csv ? check.data : null;
  const rows = table ? preview(table, said ?? []) : [];
  const counts = tally(rows);
  const good = counts.created + counts.issued + counts.kept;

  const { mutate: ask } = check;
  useEffect(() => {
    if (csv) ask({ csv, dryRun: true, skipFaults: true });
  }, [csv, ask]);

  const give = (given: string) => {
    setText(given);
    setChosen(null);
    run.reset();
  };
  const take = async (files: FileList | null) => {
    const file = files?.[0];
    if (file) give(await file.text());
  };
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setDragging(false);
    const { files } = event.dataTransfer;
    if (files.length > 0) void take(files);
    else give(event.dataTransfer.getData("text/plain"));
  };
  const start = () => {
    if (repeatKey.current.csv !== csv) repeatKey.current = { csv, key: randomText() };
    run.mutate({ csv, dryRun: false, skipFaults: true, repeatKey: repeatKey.current.key });
  };

  if (run.data) return <ImportedKeys rows={run.data} onClose={onClose} />;
  return (
    <section className="card panel" aria-labelledby="import-title">
      <div className="panel-head">
        <h2 className="panel-title" id="import-title">
          {t("import.title")}
        </h2>
        <Button size="xs" variant="default" onClick={onClose}>
          {t("cancel")}
        </Button>
      </div>
      <p className="lead">{t("import.lead", { most: formatCount(MOST_ROWS) })}</p>
      {!table && (
        <>
          {/* biome-ignore lint/a11y/noStaticElementInteractions: a file can be chosen with the keys as well */}
          <div
            className="import-drop"
            data-dragging={dragging || undefined}
            onDragOver={(event) => {
              event.preventDefault();
              setDragging(true);
            }}
            onDragLeave={() => setDragging(false)}
            onDrop={drop}
          >
            <label className="import-file">
              {t("import.file")}
              <input
                type="file"
                accept=".csv,.tsv,.txt,text/csv,text/plain"
                onChange={(event) => void take(event.currentTarget.files)}
              />
            </label>
          </div>
          <Textarea
            label={t("import.paste")}
            value={text}
            onChange={(event) => give(event.currentTarget.value)}
            placeholder={"deviceId,label,location,type,tags\ndev-001,Boiler #3,Plant A,boiler,heating;critical"}
            rows={5}
            spellCheck={false}
            classNames={{ input: "mono" }}
            error={
              read &&
              !read.ok &&
              t(`import.unreadable.${read.reason}`, { line: read.line, most: formatCount(MOST_ROWS) })
            }
          />
        </>
      )}
      {table && (
        <>
          <fieldset className="import-columns">
            <legend>{t("import.columns")}</legend>
            {columns.map((column) => (
              <Select
                key={column}
                label={t(`import.column.${column}`)}
                value={String(table.mapping[column] ?? "")}
                options={[
                  { value: "", label: t("import.noColumn") },
                  ...table.header.map((name, index) => ({ value: String(index), label: name })),
                ]}
                onChange={(value) =>
                  setChosen({ ...table.mapping, [column]: value === "" ? null : Number(value) } as Record<
                    Column,
                    number | null
                  >)
                }
              />
            ))}
          </fieldset>
          {table.mapping.deviceId === null && <p className="fault">{t("import.needsId")}</p>}
          {check.isError && (
            <Failure message={messageOf(check.error)} onRetry={() => ask({ csv, dryRun: true, skipFaults: true })} />
          )}
          <p role="status" data-testid="import-status" data-checked={said !== null}>
            {said === null
              ? check.isPending && t("import.checking")
              : t("import.found", {
                  created: formatCount(counts.created),
                  kept: formatCount(counts.kept),
                  issued: formatCount(counts.issued),
                  error: formatCount(counts.error),
                })}
          </p>
          <ImportPreview rows={rows} mapping={table.mapping} />
          {run.isError && <Failure title={t("import.failed")} message={messageOf(run.error)} />}
          <div className="administration-actions">
            <Button onClick={start} loading={run.isPending} disabled={said === null || good === 0}>
              {counts.error > 0
                ? t("import.startWithout", { count: good, number: formatCount(good), error: formatCount(counts.error) })
                : t("import.start", { count: good, number: formatCount(good) })}
            </Button>
            <Button variant="default" onClick={() => give("")} disabled={run.isPending}>
              {t("import.other")}
            </Button>
          </div>
        </>
      )}
    </section>
  );
}
