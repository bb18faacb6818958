/** A server with recorded answers for the browser tests: the built page under its content security policy, and an API. */

import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";
import type { Duplex } from "node:stream";
import {
  before,
  eventIdAt,
  type Json,
  me,
  type Reading,
  reading,
  recordedAudit,
  recordedDevices,
  recordedKey,
  recordedLetters,
  recordedSessions,
  status,
  wave,
} from "./answers";

/** The strictest policy the page works under. */
export const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; " +
  "manifest-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'";

const dist = join(import.meta.dirname, "..", "dist");
const mediaTypes: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

export class RecordedServer {
  private readonly server: Server;
  private readonly sockets = new Set<Duplex>();
  private sequence = 0;
  private heartbeats: ReturnType<typeof setInterval> | undefined;
  signedIn = false;
  /** Is a code asked for beside the password? */
  secondFactor = false;
  /** Accept live connections? */
  streaming = true;
  balanced = true;
  extra: Reading[] = [];
  devices = recordedDevices();
  letters = recordedLetters();
  sessions = recordedSessions();
  /** Every request as `METHOD path?query`. */
  requests: string[] = [];

  constructor() {
    this.server = createServer((request, response) => void this.answer(request, response));
    this.server.on("upgrade", (request, socket) => this.upgrade(request, socket));
  }

  async start(): Promise<string> {
    await new Promise<void>((done) => this.server.listen(0, "127.0.0.1", done));
    this.heartbeats = setInterval(() => {
      this.frame({ kind: "heartbeat", epoch: "e1", sequence: this.sequence });
    }, 2_000);
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    clearInterval(this.heartbeats);
    this.cut();
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }

  /** Stores a reading and tells the live stream; `skip` loses its frame on the way. */
  store(reading: Reading, { skip = false } = {}): void {
    this.extra.push(reading);
    this.sequence += 1;
    if (!skip) this.frame({ kind: "events", epoch: "e1", sequence: this.sequence, events: [reading] });
  }

  /** Ends every live connection. */
  cut(): void {
    for (const socket of this.sockets) socket.destroy();
    this.sockets.clear();
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://localhost");
    if (!url.pathname.startsWith("/api/")) return this.file(url.pathname, response);
    this.requests.push(`${request.method} ${url.pathname}${url.search}`);
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const { status, body } = this.route(request.method ?? "GET", url, text ? (JSON.parse(text) as Json) : {});
    response.writeHead(status, { "Content-Type": status < 400 ? "application/json" : "application/problem+json" });
    response.end(status === 204 ? undefined : JSON.stringify(body));
  }

  private async file(path: string, response: ServerResponse): Promise<void> {
    const name = extname(path) ? normalize(path).replace(/^[/.]+/, "") : "index.html";
    response.setHeader("Content-Security-Policy", POLICY);
    try {
      const content = await readFile(join(dist, name));
      response.writeHead(200, { "Content-Type": mediaTypes[extname(name)] ?? "application/octet-stream" });
      response.end(content);
    } catch {
      response.writeHead(404);
      response.end();
    }
  }

  private route(method: string, url: URL, body: Json): { status: number; body?: unknown } {
    const path = url.pathname.replace("/api/v1", "");
    if (path === "/auth/login") {
      if (body.password !== "correct horse") return problem(401, "Unauthorized", "Wrong email or password");
      if (this.secondFactor && body.code !== "123 456") {
        const type = `urn:telemetry-slice:problem:${body.code ? "unauthenticated" : "second_factor_needed"}`;
        return { status: 401, body: { type, title: "A second factor is needed", status: 401, detail: "A code" } };
      }
      this.signedIn = true;
      return ok(me);
    }
    if (path === "/auth/setup") {
      this.signedIn = true;
      return ok(me);
    }
    if (path === "/auth/methods") return ok({ password: true, resetByEmail: true, providers: [] });
    if (path === "/auth/reset") return { status: 202, body: null };
    if (path === "/auth/reset/confirm")
      return body.token === "good" ? { status: 204 } : problem(401, "Unauthorized", "");
    if (path === "/auth/invitation") {
      if (body.token !== "good" && body.token !== "known") return problem(401, "Unauthorized", "Not valid");
      return ok({ email: me.user.email, role: "viewer", tenant: me.tenant, hasAccount: body.token === "known" });
    }
    if (path === "/auth/invitation/accept") {
      this.signedIn = true;
      return ok(me);
    }
    if (!this.signedIn) return problem(401, "Unauthorized", "Sign in first");
    if (path === "/auth/logout") {
      this.signedIn = false;
      return { status: 204 };
    }
    if (path === "/me") return ok(me);
    if (path === "/me/invitations") return ok(me.tenant);
    if (path === "/auth/tenant") return ok(me);
    if (path === "/me/sessions" && method === "DELETE") {
      this.signedIn = false;
      return { status: 204 };
    }
    if (path === "/me/sessions") return ok({ sessions: this.sessions });
    if (path.startsWith("/me/sessions/")) {
      this.sessions = this.sessions.filter((session) => !path.endsWith(`/${session.id}`));
      return { status: 204 };
    }
    if (path === "/auth/password") {
      if (body.currentPassword !== "correct horse") return problem(401, "Unauthorized", "Wrong password");
      this.signedIn = false;
      return { status: 204 };
    }
    if (path.startsWith("/me/second-factor")) return this.factorRoutes(method, path, body);
    if (path === "/books") return ok(this.books());
    if (path === "/books/history") return ok(this.history(url));
    if (path === "/audit") {
      const { actor, outcome } = Object.fromEntries(url.searchParams);
      const records = recordedAudit().filter(
        (record) => (!actor || record.actor.name === actor) && (!outcome || record.outcome === outcome),
      );
      return ok({ records, next: null, head: { sequence: 4, hash: "0".repeat(64) } });
    }
    if (path === "/status") return ok(status());
    if (path.startsWith("/dead-letters")) return this.deadLetters(method, path, url, body);
    if (path === "/fleet") return ok(this.fleet(url));
    if (path === "/sparklines") return ok(sparklines(url.searchParams.getAll("device")));
    if (path === "/query") return ok({ latest: [] });
    if (path.startsWith("/devices")) return this.deviceRoutes(method, path, url, body);
    return problem(404, "Not Found", "There is no such resource");
  }

  private factorRoutes(method: string, path: string, body: Json): { status: number; body?: unknown } {
    if (method === "GET") return ok({ enabled: this.secondFactor, recoveryCodes: this.secondFactor ? 10 : 0 });
    if (path.endsWith("/confirm")) {
      if (body.code !== "123 456") return problem(422, "Unprocessable", "This is not a code of the secret");
      this.secondFactor = true;
      return ok({ recoveryCodes: Array.from({ length: 10 }, (_, n) => `aaaa-bbbb-cccc-ddd${n}`) });
    }
    if (body.password !== "correct horse") return problem(401, "Unauthorized", "Wrong password");
    if (path.endsWith("/remove")) {
      if (body.code !== "123 456") return problem(401, "Unauthorized", "Wrong code");
      this.secondFactor = false;
      return { status: 204 };
    }
    const secret = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";
    return ok({ secret, uri: `otpauth://totp/Telemetry%20Slice:ada%40example.com?secret=${secret}&issuer=Slice` });
  }

  private deviceRoutes(method: string, path: string, url: URL, body: Json): { status: number; body?: unknown } {
    if (path === "/devices" && method === "POST") {
      const device = { ...this.devices[0], ...body, tags: [], status: "new", lastSeen: null, lastValues: [] };
      this.devices = [...this.devices, device as (typeof this.devices)[number]];
      return { status: 201, body: device };
    }
    if (path === "/devices") return ok({ devices: this.wanted(url), next: null });
    const [, , id, what] = path.split("/");
    const device = this.devices.find((candidate) => candidate.deviceId === decodeURIComponent(id ?? ""));
    if (!device) return problem(404, "Not Found", "No such device");
    if (what === undefined) return ok(device);
    if (what === "keys" && method === "GET") return ok({ keys: [recordedKey()] });
    if (what === "keys") {
      const key = "tsk_3kq9vY2sT7bN4mX8wZ1cR6dF5gH0jL_pQeUiOaSxWvB";
      return { status: 201, body: { keyId: "k1", kind: "device", name: body.name, scopes: ["ingest"], key } };
    }
    if (what === "types") {
      return ok({
        types: [
          { type: "temperature", unit: "C", kind: "number" },
          { type: "pressure", unit: "bar", kind: "number" },
          { type: "running", unit: null, kind: "boolean" },
        ],
      });
    }
    const from = Date.parse(url.searchParams.get("from") ?? before(86_400));
    const to = Date.parse(url.searchParams.get("to") ?? before(0));
    if (what === "series") return ok(this.series(url, from, to));
    if (what === "insights") return ok({ hours: 24, insights: this.insights() });
    return ok(this.telemetry(url, from, to));
  }

  private wanted(url: URL) {
    const q = (url.searchParams.get("q") ?? "").toLowerCase();
    const statuses = url.searchParams.getAll("status");
    return this.devices.filter(
      (device) =>
        JSON.stringify(device).toLowerCase().includes(q) && (statuses.length === 0 || statuses.includes(device.status)),
    );
  }

  private fleet(url: URL): Json {
    const counted = (devices: typeof this.devices) =>
      Object.fromEntries(
        ["online", "late", "silent", "new"].map((status) => [
          status,
          devices.filter((device) => device.status === status).length,
        ]),
      );
    const found = this.wanted(url);
    const locations = [...new Set(found.map(({ location }) => location))].sort();
    return {
      devices: this.devices.length,
      matching: found.length,
      statuses: counted(found),
      locations: locations.map((location) => ({
        location,
        ...counted(found.filter((device) => device.location === location)),
      })),
      types: [{ name: "temperature", devices: 3 }],
      tags: [{ name: "steam", devices: 1 }],
    };
  }

  private series(url: URL, from: number, to: number): Json {
    const type = url.searchParams.get("type") ?? "temperature";
    const points = Number(url.searchParams.get("points") ?? 300);
    const bucketSeconds = Math.max(1, Math.ceil((to - from) / 1000 / points));
    const width = bucketSeconds * 1000;
    const buckets = [];
    for (let start = Math.floor(from / width) * width; start < to; start += width) {
      const share = (start - from) / (to - from);
      if (share > 0.55 && share < 0.63) continue;
      const avg = wave(type, start);
      const spread = type === "pressure" ? 0.04 : 0.6 + 0.3 * Math.sin(start / 5e6);
      buckets.push({
        start: new Date(start).toISOString(),
        count: bucketSeconds,
        min: avg - spread,
        avg,
        max: avg + spread,
        last: avg,
        late: share > 0.3 && share < 0.36 ? 1 : 0,
      });
    }
    const unit = type === "pressure" ? "bar" : "C";
    return {
      type,
      unit,
      from: new Date(from).toISOString(),
      to: new Date(to).toISOString(),
      bucketSeconds,
      settled: true,
      buckets,
    };
  }

  private insights(): Json[] {
    const last = this.extra[this.extra.length - 1];
    return [
      {
        type: "temperature",
        unit: "C",
        latest: last?.value ?? 71.42,
        min: 64.2,
        avg: 69.913,
        max: 76.8,
        count: 86_031,
        lastRecordedAt: before(2),
      },
      {
        type: "pressure",
        unit: "bar",
        latest: 2.417,
        min: 2.2,
        avg: 2.4,
        max: 2.61,
        count: 17_280,
        lastRecordedAt: before(4),
      },
      {
        type: "running",
        unit: null,
        latest: true,
        min: null,
        avg: null,
        max: null,
        count: 1_440,
        lastRecordedAt: before(40),
      },
    ];
  }

  private telemetry(url: URL, from: number, to: number): Json {
    const type = url.searchParams.get("type");
    const cursor = Number(url.searchParams.get("cursor") ?? 0);
    const events: Reading[] = [];
    for (let i = cursor; i < cursor + 50; i += 1) {
      const time = (Math.floor(to / 30_000) - i) * 30_000 - 60_000;
      if (time < from) break;
      events.push(
        reading(
          { eventId: eventIdAt(time), value: wave("temperature", time), lateness: i % 9 === 4 ? 412 : 0.23 },
          time,
        ),
      );
    }
    const extra = cursor === 0 ? this.extra : [];
    const all = [...extra, ...events].filter((event) => !type || event.type === type);
    all.sort((a, b) => (a.recordedAt < b.recordedAt ? 1 : -1));
    return { events: all, next: cursor < 200 ? String(cursor + 50) : null };
  }

  private books(): Json {
    const dead = { clock: 3, conflict: 2 };
    const stored = 104_812 + this.extra.length;
    const inFlight = 7;
    return {
      from: null,
      to: null,
      received: stored + 22_695 + 5 + inFlight + 41,
      accepted: stored + 22_695 + 5 + inFlight + (this.balanced ? 0 : 12),
      rejected: { value: 38, unknown_device: 3 },
      stored,
      duplicate: 22_695,
      dead,
      inFlight,
      balanced: this.balanced,
    };
  }

  private history(url: URL): Json {
    const { from = "", to = "", step = "hour" } = Object.fromEntries(url.searchParams);
    const seconds = { minute: 60, hour: 3_600, day: 86_400 }[step] ?? 3_600;
    const steps: Json[] = [];
    for (let start = Date.parse(from), n = 0; start < Date.parse(to); start += seconds * 1000, n += 1) {
      const stored = 4_200 + 300 * (n % 5);
      const dead = n % 9 === 4 ? { clock: 3 } : {};
      const rejected = n % 7 === 3 ? { quota: 310 } : {};
      steps.push({
        start: new Date(start).toISOString(),
        accepted: stored + 940,
        stored,
        duplicate: 940,
        dead,
        rejected,
      });
    }
    return { from, to, stepSeconds: seconds, steps };
  }

  private deadLetters(method: string, path: string, url: URL, body: Json): { status: number; body?: unknown } {
    if (path === "/dead-letters/replay")
      return ok({ replayed: { stored: 0, duplicate: 0, dead: this.letters.length } });
    if (path === "/dead-letters") {
      const reason = url.searchParams.get("reason");
      return ok({ deadLetters: this.letters.filter((letter) => !reason || letter.reason === reason), next: null });
    }
    const letter = this.letters.find(({ id }) => path.split("/")[2] === id);
    if (!letter) return problem(404, "Not Found", "No such dead letter");
    if (method === "PATCH") {
      letter.body = body.body as Json;
      return ok(letter);
    }
    const mended = !String(letter.body.recordedAt).startsWith("19");
    if (method === "POST" && !mended) return ok({ outcome: "dead", reason: letter.reason });
    if (method === "DELETE") letter.state = "discarded";
    else this.letters = this.letters.filter(({ id }) => id !== letter.id);
    return method === "DELETE" ? { status: 204 } : ok({ outcome: "stored" });
  }

  private upgrade(request: IncomingMessage, socket: Duplex): void {
    if (!this.signedIn || !this.streaming) {
      socket.end("HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n");
      return;
    }
    const accept = createHash("sha1")
      .update(`${request.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
      .digest("base64");
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    socket.on("error", () => this.sockets.delete(socket));
    socket.on("close", () => this.sockets.delete(socket));
    socket.on("data", (data: Buffer) => {
      if (((data[0] ?? 0) & 0x0f) === 8) socket.end();
      else socket.write(textFrame({ kind: "watching", epoch: "e1", sequence: this.sequence, id: 1_000_000 }));
    });
    this.sockets.add(socket);
    socket.write(textFrame({ kind: "hello", epoch: "e1", sequence: this.sequence }));
  }

  private frame(frame: Json): void {
    for (const socket of this.sockets) socket.write(textFrame(frame));
  }
}

function sparklines(devices: string[]): Json {
  const numbers = Array.from({ length: 48 }, (_, index) => (index === 30 ? null : 20 + (index % 7)));
  const max = numbers.map((number) => number && number + 1);
  return {
    start: before(86_400),
    bucketSeconds: 1_800,
    sparklines: devices.map((deviceId) => ({ deviceId, type: "temperature", unit: "C", min: numbers, max })),
  };
}

function ok(body: unknown) {
  return { status: 200, body };
}

function problem(status: number, title: string, detail: string) {
  return { status, body: { type: "about:blank", title, status, detail } };
}

function textFrame(frame: Json): Buffer {
  const text = Buffer.from(JSON.stringify(frame));
  const head =
    text.length < 126
      ? Buffer.from([0x81, text.length])
      : Buffer.from([0x81, 126, text.length >> 8, text.length & 255]);
  return Buffer.concat([head, text]);
}
