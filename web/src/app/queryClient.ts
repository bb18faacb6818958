import { MutationCache, onlineManager, QueryCache, QueryClient } from "@tanstack/react-query";
import { ApiError } from "../api/errors";
import { startKeeping } from "../api/kept";
import { meKey } from "../api/session";

/** Server state of the page. A 401 anywhere means the session has ended; signing in again repeats what failed. */
export function makeQueryClient(): QueryClient {
  const onError = (error: unknown) => {
    if (error instanceof ApiError && error.status === 401 && client.getQueryData(meKey)) {
      void client.invalidateQueries({ queryKey: meKey });
    }
  };
  const client: QueryClient = new QueryClient({
    queryCache: new QueryCache({ onError }),
    mutationCache: new MutationCache({
      // A wrong password is also a 401, but there is no session to end then: onError asks for one first.
      onError,
    }),
    defaultOptions: {
      queries: {
        staleTime: 1_000,
        retry: (failures, error) =>
          failures < 2 && !(error instanceof ApiError && error.status >= 400 && error.status < 500),
      },
      // What somebody does is done now, or fails now: not at some later moment, when there is a connection again.
      mutations: { networkMode: "always" },
    },
  });
  onlineManager.subscribe((online) => {
    // What was last seen may be from another visit, or of somebody whose session has ended meanwhile.
    if (online) void client.invalidateQueries();
  });
  startKeeping(client);
  return client;
}
