import { expect, it } from "vitest";
import { ApiError, messageOf, titleOf, toApiError } from "./errors";

const answer = (status: number) => new Response(null, { status });

it("reads a problem document and names the fields at fault", () => {
  const problem = {
    type: "about:blank",
    title: "Unprocessable",
    status: 422,
    detail: "The device cannot be created",
    errors: [{ pointer: "/deviceId", detail: "too long" }, { detail: "no tags" }, null],
  };
  const error = toApiError(problem, answer(422));
  expect(error).toBeInstanceOf(ApiError);
  expect(error).toMatchObject({ status: 422, title: "Unprocessable" });
  expect(messageOf(error)).toBe("deviceId: too long; no tags");
});

it("makes do with the status when there is no problem document", () => {
  expect(messageOf(toApiError("<html>Bad gateway</html>", answer(502)))).toBe("HTTP 502");
});

it("tells a server out of reach from a request given up", () => {
  expect(toApiError(new TypeError("Failed to fetch"), undefined)).toMatchObject({ status: 0 });
  const aborted = new DOMException("given up", "AbortError");
  expect(toApiError(aborted, undefined)).toBe(aborted);
});

it("says in the page's words what kind of failure it is and what to do, and keeps the server's", () => {
  const refused = (code: string, detail = "Only owners may") =>
    toApiError({ type: `urn:telemetry-slice:problem:${code}`, title: "Forbidden", detail }, answer(403));
  expect(titleOf(refused("forbidden"))).toBe("Not allowed");
  expect(messageOf(refused("forbidden"))).toBe("Only owners may. Ask an owner or admin of your tenant.");
  expect(messageOf(refused("forbidden", "No!"))).toBe("No! Ask an owner or admin of your tenant.");
  expect(messageOf(refused("gone"))).toBe("Only owners may");
  expect(titleOf(refused("new_code"))).toBe("Forbidden");
  expect(titleOf(toApiError(new TypeError(), undefined))).toBe("The server does not answer");
  expect(titleOf(new Error("a bug"))).toBe("The server has failed");
});
