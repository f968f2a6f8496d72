import { Option } from 'commander';
import { fetchTransport } from '@ensconce/collateral/transport';
import { runFetch, type FetchOptions } from '@ensconce/evidence-report/collateral';
import { finish } from '../output/finish.ts';
import { collateralCache } from '../state/collateral-cache.ts';
import type { Verb } from '../verb.ts';

type Options = Pick<
  FetchOptions,
  'pccs' | 'kds' | 'fmspc' | 'tee' | 'ca' | 'update' | 'product' | 'output'
> & {
  readonly cache?: string;
};

export const evidenceCollateralFetch: Verb = {
  name: 'evidence collateral fetch',
  summary: "bring the vendor's collateral for a platform into the cache",
  examples: [
    'ensconce evidence collateral fetch quote.bin -o bundle.json',
    'ensconce evidence collateral fetch --tee tdx --fmspc 90c06f000000 --pccs https://pccs.example.org:8081',
  ],
  define(command, io) {
    command
      .argument('[file]', 'evidence of the platform')
      .option('--cache <dir>', 'folder of the cache; by default ~/.cache/ensconce/collateral')
      .option('--pccs <url>', "a PCCS instead of Intel's own service")
      .option('--kds <url>', "a key server instead of AMD's own")
      .option('--fmspc <hex>', 'the platform, where there is no evidence')
      .addOption(new Option('--tee <tee>', 'what the platform is').choices(['sgx', 'tdx']))
      .addOption(new Option('--ca <ca>', 'who issued its certificate').choices(['platform', 'processor']))
      .addOption(
        new Option(
          '--update <kind>',
          'evaluation of the TCBs: standard, or early with the newest advisories',
        ).choices(['standard', 'early']),
      )
      .addOption(
        new Option('--product <name>', 'product of an SEV-SNP report of version 2').choices([
          'Milan',
          'Genoa',
          'Turin',
        ]),
      )
      .option('-o, --output <file>', 'write a bundle for `evidence verify --collateral`')
      .action(async (file: string | undefined, options: Options) => {
        const cache = options.cache ?? collateralCache(io);
        finish(
          io,
          await runFetch({
            ...options,
            cache,
            file,
            transport: fetchTransport,
            now: () => io.now().getTime(),
          }),
        );
      });
  },
};
