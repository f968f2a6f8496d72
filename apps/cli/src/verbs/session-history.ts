import { readHistory } from '@ensconce/api/client';
import type { History } from '@ensconce/api/schema';
import { writeResult } from '../output/result.ts';
import { withCas } from '../state/attested-cas.ts';
import type { Verb } from '../verb.ts';

export const sessionHistory: Verb = {
  name: 'session history',
  summary: 'show the versions of a session, newest first',
  examples: ['ensconce session history team/app', 'ensconce session history team/app --json'],
  define(command, io) {
    command
      .argument('<name>', 'name of the session')
      .option('-c, --cas <address>', 'which CAS; by default the one attested last')
      .option('--json', 'write JSON')
      .action(async (name: string, options: { cas?: string; json?: true }) => {
        const { id, versions } = await withCas(io, options.cas, async (cas) => {
          let page = await readHistory(cas, name, { limit: 1000 });
          const all = [...page.versions];
          while (page.next !== null) {
            page = await readHistory(cas, name, { limit: 1000, cursor: page.next });
            all.push(...page.versions);
          }
          return { id: page.id, versions: all };
        });
        writeResult(io, options, { name, id, versions }, () => versions.map((one) => line(one)).join('\n'));
      });
  },
};

const line = ({ hash, written, deleted }: History['versions'][number]): string =>
  `${hash}  ${written}${deleted === null ? '' : `  deleted ${deleted}`}`;
