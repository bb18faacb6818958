/** The generated client, set up for the server of this page. Hooks ask through `sdk`; failures are ApiError. */

import { connection } from "./connection";
import { ApiError, toApiError } from "./errors";
import { client } from "./gen/client.gen";

client.setConfig({
  baseUrl: "",
  credentials: "same-origin",
  // Proves to the server that a page of its own asks, not a form of another site.
  headers: { "X-Requested-With": "tslice" },
});
client.interceptors.response.use((response) => {
  connection.heard();
  return response;
});
client.interceptors.error.use((error, response) => {
  const failure = toApiError(error, response);
  if (failure instanceof ApiError && failure.status === 0) connection.unheard();
  return failure;
});

export * as sdk from "./gen/sdk.gen";
