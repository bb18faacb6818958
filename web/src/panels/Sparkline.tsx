import { pathOf } from "./sparkline";

/** The course of a value without axes; decorative beside the figure. */
export function Sparkline({ values }: { values: (number | null)[] }) {
  const path = pathOf(values, 100, 28);
  if (!path) return null;
  return (
    <svg className="sparkline" viewBox="0 0 100 30" preserveAspectRatio="none" aria-hidden="true">
      <path d={path} vectorEffect="non-scaling-stroke" />
    </svg>
  );
}
