import type { Threshold } from "../api/dashboardTypes";
import { levelWord } from "./words";

/** A level by its colour and its word. */
export function Level({ threshold }: { threshold: Threshold }) {
  return (
    <span className="level" data-level={threshold.level}>
      {levelWord(threshold)}
    </span>
  );
}
