import { writeResult } from '../output/result.ts';
import { loadState } from '../state/cli-state.ts';
import type { Verb } from '../verb.ts';

export const casList: Verb = {
  name: 'cas list',
  summary: 'list the CAS that were attested from here',
  examples: ['ensconce cas list', 'ensconce cas list --json'],
  define(command, io) {
    command.option('--json', 'write JSON').action((options: { json?: true }) => {
      const { cas, defaultCas } = loadState(io);
      const entries = Object.entries(cas).map(([address, entry]) => ({
        address,
        default: address === defaultCas,
        ...entry,
      }));
      writeResult(io, options, entries, () =>
        entries.length === 0
          ? 'no CAS has been attested from here'
          : entries
              .map(
                (entry) =>
                  `${entry.default ? '*' : ' '} ${entry.address}  ${entry.identity}  ${entry.simulated ? 'SIMULATED' : 'hardware'}  ${entry.attested}`,
              )
              .join('\n'),
      );
    });
  },
};
