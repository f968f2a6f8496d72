import { postSession, readHistory } from '@ensconce/api/client';
import { CliError } from '../errors.ts';
import { writeResult } from '../output/result.ts';
import { readCarried, sendCarried } from '../sign/carried-file.ts';
import { withCas } from '../state/attested-cas.ts';
import { insertPredecessor, withTemplateOptions, type TemplateOptions } from '../state/session-file.ts';
import type { Verb } from '../verb.ts';

interface Options {
  readonly bringBack?: true;
  readonly cas?: string;
  readonly json?: true;
}

export const sessionUpdate: Verb = {
  name: 'session update',
  summary: 'replace a session at CAS and show the new hash; the predecessor is filled in',
  examples: ['ensconce session update session.yml', 'ensconce session update session.yml --json'],
  define(command, io) {
    withTemplateOptions(
      command.argument('<file>', 'session file, also signed or encrypted; - for standard input'),
    )
      .option('-c, --cas <address>', 'which CAS; by default the one attested last')
      .option('--bring-back', 'also where the session was deleted')
      .option('--json', 'write JSON')
      .action(async (file: string, options: TemplateOptions & Options) => {
        const loaded = readCarried(io, file, options);
        const answer = await withCas(io, options.cas, async (cas) => {
          if (loaded.kind !== 'plain') return sendCarried(cas, loaded);
          if (loaded.session.predecessor !== undefined) return postSession(cas, loaded.text);
          const { name } = loaded.session;
          const [present] = (await readHistory(cas, name, { limit: 1 })).versions;
          if (present?.deleted != null && options.bringBack !== true) {
            throw new CliError('CLI_SESSION', `session '${name}': one to update expected, it was deleted`, {
              hint: '--bring-back creates it again under its name, with new secrets',
            });
          }
          return postSession(cas, insertPredecessor(loaded, present?.hash ?? '').text);
        });
        writeResult(io, options, answer, () => answer.hash);
      });
  },
};
