/** The running server that tests/system/test_page.py has started, and who may do what there. */

export interface Reading {
  eventId: string;
  deviceId: string;
  recordedAt: string;
  type: string;
  value: number;
  unit: string;
}

function given(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: these tests are run by tests/system/test_page.py`);
  return value;
}

export const url = given("PAGE_URL");
export const email = given("PAGE_EMAIL");
export const password = given("PAGE_PASSWORD");
/** Address of the provider of OpenID Connect that the server knows as «The company». */
export const provider = given("PAGE_PROVIDER");
const gatewayKey = given("PAGE_GATEWAY_KEY");

/** A reading of dev-001 with an id of its own; by default it is recorded now. */
export function reading(value: number, recordedAt: string = new Date().toISOString()): Reading {
  return { eventId: crypto.randomUUID(), deviceId: "dev-001", recordedAt, type: "temperature", value, unit: "C" };
}

/** Sends as a device would, and waits for what becomes of it. */
export async function send(event: Reading): Promise<"stored" | "duplicate" | "dead"> {
  const answer = await fetch(`${url}/api/v1/telemetry`, {
    method: "POST",
    headers: { Authorization: `Bearer ${gatewayKey}`, "Content-Type": "application/json", Prefer: "wait=20" },
    body: JSON.stringify(event),
  });
  const text = await answer.text();
  if (answer.status !== 200) throw new Error(`${answer.status}: ${text}`);
  return JSON.parse(text).results[0].outcome;
}
