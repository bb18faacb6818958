/** The generated client, set up for the server of this page. Hooks ask through `sdk`; failures are ApiError. */

import { toApiError } from "./errors";
import { client } from "./gen/client.gen";

client.setConfig({
  baseUrl: "",
  credentials: "same-origin",
  // Proves to the server that a page of its own asks, not a form of another site.
  headers: { "X-Requested-With": "tslice" },
});
client.interceptors.error.use((error, response) => toApiError(error, response));

export * as sdk from "./gen/sdk.gen";
