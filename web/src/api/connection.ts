import { onlineManager } from "@tanstack/react-query";
import { useSyncExternalStore } from "react";

/**
 * Whether the server can be reached, whatever the browser thinks of the network. After a request without an answer it is
 * asked whether it is there at all, from time to time until it is. While it is away, queries wait.
 */

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 15_000;

interface Probing {
  ask(): Promise<boolean>;
  wait(ms: number, then: () => void): () => void;
}

export class Connection {
  private pause = FIRST_PAUSE_MS;
  private stop: (() => void) | null = null;
  private answered: number | null = null;

  constructor(private readonly probing: Probing) {
    onlineManager.subscribe((online) => {
      if (online) this.rest();
    });
  }

  /** When the server answered last, in epoch ms, as far as this page knows. */
  get lastAnswer(): number | null {
    return this.answered;
  }

  /** What is shown was read then: it comes from an earlier visit. */
  recall(at: number): void {
    this.answered ??= at;
  }

  heard(): void {
    this.answered = Date.now();
    onlineManager.setOnline(true);
  }

  /** A request has got no answer. */
  unheard(): void {
    if (this.stop) return;
    this.stop = () => undefined;
    this.probe();
  }

  private probe(): void {
    void this.probing.ask().then((there) => {
      if (!this.stop) return;
      if (there) {
        this.rest();
        this.heard();
        return;
      }
      onlineManager.setOnline(false);
      this.stop = this.probing.wait(this.pause, () => this.probe());
      this.pause = Math.min(LONGEST_PAUSE_MS, this.pause * 2);
    });
  }

  private rest(): void {
    this.stop?.();
    this.stop = null;
    this.pause = FIRST_PAUSE_MS;
  }
}

export const connection = new Connection({
  ask: async () => {
    try {
      return (await fetch("/health", { cache: "no-store" })).ok;
    } catch {
      return false;
    }
  },
  wait: (ms, then) => {
    const timer = setTimeout(then, ms);
    return () => clearTimeout(timer);
  },
});

/** Whether the server can be reached, as far as the page knows. */
export function useOnline(): boolean {
  return useSyncExternalStore(
    (listener) => onlineManager.subscribe(listener),
    () => onlineManager.isOnline(),
  );
}
