/** Requests to the server of this page. Failures become ApiError, made from the problem document where there is one. */

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
  ) {
    super(detail || title);
    this.name = "ApiError";
  }
}

type Query = Record<string, string | number | boolean | null | undefined>;

export interface RequestOptions {
  query?: Query;
  body?: unknown;
  signal?: AbortSignal;
}

export function address(path: string, query: Query = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== "") search.set(name, String(value));
  }
  const text = search.toString();
  return text ? `${path}?${text}` : path;
}

export async function request<T>(method: string, path: string, options: RequestOptions = {}): Promise<T> {
  const headers: Record<string, string> = { Accept: "application/json", "X-Requested-With": "tslice" };
  if (options.body !== undefined) headers["Content-Type"] = "application/json";
  let response: Response;
  try {
    response = await fetch(address(path, options.query), {
      method,
      headers,
      body: options.body === undefined ? undefined : JSON.stringify(options.body),
      credentials: "same-origin",
      signal: options.signal,
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new ApiError(0, "No connection", "The server cannot be reached. Check the connection and try again.");
  }
  if (!response.ok) throw await problemOf(response);
  if (response.status === 204) return undefined as T;
  try {
    return (await response.json()) as T;
  } catch {
    throw new ApiError(response.status, "Unreadable answer", "The server's answer could not be read.");
  }
}

async function problemOf(response: Response): Promise<ApiError> {
  let problem: { title?: unknown; detail?: unknown; errors?: unknown } = {};
  try {
    problem = await response.json();
  } catch {
    // No problem document, for instance from a proxy in between: the status alone has to do.
  }
  const title = typeof problem.title === "string" ? problem.title : `HTTP ${response.status}`;
  const detail = typeof problem.detail === "string" ? problem.detail : title;
  const fields = Array.isArray(problem.errors)
    ? (problem.errors as FieldError[]).filter((field) => typeof field?.detail === "string")
    : [];
  return new ApiError(response.status, title, detail, fields);
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
  return error instanceof Error ? error.message : String(error);
}
