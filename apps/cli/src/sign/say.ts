import type { Command } from 'commander';
import type { Approval, PendingUpdateView } from '@ensconce/api/approval';
import type { CasConnection } from '@ensconce/api/connection';
import type { SessionSignature, SessionChange } from '@ensconce/policy/signature';
import type { Io } from '../io.ts';
import { writeResult } from '../output/result.ts';
import { withCas } from '../state/attested-cas.ts';
import { changeIn, choose, describePending, identityOf, pendingOf } from './pending.ts';
import { scopeOf, withScopeOptions, type ScopeOptions } from './scope.ts';
import { signerOf, withSignerOptions, type Signer, type SignerOptions } from './signer.ts';

export interface SayOptions extends SignerOptions, ScopeOptions {
  readonly json?: true;
}

/** Arguments and options of the verbs that say yes or no to a pending update or deletion. */
export function withSayOptions(command: Command): Command {
  const named = command
    .argument('<name>', 'name of the session')
    .argument('[hash]', 'which update or deletion, or how its hash begins; not needed where one waits');
  return withScopeOptions(withSignerOptions(named)).option('--json', 'write JSON');
}

/** Shows what waits, signs about it, and sends what was signed. */
export async function say(
  io: Io,
  about: { readonly name: string; readonly hash: string | undefined; readonly options: SayOptions },
  what: {
    readonly check?: (update: PendingUpdateView) => void;
    readonly sign: (
      signer: Signer,
    ) => (of: SessionChange, scope: ReturnType<typeof scopeOf>) => SessionSignature;
    readonly send: (cas: CasConnection, hash: string, signature: SessionSignature) => Promise<Approval>;
  },
): Promise<void> {
  const { name, options } = about;
  const signer = await signerOf(io, options);
  const answer = await withCas(
    io,
    options.cas,
    async (cas) => {
      const update = choose(name, await pendingOf(cas, name), about.hash);
      io.stderr(`${describePending(update)}\n`);
      what.check?.(update);
      const of = changeIn(update);
      return what.send(cas, update.hash, what.sign(signer)(of, scopeOf(io, options)));
    },
    await identityOf(io, signer),
  );
  writeResult(io, options, answer, () => `${answer.state} ${answer.hash}`);
}
