/** How benchmarks show what they measured: a table for people and JSON for programs. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Summary {
  readonly min: number;
  readonly median: number;
  readonly p90: number;
  readonly max: number;
}

/** Order statistics of measurements; at least one. */
export function summary(values: readonly number[]): Summary {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] as number;
  return { min: at(0), median: at(0.5), p90: at(0.9), max: at(1) };
}

export interface Report {
  readonly unit: string;
  readonly rows: Readonly<Record<string, Summary>>;
  readonly notes: readonly string[];
}

const results = join(dirname(fileURLToPath(import.meta.url)), '..', 'results');

/** Prints a table and writes bench/results/NAME.json. The spread between min and max is the machine's noise. */
export function report(name: string, content: Report): void {
  const machine = `${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} processors, load ${loadavg()[0]?.toFixed(2)}`;
  const columns = ['min', 'median', 'p90', 'max'] as const;
  console.log(`\n${name} (${content.unit}) on ${machine}`);
  console.log([''.padEnd(32), ...columns.map((column) => column.padStart(10))].join(''));
  for (const [row, values] of Object.entries(content.rows)) {
    console.log(
      [row.padEnd(32), ...columns.map((column) => values[column].toFixed(1).padStart(10))].join(''),
    );
  }
  for (const note of content.notes) console.log(note);
  mkdirSync(results, { recursive: true });
  const path = join(results, `${name}.json`);
  writeFileSync(path, `${JSON.stringify({ name, machine, ...content }, undefined, 2)}\n`);
  console.log(`written to bench/results/${name}.json`);
}
