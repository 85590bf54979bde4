const CENTS = { minimumFractionDigits: 2, maximumFractionDigits: 2 } as const;
const PLAIN = new Intl.NumberFormat("en-US", CENTS);
const PRICE = new Intl.NumberFormat("en-US", { maximumFractionDigits: 20 });
const SIGNED = new Intl.NumberFormat("en-US", { ...CENTS, signDisplay: "exceptZero" });

/** Yuan to the cent, 1,000,000.00; what comes as decimal digits is rounded as decimal digits. */
export function money(amount: string): string {
  return PLAIN.format(amount as Intl.StringNumericLiteral);
}

/** The same with its sign, of what is gained or lost. */
export function gain(amount: string): string {
  return SIGNED.format(amount as Intl.StringNumericLiteral);
}

/** The colour of a gain, which is that of a price that rises. */
export function gainTone(amount: string): string {
  const value = Number(amount);
  return value > 0 ? "text-up" : value < 0 ? "text-down" : "";
}

/** A price as it is shown, 12,345.5; what comes as decimal digits keeps them all, but for zeros at the end. */
export function shownPrice(price: string): string {
  return PRICE.format(price as Intl.StringNumericLiteral);
}
