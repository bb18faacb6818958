/** The running server that tests/system/test_page.py has started, and who may do what there. */

import { createHmac } from "node:crypto";
import type { APIRequestContext, Page } from "@playwright/test";

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
/** The owner of another tenant there. */
export const other = { email: given("PAGE_OTHER_EMAIL"), password: given("PAGE_OTHER_PASSWORD") };
/** The owner of a third tenant, which has no devices of its own at first. */
export const empty = { email: given("PAGE_EMPTY_EMAIL"), password: given("PAGE_EMPTY_PASSWORD") };
/** Address of the provider of OpenID Connect that the server knows as «The company». */
export const provider = given("PAGE_PROVIDER");
const gatewayKey = given("PAGE_GATEWAY_KEY");

/** What the page proves itself with, for requests beside it. */
export const own = { "X-Requested-With": "tslice", Origin: url };

/** The link of an invitation into the tenant of whom `context` is signed in as. */
export async function invite(context: APIRequestContext, invited: string, role: string): Promise<string> {
  const answer = await context.post(`${url}/api/v1/invitations`, { headers: own, data: { email: invited, role } });
  if (answer.status() !== 201) throw new Error(`${answer.status()}: ${await answer.text()}`);
  return (await answer.json()).link;
}

/** What an authenticator shows at a time (epoch milliseconds) for a secret (base32): RFC 6238. */
export function codeAt(secret: string, time: number): string {
  const bits = [...secret].map((letter) =>
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(letter).toString(2).padStart(5, "0"),
  );
  const key = Buffer.from((bits.join("").match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(time / 30_000)));
  const digest = createHmac("sha1", key).update(step).digest();
  const start = (digest[19] ?? 0) & 15;
  return String((digest.readUInt32BE(start) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

/** A reading of dev-001 with an id of its own; by default it is recorded now. */
export function reading(value: number, recordedAt: string = new Date().toISOString()): Reading {
  return { eventId: crypto.randomUUID(), deviceId: "dev-001", recordedAt, type: "temperature", value, unit: "C" };
}

type Outcome = "stored" | "duplicate" | "dead";

/** Sends as a device would, and waits for what becomes of it. */
export async function send(event: Reading): Promise<Outcome> {
  const [outcome] = await sendAll([event]);
  return outcome as Outcome;
}

/** Sends several readings at once, and waits for what becomes of each. */
export async function sendAll(events: Reading[]): Promise<Outcome[]> {
  const answer = await fetch(`${url}/api/v1/telemetry`, {
    method: "POST",
    headers: { Authorization: `Bearer ${gatewayKey}`, "Content-Type": "application/json", Prefer: "wait=20" },
    body: JSON.stringify(events),
  });
  const text = await answer.text();
  if (answer.status !== 200) throw new Error(`${answer.status}: ${text}`);
  return JSON.parse(text).results.map((result: { outcome: Outcome }) => result.outcome);
}

export async function signIn(page: Page, word = password, who = email) {
  await page.getByLabel("Email").fill(who);
  await page.getByLabel("Password", { exact: true }).fill(word);
  await page.getByRole("button", { name: "Sign in" }).click();
}
