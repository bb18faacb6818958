import { Loader } from "@mantine/core";

export function Loading({ label = "Loading" }: { label?: string }) {
  return (
    <div className="loading" role="status" aria-label={label}>
      <Loader size="sm" />
    </div>
  );
}
