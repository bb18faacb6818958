/** Failures of requests, made from the problem document (RFC 9457) where there is one. */

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
    return new ApiError(0, "No connection", "The server cannot be reached. Check the connection and try again.");
  }
  // A proxy in between may answer without a problem document: then the status alone has to do.
  const problem = (typeof body === "object" && body !== null ? body : {}) as Record<string, unknown>;
  const title = typeof problem.title === "string" ? problem.title : `HTTP ${response.status}`;
  const detail = typeof problem.detail === "string" ? problem.detail : title;
  const fields = Array.isArray(problem.errors)
    ? (problem.errors as FieldError[]).filter((field) => typeof field?.detail === "string")
    : [];
  const code = typeof problem.type === "string" ? problem.type.slice(problem.type.lastIndexOf(":") + 1) : "";
  return new ApiError(response.status, title, detail, fields, code);
}

/** What to tell a person about any failure. */
export function messageOf(error: unknown): string {
  if (error instanceof ApiError) {
    const fields = error.fields.map((field) => {
      const name = field.pointer?.replace(/^[/#]+/, "");
      return name ? `${name}: ${field.detail}` : field.detail;
    });
    return fields.length > 0 ? fields.join("; ") : error.detail;
  }
  if (error instanceof SyntaxError) return "The server's answer could not be read.";
  return error instanceof Error ? error.message : String(error);
}
