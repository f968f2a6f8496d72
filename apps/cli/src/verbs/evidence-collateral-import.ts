import { runImport } from '@ensconce/evidence-report/collateral';
import { finish } from '../output/finish.ts';
import { collateralCache } from '../state/collateral-cache.ts';
import type { Verb } from '../verb.ts';

export const evidenceCollateralImport: Verb = {
  name: 'evidence collateral import',
  summary: 'take an exported file into the cache of collateral',
  examples: ['ensconce evidence collateral import collateral.json'],
  define(command, io) {
    command
      .argument('<file>', 'file that `evidence collateral export` wrote')
      .option('--cache <dir>', 'folder of the cache; by default ~/.cache/ensconce/collateral')
      .action((file: string, options: { readonly cache?: string }) => {
        finish(io, runImport({ cache: options.cache ?? collateralCache(io), file }));
      });
  },
};
