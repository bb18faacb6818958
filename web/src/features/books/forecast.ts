import type { Status } from "../../api/types";
import { text } from "../../texts";
import { formatCount } from "../../ui/format";

const TEN_YEARS_DAYS = 3_650;

/** How long the disk will last, in words. */
export function forecastOf({ bytesPerDay, daysLeft }: NonNullable<Status["storage"]>): string {
  if (bytesPerDay === null) return text("books:forecast.noHistory");
  if (daysLeft === null) return text("books:forecast.steady");
  if (daysLeft > TEN_YEARS_DAYS) return text("books:forecast.years");
  if (daysLeft < 1) return text("books:forecast.hours");
  const days = Math.floor(daysLeft);
  return text("books:forecast.days", { count: days, days: formatCount(days) });
}
