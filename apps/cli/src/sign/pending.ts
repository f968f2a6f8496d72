import type { PendingUpdateView } from '@ensconce/api/approval';
import { call } from '@ensconce/api/call';
import type { CasConnection } from '@ensconce/api/connection';
import { routes } from '@ensconce/api/routes';
import { selfSignedFor } from '@ensconce/identity/self-signed';
import { hashOfChange, type SessionChange } from '@ensconce/policy/signature';
import { CliError } from '../errors.ts';
import type { Io } from '../io.ts';
import { printable } from '../output/printable.ts';
import type { Identity } from '../state/cli-state.ts';
import type { Signer } from './signer.ts';

/** The signer's key as an identity: whom a rule names may see what waits for him. Undefined where the key is elsewhere. */
export async function identityOf(io: Io, signer: Signer): Promise<Identity | undefined> {
  if (signer.key === undefined) return undefined;
  const { certificate } = await selfSignedFor(signer.key, 'ensconce signer', io.now());
  return { privateKey: signer.key.export({ type: 'pkcs8', format: 'pem' }), certificate };
}

export async function pendingOf(cas: CasConnection, name: string): Promise<readonly PendingUpdateView[]> {
  return (await call(cas, routes.readApprovals, { parameters: { name } })).updates;
}

const kindOf = ({ change, predecessor }: PendingUpdateView): string => {
  if (change === 'deletion') return `deletion of version ${predecessor}`;
  return predecessor === null ? 'new session' : 'update';
};

/** The one that waits, or the one whose hash begins so. */
export function choose(
  name: string,
  updates: readonly PendingUpdateView[],
  hash: string | undefined,
): PendingUpdateView {
  const fitting = updates.filter((update) => update.hash.startsWith(hash ?? ''));
  const [only] = fitting;
  if (only !== undefined && fitting.length === 1) return only;
  throw new CliError(
    'CLI_SESSION',
    `session '${name}': one pending update or deletion ${hash === undefined ? '' : `with hash ${hash}… `}expected, ${fitting.length} found`,
    { hint: `ensconce session approvals ${name} lists them` },
  );
}

/** What is signed about it. The hash by which CAS knows a deletion is believed only once it is that of what is signed. */
export function changeIn(update: PendingUpdateView): SessionChange {
  const { name, hash, predecessor } = update;
  if (update.change === 'update') return { name, hash, predecessor: predecessor ?? undefined };
  const of = { name, id: update.id ?? '', deletes: predecessor ?? '' };
  if (update.id !== null && predecessor !== null && hashOfChange(of) === hash) return of;
  throw new CliError(
    'CLI_SESSION',
    `session '${name}': a deletion with the hash of what it deletes expected, another found`,
    { hint: 'nothing was signed' },
  );
}

/** A pending update or deletion in words: what it changes, and who has yet to sign. */
export function describePending(update: PendingUpdateView): string {
  const lines = [
    `${update.hash}  ${kindOf(update)} proposed ${update.proposed} by ${update.proposer}, until ${update.expires}`,
    ...update.changes.map(({ about, widens, text }) => `  ${widens ? '+' : ' '} ${about}: ${text}`),
    ...update.rule.map(
      ({ depth, text, satisfied }) => `  ${'  '.repeat(depth)}[${satisfied ? 'x' : ' '}] ${text}`,
    ),
    ...update.vetoed.map((key) => `  no: ${key}`),
  ];
  return lines.map((line) => printable(line)).join('\n');
}
