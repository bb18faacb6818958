import { useTranslation } from "react-i18next";

export function StatusBadge({ status }: { status: "online" | "late" | "silent" | "new" }) {
  const { t } = useTranslation("ui");
  return (
    <span className="status" data-status={status} title={t(`statusMeaning.${status}`)}>
      {t(`status.${status}`)}
    </span>
  );
}
