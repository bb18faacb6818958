import type { ReactNode } from "react";

/** A region that scrolls by itself: reached, and scrolled, with the keys as well. */
export function Scrollable({ label, className, children }: { label: string; className: string; children: ReactNode }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: who uses no mouse scrolls it with the keys
    <section className={className} tabIndex={0} aria-label={label}>
      {children}
    </section>
  );
}
