import { PasswordInput } from "@mantine/core";
import { useTranslation } from "react-i18next";

interface NewPasswordFieldsProps {
  label?: string;
  password: string;
  repeat: string;
  faults: { password?: string | undefined; repeat?: string | undefined };
  onChange(part: { password?: string; repeat?: string }): void;
}

/** A new password, twice. */
export function NewPasswordFields({ label, password, repeat, faults, onChange }: NewPasswordFieldsProps) {
  const { t } = useTranslation("ui");
  return (
    <>
      <PasswordInput
        label={label ?? t("password.label")}
        description={t("password.hint")}
        autoComplete="new-password"
        value={password}
        onChange={(event) => onChange({ password: event.currentTarget.value })}
        error={faults.password}
        visibilityToggleButtonProps={{ "aria-label": t("password.show"), tabIndex: 0 }}
      />
      <PasswordInput
        label={t("password.repeat")}
        autoComplete="new-password"
        value={repeat}
        onChange={(event) => onChange({ repeat: event.currentTarget.value })}
        error={faults.repeat}
        visibilityToggleButtonProps={{ "aria-label": t("password.showRepeated"), tabIndex: 0 }}
      />
    </>
  );
}
