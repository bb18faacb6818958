import { useState } from "react";
import { useTranslation } from "react-i18next";
import { saveAs } from "../../ui/saveAs";

interface ChartFilesProps {
  /** What the files are of, for the names of the controls. */
  label: string;
  fileName: string;
  rawPath: string;
  csv(): string;
  picture(): Promise<Blob> | undefined;
}

/** What can be taken along of a chart: its steps, all readings behind it, and the picture. */
export function ChartFiles({ label, fileName, rawPath, csv, picture }: ChartFilesProps) {
  const { t } = useTranslation("device");
  const [failed, setFailed] = useState(false);
  const savePicture = async () => {
    try {
      const blob = await picture();
      if (blob) saveAs(blob, `${fileName}.png`);
      setFailed(!blob);
    } catch {
      setFailed(true);
    }
  };
  return (
    <p className="chart-files">
      <span className="muted">{t("files.save")}</span>
      <button
        type="button"
        className="link"
        aria-label={t("files.stepsOf", { label })}
        onClick={() => saveAs(new Blob([csv()], { type: "text/csv;charset=utf-8" }), `${fileName}.csv`)}
      >
        {t("files.steps")}
      </button>
      <a className="link" href={rawPath} download={`${fileName}-readings.csv`} aria-label={t("files.rawOf", { label })}>
        {t("files.raw")}
      </a>
      <button
        type="button"
        className="link"
        aria-label={t("files.pictureOf", { label })}
        onClick={() => void savePicture()}
      >
        {t("files.picture")}
      </button>
      {failed && <span role="alert">{t("files.failed")}</span>}
    </p>
  );
}
