import { type Rng, seededRng } from '#shared/determinism/rng.ts';
import { invalidInput } from '#shared/task/errors.ts';

/** What goes wrong at an endpoint, on purpose: rates are of calls, 0 to 1; equal seeds give equal faults. */
export interface EndpointFaults {
  seed?: number;
  /** Added to every call. */
  latencyMs?: number;
  /** Throttled before the model is asked. */
  rate429?: number;
  /** The model answers 500. */
  rate500?: number;
  /** A 200 that is cut off, or no JSON. */
  rateGarbage?: number;
  /** Never answered, until the client or the 60 s limit gives up. */
  rateHang?: number;
}

export type Fault = 'throttle' | 'model' | 'garbage' | 'hang';

const RATES: [Fault, keyof EndpointFaults][] = [
  ['throttle', 'rate429'],
  ['model', 'rate500'],
  ['garbage', 'rateGarbage'],
  ['hang', 'rateHang'],
];

/** The faults of one endpoint's calls, in their order. */
export class FaultPlan {
  readonly latencyMs: number;
  readonly #faults: EndpointFaults;
  readonly #rng: Rng;

  /** @throws InvalidInput for a rate outside 0..1. */
  constructor(endpoint: string, faults: EndpointFaults = {}) {
    for (const [, rate] of RATES) {
      const value = faults[rate] ?? 0;
      if (!(value >= 0 && value <= 1))
        throw invalidInput(`${endpoint}: ${rate} is ${value}, not a rate from 0 to 1.`);
    }
    this.latencyMs = faults.latencyMs ?? 0;
    this.#faults = faults;
    this.#rng = seededRng('endpoint-faults', endpoint, faults.seed ?? 0);
  }

  /** The fault of the next call, if any. Every rate is drawn every time, so that one does not move another's. */
  next(): Fault | undefined {
    const struck = RATES.filter(([, rate]) => this.#rng.next() < (this.#faults[rate] ?? 0));
    return struck[0]?.[0];
  }

  /** A spoilt body: cut in the middle, or wrapped in what is no JSON. */
  spoil(body: Uint8Array): Buffer {
    const bytes = Buffer.from(body);
    return this.#rng.next() < 0.5
      ? bytes.subarray(0, Math.floor(bytes.length / 2))
      : Buffer.from('<html>busy</html>');
  }
}
