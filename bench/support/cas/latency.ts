import type { LoadGenerators } from './process.ts';
import { refuseFailures, type Target } from './target.ts';

/** Starts of a round, after those of the first seconds, which do not count. */
export const latencyStarts = 2000;
const warmUp = 2;

/** Milliseconds from when a start was due until its service was configured. */
export interface Latency {
  readonly p50: number;
  readonly p99: number;
  readonly times: number;
}

/** Latencies when starts come by chance, so many a second, whether earlier ones are done or not. */
export async function latencyAt(load: LoadGenerators, target: Target, perSecond: number): Promise<Latency> {
  const seconds = warmUp + latencyStarts / perSecond;
  await load.makeKeys(Math.ceil(seconds * perSecond * 1.2));
  const { latencies, failures } = await load.run({
    ...target.load,
    seconds,
    warmUp,
    pace: { perSecond },
  });
  refuseFailures(failures, latencies.length);
  const sorted = latencies.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.floor(share * sorted.length)] as number;
  const [p50, p99] = [at(0.5), at(0.99)];
  return { p50, p99, times: p99 / p50 };
}
