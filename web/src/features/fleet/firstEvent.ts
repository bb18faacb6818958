/** A shell command that sends one reading; sent twice as it stands, it is the same event and stored once. */
export function curlLine(event: { origin: string; key: string; deviceId: string; eventId: string; now: Date }): string {
  const body = JSON.stringify({
    eventId: event.eventId,
    deviceId: event.deviceId,
    recordedAt: event.now.toISOString(),
    type: "temperature",
    value: 21.5,
    unit: "C",
  });
  return [
    `curl -X POST ${quote(`${event.origin}/api/v1/telemetry`)}`,
    `-H ${quote(`Authorization: Bearer ${event.key}`)}`,
    `-H ${quote("Content-Type: application/json")}`,
    `-d ${quote(body)}`,
  ].join(" \\\n  ");
}

/** Quotes a word for a POSIX shell. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** `a, b,,c ` becomes `["a", "b", "c"]`. */
export function splitTags(text: string): string[] {
  return [...new Set(text.split(",").map((tag) => tag.trim()))].filter((tag) => tag !== "");
}

/** A random id of 128 bits in UUID version 7 layout: its time in front keeps the store's index compact. */
export function uuid7(now: number, random: Uint8Array = crypto.getRandomValues(new Uint8Array(10))): string {
  const bytes = new Uint8Array(16);
  for (let i = 0; i < 6; i += 1) bytes[i] = Math.floor(now / 2 ** (8 * (5 - i))) % 256;
  bytes.set(random.subarray(0, 10), 6);
  bytes[6] = 0x70 | ((bytes[6] ?? 0) & 0x0f);
  bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f);
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
