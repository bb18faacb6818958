import { Alert, Stack } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { Copyable } from "../../ui/Copyable";

interface ShownOnceProps {
  label: string;
  text: string;
  /** A command that uses it. */
  line?: string;
  testId?: string;
}

/** A secret that is not shown again, ready to be copied, and a command that tries it. */
export function ShownOnce({ label, text, line, testId = "shown-once" }: ShownOnceProps) {
  const { t } = useTranslation("administration");
  // A command holds a time and a random id: it stays as it was first drawn.
  const [first] = useState(line);
  return (
    <Stack gap="md">
      <Alert color="yellow" variant="light" title={t("once.title")}>
        {t("once.hint")}
      </Alert>
      <Copyable label={label} text={text} testId={testId} />
      {first && <Copyable label={t("once.command")} text={first} testId="curl-line" />}
    </Stack>
  );
}
