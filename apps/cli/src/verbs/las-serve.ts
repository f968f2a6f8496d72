import { join } from 'node:path';
import { formatAddress, type CasAddress } from '@ensconce/api/address';
import { CollateralCache } from '@ensconce/collateral/cache';
import { DiskStore } from '@ensconce/collateral/disk';
import { intelPcs, pccsSource } from '@ensconce/collateral/intel';
import { fetchTransport } from '@ensconce/collateral/transport';
import { startPccs, type Pccs } from '@ensconce/las/pccs';
import { startLas } from '@ensconce/las/server';
import { openSimulatedVendor } from '@ensconce/simulation/vendor';
import { lasSocketPath } from '@ensconce/wire/las';
import { CliError } from '../errors.ts';
import type { Io } from '../io.ts';
import { listenAddress } from '../output/listen-address.ts';
import { collateralCache } from '../state/collateral-cache.ts';
import { stopped } from '../output/stopped.ts';
import { writeResult } from '../output/result.ts';
import type { Verb } from '../verb.ts';

interface Options {
  readonly simulate?: true;
  readonly state?: string;
  readonly socket: string;
  readonly listen?: CasAddress;
  readonly pccs?: string;
  readonly cache?: string;
  readonly json?: true;
}

/** All simulated enclaves have the same signer: the simulated hardware signs nothing by itself. */
const simulatedSigner = new Uint8Array(32);

function offerCollateral(io: Io, options: Options, listen: CasAddress): Promise<Pccs> {
  const cache = new CollateralCache({
    store: new DiskStore(options.cache ?? collateralCache(io)),
    transport: fetchTransport,
    now: () => io.now().getTime(),
    onStale: (url) => io.stderr(`las: ${url} cannot be fetched; the stored answer is used\n`),
  });
  return startPccs({
    ...listen,
    cache,
    source: options.pccs === undefined ? intelPcs : pccsSource(options.pccs),
  });
}

export const lasServe: Verb = {
  name: 'las serve',
  summary: 'run the local attestation service of this node until it is told to stop',
  examples: [
    'ensconce las serve --simulate',
    'ensconce las serve --simulate --state ./simulated-vendor --socket ./las.sock',
    'ensconce las serve --simulate --listen 127.0.0.1:18766',
  ],
  define(command, io) {
    command
      .option('--simulate', 'stand for the hardware: evidence says SIMULATED and protects nothing')
      .option('--state <dir>', 'folder of the simulated vendor; by default ~/.cas/simulated-vendor')
      .option('--socket <path>', 'unix socket to serve on', lasSocketPath)
      .option(
        '--listen <address>',
        'offer cached collateral to the node as a PCCS (HTTP), for example on 127.0.0.1:18766',
        listenAddress(18_766),
      )
      .option(
        '--pccs <url>',
        "where collateral that is not cached comes from; by default Intel's own service",
      )
      .option('--cache <dir>', 'folder of the cache; by default ~/.cache/ensconce/collateral')
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
        const pccs =
          options.listen === undefined ? undefined : await offerCollateral(io, options, options.listen);
        const collateral =
          pccs && `http://${formatAddress({ host: pccs.address.address, port: pccs.address.port })}`;
        writeResult(
          io,
          options,
          { socket: las.socketPath, vendor: folder, simulated: true, collateral },
          () =>
            [
              `LAS is ready, with SIMULATED hardware`,
              `socket: ${las.socketPath}`,
              `vendor: ${folder}`,
              ...(collateral === undefined ? [] : [`collateral: ${collateral}`]),
            ].join('\n'),
        );
        await stopped(io.signal);
        await Promise.all([las.close(), pccs?.close()]);
      });
  },
};
