const words = { online: "Online", late: "Late", silent: "Silent", new: "New" } as const;
const meanings = {
  online: "Seen within the last 5 minutes",
  late: "Seen within the last hour",
  silent: "Not seen for more than an hour",
  new: "Has sent nothing yet",
} as const;

export function StatusBadge({ status }: { status: keyof typeof words }) {
  return (
    <span className="status" data-status={status} title={meanings[status]}>
      {words[status] ?? status}
    </span>
  );
}
