import type { Session } from '@ensconce/policy/session';
import type { Azure } from '@ensconce/secrets/azure';
import { resolveAzure, tokenIn } from '@ensconce/secrets/azure-imports';
import { SecretsError } from '@ensconce/secrets/errors';
import type { Party } from '@ensconce/secrets/export';
import { renewSecrets } from '@ensconce/secrets/generate';
import { resolveImports, type ImportSource } from '@ensconce/secrets/imports';
import { missingSecrets, neededSecrets } from '@ensconce/secrets/needed';
import type { SecretState, StoredSecret } from '@ensconce/secrets/stored';
import { Trail } from '@ensconce/secrets/trail';
import { loadFromVault, saveToVault, type VaultAccess } from '@ensconce/secrets/vault-store';
import { CasError } from '../errors.ts';
import type { OtherCases } from '../federation/other-cases.ts';
import type { Serial } from '../state/serial.ts';
import type { State } from '../state/state.ts';
import type { Random } from '../store/record-cipher.ts';
import { between, sideOf, type Binding, type Bindings } from './bindings.ts';
import { partyOf, type StoredSession } from './session-record.ts';
import type { Sessions } from './sessions.ts';
import { SettledValues } from './settled-values.ts';

export interface SecretValuesOptions {
  readonly state: State;
  readonly sessions: Sessions;
  readonly writes: Serial;
  readonly random: Random;
  readonly now: () => Date;
  /** Milliseconds, only forward. */
  readonly clock: () => number;
  /** Key hash of this CAS. */
  readonly cas: string;
  readonly bindings: Bindings;
  readonly otherCases: Pick<OtherCases, 'ask'>;
  /** Milliseconds that one asks other CASes for, at most. */
  readonly longestWait: number;
  readonly azure: Azure;
}

/** A session with the values that were asked for, imports among them. */
export interface Values {
  readonly stored: StoredSession;
  readonly secrets: Readonly<Record<string, StoredSecret>>;
}

/** How often a start makes what is due before it gives way to others that do so too. */
const tries = 4;

/**
 * The values of secrets as they are at this moment: of the session itself, of other sessions and CASes, of vaults.
 * Certificates whose time to renew has come, and what could not be made before, are made first, and kept.
 */
export class SecretValues {
  readonly #options: SecretValuesOptions;
  readonly #settled = new SettledValues();

  constructor(options: SecretValuesOptions) {
    this.#options = options;
  }

  /** The beginning of a way of imports; `steps` and `timeout` are what another CAS says. */
  trail(timeout = Infinity, steps: readonly string[] = []): Trail {
    const { cas, clock, longestWait } = this.#options;
    return Trail.begin(cas, clock() + Math.min(timeout, longestWait), steps);
  }

  /**
   * The values of these secrets and of what they are made of. Throws `SecretsError`, and `CAS_BUSY` where the session is
   * updated meanwhile: what was judged by one version never gets the values of another.
   */
  async of(stored: StoredSession, names: ReadonlySet<string>, trail: Trail = this.trail()): Promise<Values> {
    const { random, now } = this.#options;
    if (this.#settled.has(stored, names, now())) return { stored, secrets: stored.secrets.secrets };
    const wanted = [...names];
    let present = stored;
    for (let left = tries; left > 0; left--) {
      const { session } = present;
      const needed = neededSecrets(session, wanted);
      const party = partyOf(present);
      const imports = await resolveImports(party, needed, this.#source, trail);
      const { state, values, access, failure } = await this.#outside(present, needed, imports.values);
      const fresh = await renewSecrets(session, state, {
        random,
        now: now(),
        imported: values,
        names: needed,
      });
      const secrets = { ...values, ...fresh.secrets };
      const [missing] = missingSecrets(session, wanted, secrets);
      if (missing !== undefined) {
        const reasons = [imports.failures.get(missing), failure, ...imports.failures.values()];
        throw reasons.find((reason) => reason !== undefined) ?? noValue(missing);
      }
      if (fresh === state) {
        this.#settled.add(present, names);
        return { stored: present, secrets };
      }
      const kept = await this.#keep(present, state, fresh, access);
      if (kept !== undefined) return { stored: kept, secrets };
      present = this.#same(present);
    }
    throw busy(stored.stored.name);
  }

  /** Binds an import of one session of this CAS from another; `false` where either end is bound to another session. */
  bind(importer: StoredSession, exporter: StoredSession): Promise<boolean> {
    return this.#options.bindings.bind(between(partyOf(importer), partyOf(exporter)));
  }

  readonly #source: ImportSource = {
    find: (name, importer) => {
      const { sessions } = this.#options;
      const found = sessions.find(name);
      if (found === undefined) return undefined;
      const exporter = partyOf(found);
      return between(importer, exporter).every((binding) => sessions.allows(binding)) ? exporter : undefined;
    },
    here: async (exporter, secret, importer, trail): Promise<SecretState> => {
      const { sessions, bindings } = this.#options;
      const { name } = exporter.session;
      const stored = sessions.find(name);
      if (stored?.stored.hash !== exporter.hash) throw busy(name);
      const { secrets } = await this.of(stored, new Set([secret]), trail);
      if (!(await bindings.bind(between(importer, exporter)))) throw busy(name);
      return { version: 1, secrets };
    },
    elsewhere: async (cas, importer, requests, trail) => {
      const found = await this.#options.otherCases.ask(cas, importer, requests, trail);
      const bindings = found.map(({ id }, index): Binding => {
        const name = requests[index]?.from.session ?? '';
        return { as: 'importer', own: sideOf(importer), other: { name, id, cas: cas.key } };
      });
      const once = new Map(bindings.map((binding) => [binding.other.name, binding]));
      if (bindings.some(({ other }) => once.get(other.name)?.other.id !== other.id))
        throw otherSession(importer);
      if (!(await this.#options.bindings.bind([...once.values()]))) throw otherSession(importer);
      return found.map(({ value }) => value);
    },
  };

  /** What vaults have: values that the session keeps there, then imports and tokens. */
  async #outside(
    { session, secrets: own }: StoredSession,
    needed: ReadonlySet<string>,
    imported: Readonly<Record<string, StoredSecret>>,
  ): Promise<{
    readonly state: SecretState;
    readonly values: Readonly<Record<string, StoredSecret>>;
    readonly access: VaultAccess | undefined;
    /** Why a value of Azure is not there. */
    readonly failure: SecretsError | undefined;
  }> {
    const { azure, random, now } = this.#options;
    const options = { azure, random, now: now() };
    let access: VaultAccess | undefined;
    let state = own;
    let values = imported;
    const { secretConfig } = session;
    if (secretConfig?.storeIn === 'akv') {
      const names = neededSecrets(session, [secretConfig.token]);
      values = { ...values, ...(await resolveAzure(session, names, { ...values, ...own.secrets }, options)) };
      access = { azure, random, token: tokenIn(secretConfig.token, values) };
      state = await loadFromVault(session, own, needed, access);
    }
    try {
      const known = { ...values, ...state.secrets };
      values = { ...values, ...(await resolveAzure(session, needed, known, options)) };
      return { state, values, access, failure: undefined };
    } catch (error) {
      if (!(error instanceof SecretsError)) throw error;
      return { state, values, access, failure: error };
    }
  }

  /** Makes what was renewed the session's; `undefined` where another start was faster. */
  async #keep(
    present: StoredSession,
    before: SecretState,
    fresh: SecretState,
    access: VaultAccess | undefined,
  ): Promise<StoredSession | undefined> {
    const { state, sessions, writes } = this.#options;
    const { session, stored } = present;
    const changed = changedNames(before, fresh);
    const saved =
      access === undefined ? fresh : await saveToVault(session, stored.hash, before, fresh, access);
    return writes.run(async () => {
      const now = this.#same(present);
      if (changed.some((name) => !sameValue(now.secrets, present.secrets, name))) return undefined;
      const secrets: Record<string, StoredSecret> = { ...now.secrets.secrets };
      for (const name of changed) {
        const value = saved.secrets[name];
        if (value === undefined) delete secrets[name];
        else secrets[name] = value;
      }
      const next: StoredSession = { ...now, secrets: { version: 1, secrets } };
      const type = isRenewal(session, changed) ? 'Certificates renewed' : 'Secrets made';
      const position = await state.audit.append({ type, session: session.name }, state.store.sequence + 1);
      sessions.write(next, position);
      return next;
    });
  }

  /** The session as it stands now, in the version that `of` is. */
  #same(of: StoredSession): StoredSession {
    const present = this.#options.sessions.find(of.stored.name);
    if (present?.stored.hash !== of.stored.hash) throw busy(of.stored.name);
    return present;
  }
}

function otherSession({ session }: Party): SecretsError {
  return new SecretsError(
    'SECRETS_IMPORT',
    `session ${session.name}: the session that its import was bound to expected, another of the same name found`,
    {
      hint: 'the other CAS has another session under that name now: import under another name, if that is meant',
    },
  );
}

function changedNames(before: SecretState, after: SecretState): readonly string[] {
  const names = new Set([...Object.keys(before.secrets), ...Object.keys(after.secrets)]);
  return [...names].filter((name) => before.secrets[name] !== after.secrets[name]);
}

function sameValue(a: SecretState, b: SecretState, name: string): boolean {
  return JSON.stringify(a.secrets[name]) === JSON.stringify(b.secrets[name]);
}

function isRenewal(session: Session, names: readonly string[]): boolean {
  return session.secrets.some(
    ({ name, kind }) => names.includes(name) && (kind === 'x509' || kind === 'x509-ca'),
  );
}

function noValue(name: string): SecretsError {
  return new SecretsError('SECRETS_IMPORT', `secret ${name}: a value expected, none found`);
}

function busy(name: string): CasError {
  return new CasError('CAS_BUSY', `session '${name}': it was updated in the meantime`, {
    hint: 'try again: the new version counts',
  });
}
