const MOST = 120;
const FEWEST = 30;

/** The last prices of an instrument, one a second, since the page was opened. `version` grows with each. */
export class Spark {
  version = 0;
  private readonly prices: number[] = [];

  add(price: number): void {
    this.prices.push(price);
    if (this.prices.length > MOST) this.prices.shift();
    this.version += 1;
  }

  /** Points of an SVG polyline within a box: the latest at its right edge, all of them as soon as there are thirty. */
  points(width: number, height: number): string {
    const low = Math.min(...this.prices);
    const span = Math.max(...this.prices) - low;
    const step = width / (Math.max(FEWEST, this.prices.length) - 1);
    const first = width - (this.prices.length - 1) * step;
    return this.prices.map((price, at) => `${(first + at * step).toFixed(1)},${(span ? height - 1 - ((price - low) / span) * (height - 2) : height / 2).toFixed(1)}`).join(" ");
  }
}
