import { Loader } from "@mantine/core";
import { useTranslation } from "react-i18next";

export function Loading({ label }: { label?: string }) {
  const { t } = useTranslation("ui");
  return (
    <div className="loading" role="status" aria-label={label ?? t("loading")}>
      <Loader size="sm" />
    </div>
  );
}
