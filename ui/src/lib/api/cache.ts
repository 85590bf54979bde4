import { MutationCache, QueryCache, QueryClient } from "@tanstack/react-query";
import { Problem } from "./problem";

const SESSION_CODES = ["not_signed_in", "password_change_needed"];
const AGAIN = 2;

/** All answers of the API that are kept. Where one says that the session ended, it is asked who is signed in. */
export function createCache(): QueryClient {
  const lookAgain = (error: Error, key?: readonly unknown[]) => {
    if (error instanceof Problem && SESSION_CODES.includes(error.code) && key?.[0] !== "me") {
      void client.invalidateQueries({ queryKey: ["me"] });
    }
  };
  const client: QueryClient = new QueryClient({
    queryCache: new QueryCache({ onError: (error, query) => lookAgain(error, query.queryKey) }),
    mutationCache: new MutationCache({ onError: (error) => lookAgain(error) }),
    defaultOptions: {
      queries: {
        staleTime: 2_000,
        refetchOnWindowFocus: false,
        retry: (count, error) => count < AGAIN && error instanceof Problem && (error.status === 0 || error.status === 503),
      },
    },
  });
  return client;
}
