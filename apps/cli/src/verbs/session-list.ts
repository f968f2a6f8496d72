import { listSessions } from '@ensconce/api/client';
import { writeResult } from '../output/result.ts';
import { positive } from '../output/positive.ts';
import { withCas } from '../state/attested-cas.ts';
import type { Verb } from '../verb.ts';

interface Options {
  readonly limit?: number;
  readonly cas?: string;
  readonly json?: true;
}

const pageSize = 1000;

export const sessionList: Verb = {
  name: 'session list',
  summary: 'show the names of sessions: those in a namespace, or at top level those that are yours to see',
  examples: [
    'ensconce session list',
    'ensconce session list team --limit 20',
    'ensconce session list / --json',
  ],
  define(command, io) {
    command
      .argument('[namespace]', 'name of the session whose namespace is listed; the top level if absent')
      .option('--limit <n>', 'at most so many names', positive)
      .option('-c, --cas <address>', 'which CAS; by default the one attested last')
      .option('--json', 'write JSON')
      .action(async (namespace: string | undefined, options: Options) => {
        const wanted = options.limit ?? Number.POSITIVE_INFINITY;
        const names = await withCas(io, options.cas, async (cas) => {
          const found: string[] = [];
          let cursor: string | undefined;
          do {
            const limit = Math.min(pageSize, wanted - found.length);
            const page = await listSessions(cas, { namespace, limit, cursor });
            for (const { name } of page.sessions) found.push(name);
            cursor = page.next ?? undefined;
          } while (cursor !== undefined && found.length < wanted);
          return { names: found, more: cursor !== undefined };
        });
        if (names.more) io.stderr(`there are more: these are the first ${names.names.length}\n`);
        if (names.names.length === 0 && options.json !== true) return io.stderr('there are none\n');
        writeResult(io, options, { sessions: names.names, more: names.more }, () => names.names.join('\n'));
      });
  },
};
