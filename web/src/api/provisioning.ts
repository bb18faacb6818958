import { useMutation, useQueryClient } from "@tanstack/react-query";
import { sdk } from "./client";

/** What became, or would become, of one row; `line` is that of the list that was sent, whose header is line 1. */
export interface ProvisionedRow {
  line: number;
  deviceId: string;
  outcome: "created" | "issued" | "rotated" | "repeated" | "kept" | "error";
  keyId?: string | null;
  key?: string | null;
  column?: string | null;
  detail?: string;
}

interface Request {
  csv: string;
  dryRun: boolean;
  /** Rows at fault are left out; otherwise none is imported with one of them. */
  skipFaults: boolean;
  /** Whoever repeats the call with it within a day is given the same keys. */
  repeatKey?: string;
}

/** Creates devices by a list, or tells what that would do. */
export function useProvision() {
  const cache = useQueryClient();
  return useMutation({
    mutationFn: async ({ csv, dryRun, skipFaults, repeatKey }: Request): Promise<ProvisionedRow[]> => {
      const answer = await sdk.provisionDevices({
        body: csv,
        query: { dryRun, onError: skipFaults ? "skip" : "refuse", format: "ndjson" },
        headers: repeatKey === undefined ? {} : { "idempotency-key": repeatKey },
        parseAs: "text",
      });
      return rowsOf(String(answer ?? ""));
    },
    onSuccess: (_rows, { dryRun }) => {
      if (!dryRun) void cache.invalidateQueries({ queryKey: ["devices"] });
    },
  });
}

function rowsOf(text: string): ProvisionedRow[] {
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as ProvisionedRow);
}
