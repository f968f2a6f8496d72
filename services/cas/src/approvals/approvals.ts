import type { Approval, PendingUpdateView, Proposal } from '@ensconce/api/approval';
import { accessStatus, canBeSigned, mayAccess, namedKeys, type AccessStatus } from '@ensconce/policy/access';
import { creatorFromCertificate, keyHash, keyHashOfPublicKey } from '@ensconce/policy/key-hash';
import { sessionDiff } from '@ensconce/policy/diff';
import { PolicyError } from '@ensconce/policy/errors';
import { formatSession } from '@ensconce/policy/format';
import { parseSessionOrThrow } from '@ensconce/policy/parse';
import { withCreator, type AccessRule, type Creator, type Session } from '@ensconce/policy/session';
import { verifyVeto, versionOf, type SessionSignature } from '@ensconce/policy/signature';
import { CasError } from '../errors.ts';
import { namespaceOf } from '../sessions/namespace.ts';
import { holdsRight, notFound, type ClientIdentity } from '../sessions/session-access.ts';
import { resolvedSession } from '../sessions/resolved-session.ts';
import type { StoredSession } from '../sessions/session-record.ts';
import { parseWritten, writeSession, type WriteContext } from '../sessions/write-session.ts';
import { authorBySignatures, verifiedSigners } from '../sessions/signing-author.ts';
import type { PendingUpdate } from './pending-record.ts';
import { PendingUpdates } from './pending-updates.ts';

const defaultLifetime = 7 * 86_400;

/** The rule that signatures have to satisfy, and whom else the session lets see what is proposed. */
interface Ground {
  readonly present: StoredSession | undefined;
  /** The session whose policy decides: the present version or, for a new session, its namespace's. */
  readonly deciding: StoredSession;
  readonly rule: AccessRule;
  /** Whom `CREATOR` in the rule means. */
  readonly ruleCreator: Creator;
}

/**
 * Updates for which CAS collects signatures. One counts as soon as the signatures that it has satisfy the rule that an
 * upload would have to satisfy, and is written as such an upload. Every method runs alone, as writes do.
 */
export class Approvals {
  readonly #context: WriteContext;
  readonly #pending: PendingUpdates;

  constructor(context: WriteContext) {
    this.#context = context;
    this.#pending = new PendingUpdates(context.state);
  }

  /** Keeps a version that waits for signatures. What is wrong with it is said now, not when the last one signs. */
  async propose(request: Proposal & { readonly identity: ClientIdentity }): Promise<Approval> {
    const { identity } = request;
    const parsed = parseWritten(request.session);
    const ground = await this.#ground(parsed.name);
    const { certificate, keyHash: proposer } = identity;
    if (
      ground === undefined ||
      proposer === undefined ||
      certificate === undefined ||
      !involved(ground, proposer)
    )
      throw notFound(parsed.name);
    const present = ground.present?.stored.hash ?? null;
    if ((parsed.predecessor ?? null) !== present) {
      throw new CasError(
        'CAS_PREDECESSOR_MISMATCH',
        `session '${parsed.name}': predecessor ${present ?? 'none'} expected, ${parsed.predecessor ?? 'none'} found`,
      );
    }
    const creator = ground.present?.stored.creator ?? parsed.creator ?? creatorFromCertificate(certificate);
    if (ground.present === undefined && creator.kind !== 'signer') {
      throw new CasError(
        'CAS_SESSION_INVALID',
        `session '${parsed.name}': creator with the signer who begins it expected, none found`,
        { hint: 'write creator: {signer: PEM} into it; that signer has to approve it too' },
      );
    }
    const now = this.#context.now();
    const update: PendingUpdate = {
      hash: versionOf(withCreator(parsed, creator)).hash,
      predecessor: present,
      creator: { kind: creator.kind, pem: creator.pem, keyHash: creator.keyHash },
      text: request.session,
      proposed: now.toISOString(),
      expires: new Date(now.getTime() + (request.lifetime ?? defaultLifetime) * 1000).toISOString(),
      proposer,
      signatures: [],
      vetoed: [],
    };
    const others = this.#pending.of(parsed.name, present, now).filter(({ hash }) => hash !== update.hash);
    await this.#pending.keep(parsed.name, [...others, update], {
      type: 'Session update proposed',
      session: parsed.name,
      identity: proposer,
      expires: update.expires,
    });
    return this.#status(ground, parsed.name, update, 'pending');
  }

  /** Adds a signature; with the last one that is needed the update counts. */
  async approve(request: {
    readonly name: string;
    readonly hash: string;
    readonly signature: SessionSignature;
  }): Promise<Approval> {
    const { name, signature } = request;
    const { ground, update, signer } = await this.#find(name, request.hash, signature.signer);
    const session = withCreator(parseSessionOrThrow(update.text), update.creator);
    verifiedSigners(this.#context, session, [signature]);
    if (update.vetoed.includes(signer)) {
      throw new CasError('CAS_SIGNATURE_INVALID', `session '${name}': ${signer} has said no to this update`, {
        hint: 'a veto is final: propose a changed update',
      });
    }
    const now = this.#context.now().getTime();
    const lasting = update.signatures.filter(
      (one) => keyHashOfPublicKey(one.signer) !== signer && Date.parse(one.expires) > now,
    );
    const next = { ...update, signatures: [...lasting, signature] };
    const signers = next.signatures.map((one) => keyHashOfPublicKey(one.signer));
    if (!mayAccess(ground.rule, { signers }, ground.ruleCreator).allowed || !begunBy(session, signers)) {
      await this.#keep(ground, name, next, { type: 'Session update approved', session: name, signer });
      return this.#status(ground, name, next, 'pending');
    }
    const author = authorBySignatures(this.#context, update.text, next.signatures, update.creator);
    await writeSession(this.#context, { text: update.text, author });
    return this.#status(ground, name, next, 'applied');
  }

  /** Notes a no; the update is dropped once the rule cannot be satisfied without who said no. */
  async veto(request: {
    readonly name: string;
    readonly hash: string;
    readonly veto: SessionSignature;
  }): Promise<Approval> {
    const { name, hash, veto } = request;
    const { ground, update, signer } = await this.#find(name, hash, veto.signer);
    const cas = keyHash(this.#context.state.identity.publicKey);
    try {
      verifyVeto({ name, hash }, veto, cas, this.#context.now());
    } catch (cause) {
      if (!(cause instanceof PolicyError)) throw cause;
      throw new CasError('CAS_SIGNATURE_INVALID', `session '${name}': the veto does not hold`, { cause });
    }
    const next = {
      ...update,
      vetoed: [...new Set([...update.vetoed, signer])],
      signatures: update.signatures.filter((one) => keyHashOfPublicKey(one.signer) !== signer),
    };
    const alive = canBeSigned(ground.rule, new Set(next.vetoed), ground.ruleCreator);
    const event = { type: 'Session update vetoed', session: name, signer, dropped: !alive } as const;
    await this.#keep(ground, name, alive ? next : undefined, event, hash);
    return this.#status(ground, name, next, alive ? 'pending' : 'vetoed');
  }

  /** Forgets an update that `identity` proposed. */
  async withdraw(request: {
    readonly name: string;
    readonly hash: string;
    readonly identity: ClientIdentity;
  }): Promise<readonly PendingUpdateView[]> {
    const { name, hash, identity } = request;
    const ground = await this.#ground(name);
    const update = ground && this.#updates(ground, name).find((one) => one.hash === hash);
    if (ground === undefined || update === undefined || update.proposer !== identity.keyHash)
      throw notFound(name);
    const event = { type: 'Session update withdrawn', session: name, identity: update.proposer } as const;
    await this.#keep(ground, name, undefined, event, hash);
    return this.view({ name, identity });
  }

  /** What waits for signatures, for whom it concerns. */
  async view(request: {
    readonly name: string;
    readonly identity: ClientIdentity;
  }): Promise<readonly PendingUpdateView[]> {
    const { name, identity } = request;
    const ground = await this.#ground(name);
    if (ground === undefined || !maySee(ground, identity)) throw notFound(name);
    return this.#updates(ground, name).map((update) => {
      const session = withCreator(parseSessionOrThrow(update.text), update.creator);
      return {
        ...this.#status(ground, name, update, 'pending'),
        proposed: update.proposed,
        proposer: update.proposer,
        session: formatSession(session, { secrets: 'redacted' }),
        changes:
          ground.present === undefined
            ? []
            : sessionDiff(ground.present.session, session).map((change) => ({ ...change })),
      };
    });
  }

  async #ground(name: string): Promise<Ground | undefined> {
    const { sessions } = this.#context;
    const present = sessions.find(name);
    const namespace = namespaceOf(name);
    const deciding = present ?? (namespace === undefined ? undefined : sessions.find(namespace));
    if (deciding === undefined) return undefined;
    const { session } = await resolvedSession(sessions, deciding);
    const { update, createSessions } = session.accessPolicy;
    return {
      present,
      deciding: { ...deciding, session },
      rule: present === undefined ? createSessions : update,
      ruleCreator: deciding.stored.creator,
    };
  }

  #updates(ground: Ground, name: string): readonly PendingUpdate[] {
    return this.#pending.of(name, ground.present?.stored.hash ?? null, this.#context.now());
  }

  /** The update that somebody whom the rule names speaks of; to all others it does not exist. */
  async #find(
    name: string,
    hash: string,
    signerPem: string,
  ): Promise<{ readonly ground: Ground; readonly update: PendingUpdate; readonly signer: string }> {
    const ground = await this.#ground(name);
    const update = ground && this.#updates(ground, name).find((one) => one.hash === hash);
    const signer = keyHashIn(signerPem);
    if (ground === undefined || update === undefined || signer === undefined) throw notFound(name);
    const named = namedKeys(ground.rule, ground.ruleCreator);
    if (!named.has(signer) && update.creator.keyHash !== signer) throw notFound(name);
    return { ground, update, signer };
  }

  /** Replaces one update, or drops it. */
  async #keep(
    ground: Ground,
    name: string,
    next: PendingUpdate | undefined,
    event: Parameters<PendingUpdates['keep']>[2],
    hash = next?.hash,
  ): Promise<void> {
    const others = this.#updates(ground, name).filter((one) => one.hash !== hash);
    await this.#pending.keep(name, next === undefined ? others : [...others, next], event);
  }

  #status(ground: Ground, name: string, update: PendingUpdate, state: Approval['state']): Approval {
    const signed = update.signatures.map((one) => keyHashOfPublicKey(one.signer));
    return {
      name,
      hash: update.hash,
      predecessor: update.predecessor,
      state,
      expires: update.expires,
      signed,
      vetoed: update.vetoed,
      rule: linesOf(accessStatus(ground.rule, { signers: signed }, ground.ruleCreator), 0),
    };
  }
}

/** A new session needs its creator's signature besides those of the rule. */
function begunBy(session: Session, signers: readonly string[]): boolean {
  return session.predecessor !== undefined || signers.includes(session.creator?.keyHash ?? '');
}

/** Who else has a say: whom the session lets read or, where there is none yet, whom its namespace lets list the names in it. */
const looking = ({ present }: Ground): 'read' | 'listSessions' =>
  present === undefined ? 'listSessions' : 'read';

/** Whose key the policy names, for a say in updates or for reading; `ANY` names nobody. */
function involved(ground: Ground, key: string): boolean {
  const rule = ground.deciding.session.accessPolicy[looking(ground)];
  return namedKeys(ground.rule, ground.ruleCreator).has(key) || namedKeys(rule, ground.ruleCreator).has(key);
}

function maySee(ground: Ground, identity: ClientIdentity): boolean {
  if (holdsRight(ground.deciding, looking(ground), identity).allowed) return true;
  return identity.keyHash !== undefined && namedKeys(ground.rule, ground.ruleCreator).has(identity.keyHash);
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
