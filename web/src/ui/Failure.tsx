import { Alert, Button } from "@mantine/core";
import { Icon } from "./Icon";

/** Something went wrong, in words, with a way on where there is one. */
export function Failure({ title, message, onRetry }: { title?: string; message: string; onRetry?: () => void }) {
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
          Try again
        </Button>
      )}
    </Alert>
  );
}
