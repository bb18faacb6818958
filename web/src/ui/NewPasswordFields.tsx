import { PasswordInput } from "@mantine/core";

interface NewPasswordFieldsProps {
  label?: string;
  password: string;
  repeat: string;
  faults: { password?: string | undefined; repeat?: string | undefined };
  onChange(part: { password?: string; repeat?: string }): void;
}

/** A new password, twice. */
export function NewPasswordFields({ label = "Password", password, repeat, faults, onChange }: NewPasswordFieldsProps) {
  return (
    <>
      <PasswordInput
        label={label}
        description="At least 12 characters"
        autoComplete="new-password"
        value={password}
        onChange={(event) => onChange({ password: event.currentTarget.value })}
        error={faults.password}
        visibilityToggleButtonProps={{ "aria-label": "Show the password", tabIndex: 0 }}
      />
      <PasswordInput
        label="Repeat the password"
        autoComplete="new-password"
        value={repeat}
        onChange={(event) => onChange({ repeat: event.currentTarget.value })}
        error={faults.repeat}
        visibilityToggleButtonProps={{ "aria-label": "Show the repeated password", tabIndex: 0 }}
      />
    </>
  );
}
