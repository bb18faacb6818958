import { useState } from "react";
import { useTranslation } from "react-i18next";
import { formatCount } from "../../ui/format";
import { Scrollable } from "../../ui/Scrollable";
import { columns, type Mapping, type PreviewRow } from "./deviceList";

const SHOWN = 100;

/** The rows of a list with what would become of each, those at fault on demand alone. */
export function ImportPreview({ rows, mapping }: { rows: PreviewRow[]; mapping: Mapping }) {
  const { t } = useTranslation("administration");
  const [onlyFaults, setOnlyFaults] = useState(false);
  const faulty = rows.filter((row) => row.outcome === "error");
  // Rows at fault are seen first: they are few, and what one looks for.
  const wanted = onlyFaults ? faulty : [...faulty, ...rows.filter((row) => row.outcome !== "error")];
  const shown = wanted.slice(0, SHOWN);
  const used = columns.filter((column) => mapping[column] !== null);
  return (
    <>
      {faulty.length > 0 && (
        <label className="import-only">
          <input
            type="checkbox"
            checked={onlyFaults}
            onChange={(event) => setOnlyFaults(event.currentTarget.checked)}
          />
          {t("import.onlyFaults", { count: faulty.length, number: formatCount(faulty.length) })}
        </label>
      )}
      <Scrollable className="table-scroll import-preview" label={t("import.preview")}>
        <table className="table">
          <thead>
            <tr>
              <th scope="col">{t("import.line")}</th>
              {used.map((column) => (
                <th key={column} scope="col">
                  {t(`import.column.${column}`)}
                </th>
              ))}
              <th scope="col">{t("import.outcome")}</th>
            </tr>
          </thead>
          <tbody>
            {shown.map((row) => (
              <tr key={row.line} data-testid="import-row" data-outcome={row.outcome ?? undefined}>
                <td className="number">{row.line}</td>
                {used.map((column) => (
                  <td
                    key={column}
                    className="anywhere"
                    data-fault={row.faults.some((fault) => fault.column === column) || undefined}
                  >
                    {row.cells[column]}
                  </td>
                ))}
                <td>
                  {row.faults.length > 0
                    ? row.faults.map((fault) => (
                        <div key={`${fault.column} ${fault.detail}`} className="import-fault">
                          {fault.column ? `${fault.column}: ` : ""}
                          {fault.detail}
                        </div>
                      ))
                    : row.outcome && <span className="muted">{t(`import.fate.${row.outcome}`)}</span>}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </Scrollable>
      {wanted.length > shown.length && (
        <p className="muted small">
          {t("import.rest", { count: wanted.length - shown.length, number: formatCount(wanted.length - shown.length) })}
        </p>
      )}
    </>
  );
}
