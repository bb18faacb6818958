import { PasswordInput } from "@mantine/core";
import { useTranslation } from "react-i18next";

interface CurrentPasswordProps {
  value: string;
  missing: boolean;
  onChange(password: string): void;
}

/** The password that one has, as a proof that it is oneself. */
export function CurrentPassword({ value, missing, onChange }: CurrentPasswordProps) {
  const { t } = useTranslation("account");
  return (
    <PasswordInput
      label={t("currentPassword")}
      autoComplete="current-password"
      value={value}
      onChange={(event) => onChange(event.currentTarget.value)}
      error={missing && t("enterPassword")}
      visibilityToggleButtonProps={{ "aria-label": t("showPassword"), tabIndex: 0 }}
    />
  );
}
