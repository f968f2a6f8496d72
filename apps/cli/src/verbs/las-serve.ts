import { join } from 'node:path';
import { startLas } from '@ensconce/las/server';
import { openSimulatedVendor } from '@ensconce/simulation/vendor';
import { lasSocketPath } from '@ensconce/wire/las';
import { CliError } from '../errors.ts';
import { stopped } from '../output/stopped.ts';
import { writeResult } from '../output/result.ts';
import type { Verb } from '../verb.ts';

interface Options {
  readonly simulate?: true;
  readonly state?: string;
  readonly socket: string;
  readonly json?: true;
}

/** All simulated enclaves have the same signer: the simulated hardware signs nothing by itself. */
const simulatedSigner = new Uint8Array(32);

export const lasServe: Verb = {
  name: 'las serve',
  summary: 'run the local attestation service of this node until it is told to stop',
  examples: [
    'ensconce las serve --simulate',
    'ensconce las serve --simulate --state ./simulated-vendor --socket ./las.sock',
  ],
  define(command, io) {
    command
      .option('--simulate', 'stand for the hardware: evidence says SIMULATED and protects nothing')
      .option('--state <dir>', 'folder of the simulated vendor; by default ~/.cas/simulated-vendor')
      .option('--socket <path>', 'unix socket to serve on', lasSocketPath)
      .option('--json', 'write JSON')
      .action(async (options: Options) => {
        if (options.simulate !== true) {
          throw new CliError(
            'CLI_USAGE',
            '--simulate expected: this version makes evidence by simulated hardware only',
            {
              hint: 'on tdx and snp the runtime asks the kernel itself and needs no LAS',
            },
          );
        }
        const folder = options.state ?? join(io.home, '.cas', 'simulated-vendor');
        const vendor = await openSimulatedVendor({ folder, now: io.now });
        const las = await startLas({
          socketPath: options.socket,
          makeQuote: (measured, reportData) =>
            vendor.makeSgxQuote({
              mrenclave: Uint8Array.fromHex(measured.measurement),
              mrsigner: simulatedSigner,
              isvprodid: 0,
              isvsvn: 0,
              reportData,
            }),
          log: (message) => io.stderr(`las: ${message}\n`),
        });
        writeResult(io, options, { socket: las.socketPath, vendor: folder, simulated: true }, () =>
          [`LAS is ready, with SIMULATED hardware`, `socket: ${las.socketPath}`, `vendor: ${folder}`].join(
            '\n',
          ),
        );
        await stopped(io.signal);
        await las.close();
      });
  },
};
