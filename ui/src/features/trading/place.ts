import { answered, api } from "@/lib/api/client";
import { Problem } from "@/lib/api/problem";
import type { Order, Ticket } from "./model";
import { outcomeOf } from "./outcome";
import { keepUnsettled, settle } from "./unsettled";

/** What became of an order: the order, or the two that it was split into; or that it is not known. */
export type Placed = { orders: Order[] } | { unknown: Problem };

/** Place an order, or ask for one again whose outcome was unknown. Throws a Problem where nothing was done. */
export async function place(account: string, ticket: Ticket, wasUnknown: boolean): Promise<Placed> {
  const name = ticket.client_order_id;
  const asked = { account, ticket, at: Date.now() };
  keepUnsettled(asked, !wasUnknown);
  try {
    const { orders } = await answered(api.POST("/api/trading/accounts/{account}/orders", { params: { path: { account } }, body: ticket }));
    settle(account, name);
    return { orders };
  } catch (error) {
    if (error instanceof Problem && outcomeOf(error, wasUnknown) === "unknown") {
      keepUnsettled(asked, false);
      return { unknown: error };
    }
    settle(account, name);
    throw error;
  }
}
