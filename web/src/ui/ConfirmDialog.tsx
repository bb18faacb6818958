import { Button, Group, Modal, Stack, TextInput } from "@mantine/core";
import { type FormEvent, type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";

interface ConfirmDialogProps {
  title: string;
  children: ReactNode;
  /** What the button says, a verb. */
  action: string;
  /** To be typed before; for what nobody can undo. */
  typed?: { label: string; text: string };
  busy?: boolean;
  harmless?: boolean;
  onConfirm(): void;
  onClose(): void;
}

/** Asks once more before something that cannot be undone. */
export function ConfirmDialog(props: ConfirmDialogProps) {
  const { t } = useTranslation();
  const [word, setWord] = useState("");
  const ready = !props.typed || word.trim() === props.typed.text;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (ready && !props.busy) props.onConfirm();
  };
  return (
    <Modal opened onClose={props.onClose} title={props.title} centered closeButtonProps={{ "aria-label": t("close") }}>
      <form onSubmit={submit}>
        <Stack gap="md">
          <div>{props.children}</div>
          {props.typed && (
            <TextInput
              label={props.typed.label}
              value={word}
              onChange={(event) => setWord(event.currentTarget.value)}
              autoComplete="off"
              spellCheck={false}
              data-autofocus
            />
          )}
          <Group justify="flex-end">
            <Button variant="default" onClick={props.onClose} data-autofocus={!props.typed || undefined}>
              {t("cancel")}
            </Button>
            <Button
              type="submit"
              color={props.harmless ? undefined : "red"}
              loading={props.busy ?? false}
              disabled={!ready}
            >
              {props.action}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  );
}
