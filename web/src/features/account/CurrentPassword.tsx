import { PasswordInput } from "@mantine/core";

interface CurrentPasswordProps {
  value: string;
  missing: boolean;
  onChange(password: string): void;
}

/** The password that one has, as a proof that it is oneself. */
export function CurrentPassword({ value, missing, onChange }: CurrentPasswordProps) {
  return (
    <PasswordInput
      label="Current password"
      autoComplete="current-password"
      value={value}
      onChange={(event) => onChange(event.currentTarget.value)}
      error={missing && "Enter your password"}
      visibilityToggleButtonProps={{ "aria-label": "Show the current password", tabIndex: 0 }}
    />
  );
}
