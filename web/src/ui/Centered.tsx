import type { ReactNode } from "react";
import { Preferences } from "./Preferences";

/** A narrow column in the middle of an otherwise empty page. */
export function Centered({ children }: { children: ReactNode }) {
  return (
    <main className="centered">
      <div className="centered-inner">
        {children}
        <Preferences />
      </div>
    </main>
  );
}
