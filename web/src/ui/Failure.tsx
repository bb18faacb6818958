import { Alert, Button } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Icon } from "./Icon";

/** Something went wrong, in words, with a way on where there is one. */
export function Failure({ title, message, onRetry }: { title?: string; message: string; onRetry?: () => void }) {
  const { t } = useTranslation("ui");
  return (
    <Alert
      color="red"
      variant="light"
      title={title}
      icon={<Icon name="warning" size={18} />}
      role="alert"
      className="failure"
    >
      <div>{message}</div>
      {onRetry && (
        <Button size="xs" variant="default" mt="sm" onClick={onRetry}>
          {t("retry")}
        </Button>
      )}
    </Alert>
  );
}
