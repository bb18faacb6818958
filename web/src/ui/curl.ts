/** Commands to copy into a shell. */

/** Quotes a word for a POSIX shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** A random text of 32 hexadecimal digits, also where the page has no TLS. */
export function randomText(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Sends one reading; sent twice as it stands, it is the same event and stored once. */
export function sendingLine(given: { origin: string; key: string; deviceId: string; now: Date }): string {
  const body = {
    eventId: uuid7(given.now.getTime()),
    deviceId: given.deviceId,
    recordedAt: given.now.toISOString(),
    type: "temperature",
    value: 21.5,
    unit: "C",
  };
  return [
    `curl -X POST ${quoted(`${given.origin}/api/v1/telemetry`)}`,
    `-H ${quoted(`Authorization: Bearer ${given.key}`)}`,
    `-H ${quoted("Content-Type: application/json")}`,
    `-d ${quoted(JSON.stringify(body))}`,
  ].join(" \\\n  ");
}

/** Reads something. */
export function readingLine(given: { origin: string; key: string; path: string }): string {
  return [`curl ${quoted(given.origin + given.path)}`, `-H ${quoted(`Authorization: Bearer ${given.key}`)}`].join(
    " \\\n  ",
  );
}

/** Lets a device register itself. */
export function enrolmentLine(given: { origin: string; token: string; deviceId: string }): string {
  const body = { deviceId: given.deviceId, nonce: randomText() };
  return [
    `curl -X POST ${quoted(`${given.origin}/api/v1/enrol`)}`,
    `-H ${quoted(`Authorization: Bearer ${given.token}`)}`,
    `-H ${quoted("Content-Type: application/json")}`,
    `-d ${quoted(JSON.stringify(body))}`,
  ].join(" \\\n  ");
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
