/**
 * Questions about one thing each, asked of the server many at a time: what is asked for within `waitMs` goes into one
 * request of at most `most` keys. Whoever gives up before the request is sent is not in it.
 */
export class Batch<Answer> {
  private waiting = new Map<string, Waiting<Answer>[]>();
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly load: (keys: string[]) => Promise<Map<string, Answer>>,
    private readonly most: number,
    private readonly waitMs = 40,
  ) {}

  /** The answer about `key`; null where the server has none. */
  ask(key: string, signal?: AbortSignal): Promise<Answer | null> {
    return new Promise((resolve, reject) => {
      const asked = this.waiting.get(key) ?? [];
      asked.push({ resolve, reject, signal });
      this.waiting.set(key, asked);
      this.timer ??= setTimeout(() => this.send(), this.waitMs);
    });
  }

  private send(): void {
    this.timer = undefined;
    const wanted = [...this.waiting].filter(([, asked]) => asked.some(({ signal }) => !signal?.aborted));
    for (const asked of this.waiting.values()) {
      if (asked.every(({ signal }) => signal?.aborted)) for (const { reject } of asked) reject(aborted());
    }
    for (let at = 0; at < wanted.length; at += this.most) void this.sendSome(wanted.slice(at, at + this.most));
    this.waiting = new Map();
  }

  private async sendSome(wanted: [string, Waiting<Answer>[]][]): Promise<void> {
    try {
      const answers = await this.load(wanted.map(([key]) => key));
      for (const [key, asked] of wanted) for (const { resolve } of asked) resolve(answers.get(key) ?? null);
    } catch (error) {
      for (const [, asked] of wanted) for (const { reject } of asked) reject(error);
    }
  }
}

interface Waiting<Answer> {
  resolve(answer: Answer | null): void;
  reject(error: unknown): void;
  signal?: AbortSignal;
}

function aborted(): DOMException {
  return new DOMException("Nobody waits for it any more", "AbortError");
}
