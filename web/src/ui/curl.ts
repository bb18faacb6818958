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
    eventId: randomText(),
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
