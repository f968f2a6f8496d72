import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DigestCache } from '@ensconce/measurement/digest-cache';
import { describeProgram, measureProgram } from '@ensconce/measurement/program';
import { writeResult } from '../output/result.ts';
import type { Verb } from '../verb.ts';

const thisCheckout = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..', '..');

export const casMeasure: Verb = {
  name: 'cas measure',
  summary: 'show the measurement that a CAS run from a checkout has on simulated hardware',
  examples: [
    'ensconce cas measure',
    'ensconce cas attest localhost:8081 --mrenclave $(ensconce cas measure)',
  ],
  define(command, io) {
    command
      .option(
        '--checkout <dir>',
        'another checkout of the sources than the one this command runs from',
        thisCheckout,
      )
      .option('--json', 'write JSON')
      .action((options: { checkout: string; json?: true }) => {
        const cache = new DigestCache();
        const node = cache.file(process.execPath).sha256;
        const description = describeProgram(options.checkout, node, cache);
        const measurement = measureProgram(description);
        writeResult(io, options, { measurement, description: { ...description } }, () => measurement);
      });
  },
};
