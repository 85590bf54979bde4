import { answered, api, type Schemas } from "@/lib/api/client";

/** For whom the console subscribes, as `aegis subscribe` does by itself. */
export const OPERATOR = "operator";

type Asked = Partial<Pick<Schemas["Wish"], "consumer" | "instruments" | "scopes" | "ttl_s">>;

export function subscribe(asked: Asked): Promise<Schemas["WishReply"]> {
  return answered(api.POST("/api/market/subscribe", { body: { consumer: OPERATOR, instruments: [], scopes: [], ttl_s: 0, ...asked } }));
}

export function unsubscribe(asked: Partial<Schemas["Unwish"]>): Promise<Schemas["UnsubscribeReply"]> {
  return answered(api.POST("/api/market/unsubscribe", { body: { consumer: OPERATOR, instruments: [], scopes: [], everything: false, ...asked } }));
}

/** Names out of what was typed, with spaces, commas or lines between them. Combinations have spaces, so theirs stand on lines of their own. */
export function namesIn(text: string): string[] {
  const lines = text.split(/[\n,;]/).map((one) => one.trim());
  const names = lines.flatMap((one) => (/[&]/.test(one) ? [one] : one.split(/\s+/)));
  return [...new Set(names.filter(Boolean))];
}
