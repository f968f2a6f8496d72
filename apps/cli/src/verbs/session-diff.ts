import { sessionDiff as diff } from '@ensconce/policy/diff';
import { printable } from '../output/printable.ts';
import { writeResult } from '../output/result.ts';
import { loadSession, withTemplateOptions, type TemplateOptions } from '../state/session-file.ts';
import type { Verb } from '../verb.ts';

export const sessionDiff: Verb = {
  name: 'session diff',
  summary: 'say what replacing one session file by another changes for whom',
  examples: ['ensconce session diff before.yml after.yml -e NS=team'],
  define(command, io) {
    withTemplateOptions(command.argument('<before>', 'session file'))
      .argument('<after>', 'session file')
      .option('--json', 'write JSON')
      .addHelpText('after', '\nLines with + let somebody have more than before.')
      .action((before: string, after: string, options: TemplateOptions & { json?: true }) => {
        const changes = diff(
          loadSession(io, before, options).session,
          loadSession(io, after, options).session,
        );
        writeResult(
          io,
          options,
          changes.map((change) => ({ ...change })),
          () =>
            changes.length === 0
              ? 'nothing changes'
              : changes
                  .map(({ about, widens, text }) => `${widens ? '+' : ' '} ${about}: ${printable(text)}`)
                  .join('\n'),
        );
      });
  },
};
