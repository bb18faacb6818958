/** Failures of requests, made from the problem document (RFC 9457) where there is one. */

import { text } from "../texts";

export interface FieldError {
  pointer?: string;
  detail: string;
}

export class ApiError extends Error {
  constructor(
    /** HTTP status; 0 when the server could not be reached. */
    readonly status: number,
    readonly title: string,
    readonly detail: string,
    readonly fields: FieldError[] = [],
    /** What kind of refusal it is, as docs/reference/errors.md lists them. */
    readonly code = "",
  ) {
    super(detail || title);
    this.name = "ApiError";
  }
}

/** An error out of what a failed request left: the answer, if there was one, and its body or the exception. */
export function toApiError(body: unknown, response: Response | undefined): unknown {
  if (!response) {
    if (body instanceof DOMException && body.name === "AbortError") return body;
    return new ApiError(0, text("errors:title.unreachable"), text("errors:unreachable"));
  }
  // A proxy in between may answer without a problem document: then the status alone has to do.
  const problem = (typeof body === "object" && body !== null ? body : {}) as Record<string, unknown>;
  const title = typeof problem.title === "string" ? problem.title : text("errors:status", { status: response.status });
  const detail = typeof problem.detail === "string" ? problem.detail : title;
  const fields = Array.isArray(problem.errors)
    ? (problem.errors as FieldError[]).filter((field) => typeof field?.detail === "string")
    : [];
  const code = typeof problem.type === "string" ? problem.type.slice(problem.type.lastIndexOf(":") + 1) : "";
  return new ApiError(response.status, title, detail, fields, code);
}

const titled = [
  "malformed",
  "invalid",
  "unauthenticated",
  "second_factor_needed",
  "forbidden",
  "not_found",
  "conflict",
  "gone",
  "too_large",
  "too_slow",
  "unsupported_media_type",
  "quota_exceeded",
  "capacity",
  "unavailable",
] as const;
const advised = ["forbidden", "too_large", "quota_exceeded", "capacity", "unavailable"] as const;

/** What kind of failure it is, in a few words of the page's language. */
export function titleOf(error: unknown): string {
  if (!(error instanceof ApiError)) return text("errors:title.other");
  if (error.status === 0) return text("errors:title.unreachable");
  const known = titled.find((code) => code === error.code);
  return known ? text(`errors:title.${known}`) : error.title;
}

/** What to do about a kind of failure, where there is something. */
function adviceOf(code: string): string {
  const known = advised.find((each) => each === code);
  return known ? text(`errors:advice.${known}`) : "";
}

/** What to tell a person about any failure: the server's own words, and what to do. */
export function messageOf(error: unknown): string {
  if (error instanceof ApiError) {
    const fields = error.fields.map((field) => {
      const name = field.pointer?.replace(/^[/#]+/, "");
      return name ? `${name}: ${field.detail}` : field.detail;
    });
    if (fields.length > 0) return fields.join("; ");
    const advice = adviceOf(error.code);
    return advice && error.detail ? `${error.detail.replace(/([^.!?])$/, "$1.")} ${advice}` : advice || error.detail;
  }
  if (error instanceof SyntaxError) return text("errors:unreadable");
  return error instanceof Error ? error.message : String(error);
}
