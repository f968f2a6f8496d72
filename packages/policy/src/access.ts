import type { AccessEntry, AccessPolicy, AccessRule, Creator, Session } from './session.ts';

/** Who asks: the key of the TLS client certificate, and the keys of signatures that were verified over this request. */
export interface Identity {
  readonly keyHash?: string | undefined;
  readonly signers?: readonly string[] | undefined;
}

export interface Access {
  readonly allowed: boolean;
  /** Which entry allows it, or why none does. */
  readonly reason: string;
}

/**
 * Judges a rule that {@link AccessRule} gives. An entry that is not resolved (a reference to a secret) is satisfied by
 * nobody: it is never dropped.
 *
 * @param creator whose key `CREATOR` means; nobody's where it is absent.
 */
export function mayAccess(rule: AccessRule, identity: Identity, creator: Creator | undefined): Access {
  for (const entry of rule) {
    if (satisfied(entry, identity, creator)) return { allowed: true, reason: describeEntry(entry) };
  }
  const missing = rule.map((entry) => describeEntry(entry)).join(', or ');
  return {
    allowed: false,
    reason: `${missing === '' ? 'nobody' : missing} expected, ${describeIdentity(identity)} found`,
  };
}

/** Who may delete a session: as its extension says or, without a word there, who may update it. */
export const deleteRule = (session: Session): AccessRule => session.delete ?? session.accessPolicy.update;

/** Who may create sessions may list them too (§1.6). */
export function mayListSessions(
  policy: AccessPolicy,
  identity: Identity,
  creator: Creator | undefined,
): Access {
  const listing = mayAccess(policy.listSessions, identity, creator);
  if (listing.allowed) return listing;
  const creating = mayAccess(policy.createSessions, identity, creator);
  return creating.allowed ? creating : listing;
}

function satisfied(entry: AccessEntry, identity: Identity, creator: Creator | undefined): boolean {
  switch (entry.kind) {
    case 'any':
      return true;
    case 'creator':
      return creator !== undefined && holds(identity, creator.keyHash, creator.kind === 'signer');
    case 'key':
      return identity.keyHash === entry.keyHash;
    case 'signer':
      return identity.signers?.includes(entry.keyHash) === true;
    case 'require': {
      const agreeing = entry.of.filter((member) => satisfied(member, identity, creator));
      if (entry.atLeast === 'all') return agreeing.length > 0 && agreeing.length === entry.of.length;
      return entry.atLeast > 0 && distinctKeys(agreeing, creator) >= entry.atLeast;
    }
    case 'none':
    case 'reference':
    case 'signer-reference':
      return false;
    default:
      return unknownEntry(entry);
  }
}

/** How many keys the members are: the creator's is one of them where it is listed besides. */
function distinctKeys(members: AccessRule, creator: Creator | undefined): number {
  return new Set(
    members.map((member) => {
      if (member.kind === 'creator') return creator?.keyHash;
      return 'keyHash' in member ? member.keyHash : member;
    }),
  ).size;
}

/** One node of a rule with whether it is satisfied: who has agreed, and who has yet to. */
export interface AccessStatus {
  readonly text: string;
  readonly satisfied: boolean;
  /** How many of `members` must agree; absent for single keys. */
  readonly needed?: number | undefined;
  readonly members?: readonly AccessStatus[] | undefined;
}

/** The whole rule as {@link mayAccess} sees it. Satisfied where any of the entries is. */
export function accessStatus(
  rule: AccessRule,
  identity: Identity,
  creator: Creator | undefined,
): readonly AccessStatus[] {
  return rule.map((entry) => {
    const status = { text: describeEntry(entry), satisfied: satisfied(entry, identity, creator) };
    if (entry.kind !== 'require') return status;
    const needed = entry.atLeast === 'all' ? entry.of.length : entry.atLeast;
    return { ...status, needed, members: accessStatus(entry.of, identity, creator) };
  });
}

/** The key hashes that a rule names anywhere, the creator's for `CREATOR`: whose say can count. */
export function namedKeys(rule: AccessRule, creator: Creator | undefined): ReadonlySet<string> {
  const keys = rule.flatMap((entry) => {
    if (entry.kind === 'key' || entry.kind === 'signer') return [entry.keyHash];
    if (entry.kind === 'creator') return creator === undefined ? [] : [creator.keyHash];
    return entry.kind === 'require' ? [...namedKeys(entry.of, creator)] : [];
  });
  return new Set(keys);
}

/** Whether signatures can still satisfy a rule when some will never sign. */
export function canBeSigned(
  rule: AccessRule,
  against: ReadonlySet<string>,
  creator: Creator | undefined,
): boolean {
  const signers = [...namedKeys(rule, creator)].filter((key) => !against.has(key));
  return mayAccess(rule, { signers }, creator).allowed;
}

function unknownEntry(entry: never): never {
  throw new TypeError(`an access entry expected, ${JSON.stringify(entry)} found`);
}

function holds(identity: Identity, keyHash: string, signed: boolean): boolean {
  return signed ? identity.signers?.includes(keyHash) === true : identity.keyHash === keyHash;
}

/** One entry in words. */
export function describeEntry(entry: AccessEntry): string {
  switch (entry.kind) {
    case 'any':
      return 'anybody';
    case 'none':
      return 'nobody';
    case 'creator':
      return 'the creator';
    case 'key':
      return `key ${entry.keyHash}`;
    case 'signer':
      return `a signature by ${entry.keyHash}`;
    case 'reference':
      return `whom ${entry.reference} names (not resolved)`;
    case 'signer-reference':
      return `a signature by whom ${entry.reference} names (not resolved)`;
    case 'require': {
      const members = entry.of.map((member) => describeEntry(member)).join('; ');
      return `${entry.atLeast === 'all' ? 'all' : `at least ${entry.atLeast}`} of (${members})`;
    }
    default:
      return unknownEntry(entry);
  }
}

function describeIdentity(identity: Identity): string {
  const signers = identity.signers ?? [];
  if (identity.keyHash === undefined && signers.length === 0) return 'no client certificate and no signature';
  const parts = [
    ...(identity.keyHash === undefined ? [] : [`key ${identity.keyHash}`]),
    ...signers.map((signer) => `a signature by ${signer}`),
  ];
  return parts.join(' and ');
}
