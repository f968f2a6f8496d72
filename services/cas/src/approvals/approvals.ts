import type { Approval, DeletionProposal, PendingUpdateView, Proposal } from '@ensconce/api/approval';
import { accessStatus, canBeSigned, mayAccess, namedKeys, type AccessStatus } from '@ensconce/policy/access';
import { creatorFromCertificate, keyHash, keyHashOfPublicKey } from '@ensconce/policy/key-hash';
import { sessionDiff } from '@ensconce/policy/diff';
import { PolicyError } from '@ensconce/policy/errors';
import { formatSession } from '@ensconce/policy/format';
import { parseSessionOrThrow } from '@ensconce/policy/parse';
import { withCreator, type Session } from '@ensconce/policy/session';
import {
  hashOfChange,
  verifyVeto,
  versionOf,
  type SessionChange,
  type SessionSignature,
} from '@ensconce/policy/signature';
import { CasError } from '../errors.ts';
import { deleteSession } from '../sessions/delete-session.ts';
import { deletedSession } from '../sessions/read-session.ts';
import { notFound, type ClientIdentity } from '../sessions/session-access.ts';
import { parseWritten, writeSession, type WriteContext } from '../sessions/write-session.ts';
import { authorBySignatures, verifiedSigners } from '../sessions/signing-author.ts';
import { groundOf, hasSay, mayPropose, ruleFor, type Ground } from './ground.ts';
import type { PendingChange, PendingUpdate } from './pending-record.ts';
import { PendingChanges } from './pending-changes.ts';

const defaultLifetime = 7 * 86_400;

/**
 * Updates and deletions for which CAS collects signatures. One counts as soon as the signatures that it has satisfy the
 * rule that an upload would have to satisfy, and is done as such an upload. Every method runs alone, as writes do.
 */
export class Approvals {
  readonly #context: WriteContext;
  readonly #pending: PendingChanges;

  constructor(context: WriteContext) {
    this.#context = context;
    this.#pending = new PendingChanges(context.state);
  }

  /** Keeps a version that waits for signatures. What is wrong with it is said now, not when the last one signs. */
  async propose(request: Proposal & { readonly identity: ClientIdentity }): Promise<Approval> {
    const { certificate, keyHash: proposer } = request.identity;
    const parsed = parseWritten(request.session);
    const ground = await groundOf(this.#context, parsed.name);
    if (
      ground === undefined ||
      proposer === undefined ||
      certificate === undefined ||
      !mayPropose(ground, ground.update, proposer)
    )
      throw notFound(parsed.name);
    const present = ground.present?.stored.hash ?? null;
    if ((parsed.predecessor ?? null) !== present)
      throw otherVersion(parsed.name, present, parsed.predecessor);
    const creator = ground.present?.stored.creator ?? parsed.creator ?? creatorFromCertificate(certificate);
    if (ground.present === undefined && creator.kind !== 'signer') {
      throw new CasError(
        'CAS_SESSION_INVALID',
        `session '${parsed.name}': creator with the signer who begins it expected, none found`,
        { hint: 'write creator: {signer: PEM} into it; that signer has to approve it too' },
      );
    }
    if (ground.present === undefined) this.#context.sessions.checkRoom(parsed.name);
    return this.#add(ground, parsed.name, {
      hash: versionOf(withCreator(parsed, creator)).hash,
      predecessor: present,
      creator: { kind: creator.kind, pem: creator.pem, keyHash: creator.keyHash },
      text: request.session,
      ...this.#waiting(request.lifetime, proposer),
    });
  }

  /** Keeps a deletion that waits for signatures. */
  async proposeDeletion(
    request: DeletionProposal & { readonly name: string; readonly identity: ClientIdentity },
  ): Promise<Approval> {
    const { name, hash } = request;
    const proposer = request.identity.keyHash;
    const ground = await groundOf(this.#context, name);
    const present = ground?.present;
    if (ground === undefined || present === undefined || proposer === undefined) throw notFound(name);
    if (!mayPropose(ground, ground.deletion, proposer)) throw notFound(name);
    if (present.stored.deleted !== undefined) throw deletedSession(present.stored);
    if (hash !== present.stored.hash) throw otherVersion(name, present.stored.hash, hash);
    const { id } = present;
    return this.#add(ground, name, {
      hash: hashOfChange({ name, id, deletes: hash }),
      predecessor: hash,
      id,
      ...this.#waiting(request.lifetime, proposer),
    });
  }

  /** Adds a signature; with the last one that is needed the change counts. */
  async approve(request: {
    readonly name: string;
    readonly hash: string;
    readonly signature: SessionSignature;
  }): Promise<Approval> {
    const { name, signature } = request;
    const { ground, change, signer } = await this.#find(name, request.hash, signature.signer);
    verifiedSigners(this.#context, whatIsSigned(name, change), [signature]);
    if (change.vetoed.includes(signer)) {
      throw new CasError('CAS_SIGNATURE_INVALID', `session '${name}': ${signer} has said no to this change`, {
        hint: 'a veto is final: propose it changed',
      });
    }
    const now = this.#context.now().getTime();
    const lasting = change.signatures.filter(
      (one) => keyHashOfPublicKey(one.signer) !== signer && Date.parse(one.expires) > now,
    );
    const next = { ...change, signatures: [...lasting, signature] };
    const signers = next.signatures.map((one) => keyHashOfPublicKey(one.signer));
    if (!mayAccess(ruleFor(ground, next), { signers }, ground.creator).allowed || !begunBy(next, signers)) {
      const type = 'text' in next ? 'Session update approved' : 'Session deletion approved';
      await this.#keep(ground, name, next, { type, session: name, signer });
      return this.#status(ground, name, next, 'pending');
    }
    await this.#apply(name, next);
    return this.#status(ground, name, next, 'applied');
  }

  /** Notes a no; the change is dropped once the rule cannot be satisfied without who said no. */
  async veto(request: {
    readonly name: string;
    readonly hash: string;
    readonly veto: SessionSignature;
  }): Promise<Approval> {
    const { name, hash, veto } = request;
    const { ground, change, signer } = await this.#find(name, hash, veto.signer);
    const cas = keyHash(this.#context.state.identity.publicKey);
    try {
      verifyVeto(whatIsSigned(name, change), veto, cas, this.#context.now());
    } catch (cause) {
      if (!(cause instanceof PolicyError)) throw cause;
      throw new CasError('CAS_SIGNATURE_INVALID', `session '${name}': the veto does not hold`, { cause });
    }
    const next = {
      ...change,
      vetoed: [...new Set([...change.vetoed, signer])],
      signatures: change.signatures.filter((one) => keyHashOfPublicKey(one.signer) !== signer),
    };
    const alive = mayYetCount(ground, next);
    const type = 'text' in next ? 'Session update vetoed' : 'Session deletion vetoed';
    const event = { type, session: name, signer, dropped: !alive } as const;
    await this.#keep(ground, name, alive ? next : undefined, event, hash);
    return this.#status(ground, name, next, alive ? 'pending' : 'vetoed');
  }

  /** Forgets what `identity` proposed. */
  async withdraw(request: {
    readonly name: string;
    readonly hash: string;
    readonly identity: ClientIdentity;
  }): Promise<readonly PendingUpdateView[]> {
    const { name, hash, identity } = request;
    const ground = await groundOf(this.#context, name);
    const change = ground && this.#changes(ground, name).find((one) => one.hash === hash);
    if (ground === undefined || change === undefined || change.proposer !== identity.keyHash)
      throw notFound(name);
    const type = 'text' in change ? 'Session update withdrawn' : 'Session deletion withdrawn';
    await this.#keep(ground, name, undefined, { type, session: name, identity: change.proposer }, hash);
    return this.#views(ground, name, identity);
  }

  /** What waits for signatures, for whom it concerns. */
  async view(request: {
    readonly name: string;
    readonly identity: ClientIdentity;
  }): Promise<readonly PendingUpdateView[]> {
    const { name, identity } = request;
    const ground = await groundOf(this.#context, name);
    if (ground === undefined) throw notFound(name);
    const views = this.#views(ground, name, identity);
    const { keyHash: key } = identity;
    const concerned =
      views.length > 0 ||
      ground.mayLook(identity) ||
      (key !== undefined &&
        [ground.update, ground.deletion].some((rule) => namedKeys(rule, ground.creator).has(key)));
    if (!concerned) throw notFound(name);
    return views;
  }

  #views(ground: Ground, name: string, identity: ClientIdentity): readonly PendingUpdateView[] {
    const all = ground.mayLook(identity);
    return this.#changes(ground, name)
      .filter((change) => all || hasSay(ground, change, identity.keyHash))
      .map((change) => {
        const session = 'text' in change ? versionIn(change) : undefined;
        return {
          ...this.#status(ground, name, change, 'pending'),
          proposed: change.proposed,
          proposer: change.proposer,
          id: ground.present?.id ?? null,
          session: session === undefined ? null : formatSession(session, { secrets: 'redacted' }),
          changes:
            ground.present === undefined || session === undefined
              ? []
              : sessionDiff(ground.present.session, session).map((difference) => ({ ...difference })),
        };
      });
  }

  #waiting(
    lifetime: number | undefined,
    proposer: string,
  ): Pick<PendingChange, 'proposed' | 'expires' | 'proposer' | 'signatures' | 'vetoed'> {
    const now = this.#context.now();
    return {
      proposed: now.toISOString(),
      expires: new Date(now.getTime() + (lifetime ?? defaultLifetime) * 1000).toISOString(),
      proposer,
      signatures: [],
      vetoed: [],
    };
  }

  async #add(ground: Ground, name: string, change: PendingChange): Promise<Approval> {
    const { proposer: identity, expires } = change;
    const type = 'text' in change ? 'Session update proposed' : 'Session deletion proposed';
    await this.#keep(ground, name, change, { type, session: name, identity, expires });
    return this.#status(ground, name, change, 'pending');
  }

  /** Does what was signed as if all signatures had come with it: they are verified again, together. */
  async #apply(name: string, change: PendingChange): Promise<void> {
    if ('text' in change) {
      const author = authorBySignatures(this.#context, change.text, change.signatures, change.creator);
      await writeSession(this.#context, { text: change.text, author });
      return;
    }
    const signers = verifiedSigners(this.#context, whatIsSigned(name, change), change.signatures);
    const { id, predecessor: ifMatch } = change;
    await deleteSession(this.#context, { name, id, ifMatch, rights: { signers } });
  }

  #changes(ground: Ground, name: string): readonly PendingChange[] {
    return this.#pending.of(name, ground.present?.stored.hash ?? null, this.#context.now());
  }

  /** The change that somebody whose signature can count speaks of; to all others it does not exist. */
  async #find(
    name: string,
    hash: string,
    signerPem: string,
  ): Promise<{ readonly ground: Ground; readonly change: PendingChange; readonly signer: string }> {
    const ground = await groundOf(this.#context, name);
    const change = ground && this.#changes(ground, name).find((one) => one.hash === hash);
    const signer = keyHashIn(signerPem);
    if (ground === undefined || change === undefined || signer === undefined) throw notFound(name);
    if (!hasSay(ground, change, signer)) throw notFound(name);
    return { ground, change, signer };
  }

  /** Replaces one change, adds it, or drops it. */
  async #keep(
    ground: Ground,
    name: string,
    next: PendingChange | undefined,
    event: Parameters<PendingChanges['keep']>[2],
    hash = next?.hash,
  ): Promise<void> {
    const others = this.#changes(ground, name).filter((one) => one.hash !== hash);
    await this.#pending.keep(name, next === undefined ? others : [...others, next], event);
  }

  #status(ground: Ground, name: string, change: PendingChange, state: Approval['state']): Approval {
    const signed = change.signatures.map((one) => keyHashOfPublicKey(one.signer));
    return {
      name,
      change: 'text' in change ? 'update' : 'deletion',
      hash: change.hash,
      predecessor: change.predecessor,
      state,
      expires: change.expires,
      signed,
      vetoed: change.vetoed,
      rule: linesOf(accessStatus(ruleFor(ground, change), { signers: signed }, ground.creator), 0),
    };
  }
}

function otherVersion(name: string, present: string | null, found: string | undefined): CasError {
  return new CasError(
    'CAS_PREDECESSOR_MISMATCH',
    `session '${name}': predecessor ${present ?? 'none'} expected, ${found ?? 'none'} found`,
  );
}

const versionIn = ({ text, creator }: PendingUpdate): Session =>
  withCreator(parseSessionOrThrow(text), creator);

function whatIsSigned(name: string, change: PendingChange): SessionChange {
  if ('text' in change) return versionOf(versionIn(change));
  return { name, id: change.id, deletes: change.predecessor };
}

/** A new session needs its creator's signature besides those of the rule. */
function begunBy(change: PendingChange, signers: readonly string[]): boolean {
  return !('text' in change) || change.predecessor !== null || signers.includes(change.creator.keyHash);
}

function mayYetCount(ground: Ground, change: PendingChange): boolean {
  const against = new Set(change.vetoed);
  if ('text' in change && change.predecessor === null && against.has(change.creator.keyHash)) return false;
  return canBeSigned(ruleFor(ground, change), against, ground.creator);
}

function keyHashIn(pem: string): string | undefined {
  try {
    return keyHashOfPublicKey(pem);
  } catch (error) {
    if (error instanceof PolicyError) return undefined;
    throw error;
  }
}

function linesOf(statuses: readonly AccessStatus[], depth: number): Approval['rule'] {
  return statuses.flatMap(({ text, satisfied, needed, members }) => [
    { depth, text: members === undefined ? text : wanted(needed, members.length), satisfied },
    ...linesOf(members ?? [], depth + 1),
  ]);
}

const wanted = (needed: number | undefined, of: number): string =>
  needed === of ? `all ${of} of` : `at least ${needed ?? of} of ${of}`;
