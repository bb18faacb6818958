import { useEffect } from "react";

/** Large, dark and without anything around, and the screen stays awake, as long as `on`. */
export function useTv(on: boolean): void {
  useEffect(() => {
    if (!on) return;
    const root = document.documentElement;
    const before = root.getAttribute("data-mantine-color-scheme");
    root.dataset.tv = "on";
    root.setAttribute("data-mantine-color-scheme", "dark");
    let lock: WakeLockSentinel | null = null;
    const wake = async () => {
      try {
        if (document.visibilityState === "visible") lock = await navigator.wakeLock.request("screen");
      } catch {
        // Not offered here, or refused: the screen's own settings decide.
      }
    };
    void wake();
    document.addEventListener("visibilitychange", wake);
    return () => {
      document.removeEventListener("visibilitychange", wake);
      void lock?.release();
      delete root.dataset.tv;
      if (before) root.setAttribute("data-mantine-color-scheme", before);
    };
  }, [on]);
}
