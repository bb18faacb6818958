import type { Status } from "../../api/types";
import { formatCount } from "../../ui/format";

const TEN_YEARS_DAYS = 3_650;

/** How long the disk will last, in words. */
export function forecastOf({ bytesPerDay, daysLeft }: NonNullable<Status["storage"]>): string {
  if (bytesPerDay === null) return "Not enough history for a forecast yet.";
  if (daysLeft === null) return "The data does not grow at present.";
  if (daysLeft > TEN_YEARS_DAYS) return "At this rate the disk lasts for more than ten years.";
  if (daysLeft < 1) return "At this rate the disk is full in less than a day.";
  const days = Math.floor(daysLeft);
  return `At this rate the disk is full in about ${formatCount(days)} ${days === 1 ? "day" : "days"}.`;
}
