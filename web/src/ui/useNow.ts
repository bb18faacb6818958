import { useEffect, useState } from "react";

/** The present in epoch ms, drawn anew every `interval` ms; it stands still while `running` is false. */
export function useNow(interval = 1_000, running = true): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    if (!running) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), interval);
    return () => clearInterval(timer);
  }, [interval, running]);
  return now;
}
