import { NativeSelect } from "@mantine/core";
import { Icon } from "./Icon";

/** The platform's own select: keyboard and phone know it. */
export function Select<Value extends string>(props: {
  label: string;
  value: Value;
  options: { value: Value; label: string }[];
  onChange(value: Value): void;
  hideLabel?: boolean;
  className?: string;
  size?: "xs" | "sm";
}) {
  return (
    <NativeSelect
      label={props.hideLabel ? undefined : props.label}
      aria-label={props.hideLabel ? props.label : undefined}
      value={props.value}
      data={props.options}
      rightSection={<Icon name="down" size={14} />}
      onChange={(event) => props.onChange(event.currentTarget.value as Value)}
      className={props.className}
      size={props.size}
    />
  );
}
