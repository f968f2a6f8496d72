import { call } from '@ensconce/api/call';
import { readSession } from '@ensconce/api/client';
import { RefusedByCas } from '@ensconce/api/errors';
import type { CasConnection } from '@ensconce/api/connection';
import { routes } from '@ensconce/api/routes';
import { writeResult } from '../output/result.ts';
import { withCas } from '../state/attested-cas.ts';
import {
  insertPredecessor,
  loadSession,
  withTemplateOptions,
  type SessionFile,
  type TemplateOptions,
} from '../state/session-file.ts';
import { span } from '../sign/scope.ts';
import type { Verb } from '../verb.ts';

interface Options extends TemplateOptions {
  readonly cas?: string;
  readonly json?: true;
  readonly lifetime: number;
}

export const sessionPropose: Verb = {
  name: 'session propose',
  summary: 'let CAS collect the signatures that a session or its update needs, and show its hash',
  examples: [
    'ensconce session propose session.yml',
    'ensconce session propose session.yml --lifetime 2d --json',
  ],
  define(command, io) {
    withTemplateOptions(command.argument('<file>', 'session file, - for standard input'))
      .option('-c, --cas <address>', 'which CAS; by default the one attested last')
      .option('--lifetime <time>', 'when CAS forgets it: 30m, 12h, 7d; at most 30d', span, span('7d'))
      .option('--json', 'write JSON')
      .addHelpText('after', '\nThose who must sign use ensconce session approvals, approve and veto.')
      .action(async (name: string, options: Options) => {
        const file = loadSession(io, name, options);
        const answer = await withCas(io, options.cas, async (cas) =>
          call(cas, routes.proposeSession, {
            body: { session: (await placed(cas, file)).text, lifetime: options.lifetime },
          }),
        );
        writeResult(io, options, answer, () => answer.hash);
      });
  },
};

/** With the predecessor that the session has now; a new session has none. */
async function placed(cas: CasConnection, file: SessionFile): Promise<SessionFile> {
  if (file.session.predecessor !== undefined) return file;
  try {
    return insertPredecessor(file, (await readSession(cas, file.session.name)).hash);
  } catch (error) {
    if (error instanceof RefusedByCas && error.reason === 'CAS_SESSION_NOT_FOUND') return file;
    throw error;
  }
}
