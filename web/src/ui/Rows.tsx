import { Skeleton } from "@mantine/core";

/** Where rows will be once they are loaded. */
export function Rows({ label, count = 4, height = 44 }: { label: string; count?: number; height?: number }) {
  return (
    <div role="status" aria-label={label} className="rows">
      {Array.from({ length: count }, (_, row) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: all rows are the same
        <Skeleton key={row} height={height} mb={8} />
      ))}
    </div>
  );
}
