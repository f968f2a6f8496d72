import { runExport } from '@ensconce/evidence-report/collateral';
import { finish } from '../output/finish.ts';
import { collateralCache } from '../state/collateral-cache.ts';
import type { Verb } from '../verb.ts';

export const evidenceCollateralExport: Verb = {
  name: 'evidence collateral export',
  summary: 'write the whole cache of collateral into one file, for a machine without a network',
  examples: ['ensconce evidence collateral export collateral.json'],
  define(command, io) {
    command
      .argument('<file>', 'file to write')
      .option('--cache <dir>', 'folder of the cache; by default ~/.cache/ensconce/collateral')
      .action((output: string, options: { readonly cache?: string }) => {
        finish(io, runExport({ cache: options.cache ?? collateralCache(io), output }));
      });
  },
};
