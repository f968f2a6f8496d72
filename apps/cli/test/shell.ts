import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import type { TestContext } from 'node:test';
import * as v from 'valibot';
import { fromHex } from '@ensconce/base/bytes';
import { openSimulatedVendor } from '@ensconce/simulation/vendor';
import { FrameConnection } from '@ensconce/wire/frames';
import { lasFrameLimit, lasRequest } from '@ensconce/wire/las';
import { main } from '../src/main.ts';

export interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A user with a home of her own, who types commands. */
export interface Shell {
  readonly folder: string;
  readonly run: (...argv: string[]) => Promise<Result>;
  /** Starts a command that goes on, and waits for its first output; it is interrupted after the test. */
  readonly start: (
    ...argv: string[]
  ) => Promise<{ readonly stdout: string; readonly stop: () => Promise<Result> }>;
}

export function shell(t: TestContext, environment: Record<string, string> = {}): Shell {
  const folder = mkdtempSync(join(tmpdir(), 'ensconce-cli-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const begin = (
    argv: readonly string[],
    onOutput: () => void,
  ): { done: Promise<Result>; output: () => string; abort: () => void } => {
    const stop = new AbortController();
    let stdout = '';
    let stderr = '';
    const done = main(argv, {
      stdin: Readable.from([]),
      stdout: (text) => {
        stdout += text;
        onOutput();
      },
      stderr: (text) => {
        stderr += text;
      },
      environment,
      home: folder,
      now: () => new Date(),
      random: randomBytes,
      signal: stop.signal,
      releaseSignals: () => undefined,
    }).then((code) => ({ code, stdout, stderr }));
    return { done, output: () => stdout, abort: () => stop.abort() };
  };
  return {
    folder,
    run: (...argv) => begin(argv, () => {}).done,
    start: async (...argv) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      const running = begin(argv, resolve);
      const stop = async (): Promise<Result> => {
        running.abort();
        return running.done;
      };
      t.after(stop);
      const early = await Promise.race([promise, running.done]);
      if (early !== undefined) throw new Error(`it ended early: ${early.stderr}`);
      return { stdout: running.output(), stop };
    },
  };
}

/** A LAS that gives whoever asks simulated evidence about a program with `mrenclave` (hex). */
export async function simulatedLas(
  t: TestContext,
  options: { readonly socket: string; readonly vendorFolder: string; readonly mrenclave: string },
): Promise<void> {
  const vendor = await openSimulatedVendor({ folder: options.vendorFolder, now: () => new Date() });
  const answer = async (frames: FrameConnection): Promise<void> => {
    const { reportData } = v.parse(lasRequest, await frames.receive());
    const quote = vendor.makeSgxQuote({
      mrenclave: fromHex(options.mrenclave),
      mrsigner: new Uint8Array(32),
      isvprodid: 1,
      isvsvn: 1,
      reportData: fromHex(reportData),
    });
    frames.send({ type: 'evidence', format: 'sgx', evidence: Buffer.from(quote).toString('base64') });
  };
  const server = createServer((socket) => {
    answer(new FrameConnection(socket, 'client of LAS', lasFrameLimit)).catch(() => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(options.socket, resolve));
  t.after(() => server.close());
}
