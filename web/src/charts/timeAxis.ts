/** Labels of a time axis: local time, 24 hours; the date where the day changes, the year where the year changes. */

const DAY = 86_400;

function two(value: number): string {
  return String(value).padStart(2, "0");
}

function day(date: Date): string {
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** One label per split (epoch seconds); `step` is the distance of the splits in seconds. */
export function timeLabels(splits: number[], step: number): string[] {
  let previousDay = "";
  let previousYear = "";
  return splits.map((split) => {
    const date = new Date(split * 1000);
    const today = day(date);
    const newDay = today !== previousDay;
    previousDay = today;
    if (step >= DAY) {
      const year = today.slice(0, 4);
      const newYear = year !== previousYear;
      previousYear = year;
      return newYear ? `${today.slice(5)}\n${year}` : today.slice(5);
    }
    const clock = `${two(date.getHours())}:${two(date.getMinutes())}${step < 60 ? `:${two(date.getSeconds())}` : ""}`;
    return newDay ? `${clock}\n${today.slice(5)}` : clock;
  });
}
