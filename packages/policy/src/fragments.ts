import type { Json } from '@ensconce/base/json';
import { compact, freeze } from './freeze.ts';
import { invalid, type Form } from './form/form.ts';
import { Findings, Place } from './form/place.ts';
import { accessPolicy as accessPolicyForm, accessRule, signerEntry } from './language/access.ts';
import { nodeOf } from './language/fragment.ts';
import { chip } from './language/guest.ts';
import {
  advisories as advisoriesForm,
  attestation as attestationForm,
  security as securityForm,
  toleration,
} from './language/security.ts';
import {
  attestation as variantsForm,
  measurements,
  mrsigner,
  platform,
  signer as signerForm,
  versionNumber,
} from './language/service.ts';
import { resolveReference } from './secret-format.ts';
import type {
  AccessEntry,
  AccessPolicy,
  AccessRule,
  AttestationSigner,
  AttestationVariant,
  Security,
  SecurityAttestation,
  Service,
  Session,
} from './session.ts';
import { wholeReference, type SecretReference } from './substitution.ts';

/** What a reference stands for in the policy itself. */
export interface Fragment {
  readonly value: Json;
  /**
   * Whether the author of this session fixed the value: it is in this session, or imported with its `session_hash`.
   * Only then may it accept everybody, or loosen what evidence must show.
   */
  readonly pinned: boolean;
}
export type FragmentSource = (reference: SecretReference) => Fragment | undefined;

export interface Resolved {
  /** The session with what could be resolved; references that could not be stay, and are satisfied by nothing. */
  readonly session: Session;
  /** Why each of those stays. */
  readonly unresolved: readonly string[];
}

const reasonFor = {
  missing: 'no value',
  form: 'a value of another form',
  pinned: 'a value that would accept more, imported without session_hash',
} as const;

/**
 * Puts config fragments in for the references in attestation, security and access rules (§1.4). What they bring is data
 * and read with the language's own forms, so it can be wrong like any text; it is never expanded again.
 */
export function resolveFragments(session: Session, source: FragmentSource): Resolved {
  const resolution = new Resolution(source);
  const resolved = { ...session, ...resolution.parts(session) };
  return { session: freeze(compact(resolved)), unresolved: [...resolution.unresolved] };
}

const namesOf = new WeakMap<Session, readonly string[]>();

/** Names of the secrets that stand for a part of the policy itself; empty for most sessions. */
export function fragmentNames(session: Session): readonly string[] {
  const known = namesOf.get(session);
  if (known) return known;
  const names = new Set<string>();
  const resolution = new Resolution(({ name }) => {
    names.add(name);
    return undefined;
  });
  resolution.parts(session);
  const found = [...names];
  namesOf.set(session, found);
  return found;
}

/** What references stand for by the text of the session alone: values that are given in it. Nothing of other sessions is known here. */
export function givenFragments(session: Session): FragmentSource {
  return (reference) => {
    const secret = resolveReference(reference, session)?.secret;
    if (!secret || secret.import || secret.importAkv || secret.value === undefined) return undefined;
    return secret.kind === 'config-fragment' || secret.kind === 'ascii'
      ? { value: secret.value, pinned: true }
      : undefined;
  };
}

class Resolution {
  readonly unresolved = new Set<string>();
  readonly #source: FragmentSource;

  constructor(source: FragmentSource) {
    this.#source = source;
  }

  /** Everything in a session in which references may stand. */
  parts(
    session: Session,
  ): Pick<Session, 'security' | 'services' | 'accessPolicy' | 'ignoreAdvisoriesOf' | 'delete'> {
    return {
      security: this.security(session.security),
      services: session.services.map((service) => this.service(service)),
      accessPolicy: this.accessPolicy(session.accessPolicy),
      ignoreAdvisoriesOf: this.teeAdvisories(session.ignoreAdvisoriesOf),
      delete: session.delete && this.rule(session.delete),
    };
  }

  /** What `reference` stands for, read by `form`; `undefined`, and a reason noted, where it is nothing usable. */
  #read<T>(reference: string, form: Form<T>, loosens: (value: T) => boolean = () => false): T | undefined {
    const parsed = wholeReference(reference);
    const fragment = parsed && this.#source(parsed);
    if (!fragment) return this.#leave(reference, 'missing');
    const findings = new Findings('');
    const value = form.read(nodeOf(fragment.value, 0), new Place(findings, reference));
    // A value that refers to further values would be expanded twice.
    if (value === invalid || findings.hasErrors || holdsReference(fragment.value))
      return this.#leave(reference, 'form');
    return !fragment.pinned && loosens(value) ? this.#leave(reference, 'pinned') : value;
  }

  #leave(reference: string, reason: keyof typeof reasonFor): undefined {
    this.unresolved.add(`${reference}: ${reasonFor[reason]}`);
  }

  /** A list with the items that references stand for in their place: one, or several. */
  #splice<T>(items: readonly T[], form: Form<T | readonly T[] | '*'>, loosens = false): readonly T[] {
    return items.flatMap((item): readonly T[] => {
      if (!isReference(item)) return [item];
      const read = this.#read(item, form, () => loosens);
      if (read === undefined || read === '*') return [item];
      return Array.isArray(read) ? (read as readonly T[]) : [read as T];
    });
  }

  service(service: Service): Service {
    return {
      ...service,
      attestation: service.attestation.flatMap((variant) => this.#variant(variant)),
      platforms: service.platforms && this.#splice(service.platforms, many(platform)),
      chips: service.chips && this.#splice(service.chips, many(chip)),
    };
  }

  #variant(variant: AttestationVariant): readonly AttestationVariant[] {
    const mrenclave = variant.mrenclave && this.#splice(variant.mrenclave, measurements);
    const [fragment] = variant.fragments ?? [];
    if (fragment === undefined)
      return [{ mrenclave, signer: variant.signer && this.#signer(variant.signer) }];
    if (mrenclave) {
      const signer = this.#read(fragment, signerForm);
      return [signer ? { mrenclave, signer } : { ...variant, mrenclave }];
    }
    return this.#read(fragment, variantsForm) ?? [variant];
  }

  #signer(signer: AttestationSigner): AttestationSigner {
    const number = (value: number | string | undefined) =>
      typeof value === 'string' ? (this.#read(value, versionNumber) ?? value) : value;
    return {
      mrsigner: isReference(signer.mrsigner)
        ? (this.#read(signer.mrsigner, mrsigner) ?? signer.mrsigner)
        : signer.mrsigner,
      isvprodid: number(signer.isvprodid),
      isvsvnMin: number(signer.isvsvnMin),
      isvsvnMax: number(signer.isvsvnMax),
    };
  }

  security(security: Security): Security {
    if (security.reference !== undefined) {
      return (
        this.#read(security.reference, securityForm, (read) => loosensAttestation(read.attestation)) ??
        security
      );
    }
    return { ...security, attestation: this.#attestation(security.attestation) };
  }

  #attestation(attestation: SecurityAttestation): SecurityAttestation {
    if (attestation.reference !== undefined) {
      return this.#read(attestation.reference, attestationForm, loosensAttestation) ?? attestation;
    }
    const { ignoreAdvisories } = attestation;
    return {
      ...attestation,
      tolerate: this.#splice(attestation.tolerate, many(toleration), true),
      ignoreAdvisories: ignoreAdvisories === '*' ? '*' : this.#advisories(ignoreAdvisories),
    };
  }

  teeAdvisories(of: Session['ignoreAdvisoriesOf']): Session['ignoreAdvisoriesOf'] {
    if (of === undefined) return undefined;
    const list = (value: readonly string[] | '*' | undefined): readonly string[] | '*' | undefined =>
      value === undefined || value === '*' ? value : this.#advisories(value);
    return { sgx: list(of.sgx), tdx: list(of.tdx) };
  }

  #advisories(list: readonly string[]): readonly string[] | '*' {
    const found = list.map((item) =>
      isReference(item) ? (this.#read(item, advisoriesForm, (read) => read === '*') ?? [item]) : [item],
    );
    return found.includes('*') ? '*' : [...new Set(found.flat())].sort();
  }

  accessPolicy(policy: AccessPolicy): AccessPolicy {
    const rule = (right: keyof AccessPolicy) => policy[right].flatMap((entry) => this.#entry(entry, right));
    return {
      read: alone(rule('read'), policy.read),
      update: alone(rule('update'), policy.update),
      createSessions: alone(rule('createSessions'), policy.createSessions),
      listSessions: alone(rule('listSessions'), policy.listSessions),
    };
  }

  /** A rule beside the policy, written like `update`. */
  rule(rule: AccessRule): AccessRule {
    return alone(
      rule.flatMap((entry) => this.#entry(entry, 'update')),
      rule,
    );
  }

  #entry(entry: AccessEntry, right: keyof AccessPolicy): AccessRule {
    if (entry.kind === 'signer-reference') return [this.#read(entry.reference, signerEntry) ?? entry];
    if (entry.kind === 'require') return [this.#require(entry, right)];
    if (entry.kind !== 'reference') return [entry];
    const whole: Form<AccessRule> = {
      schema: {},
      read(node, place) {
        if (node.type !== 'map' || !node.entries.some(({ key }) => key in rightKeys))
          return accessRule(right).read(node, place);
        const policy = accessPolicyForm.read(node, place);
        return policy === invalid ? invalid : policy[right];
      },
    };
    return (
      this.#read(entry.reference, whole, (rule) =>
        rule.some(({ kind }) => kind === 'any' || kind === 'none'),
      ) ?? [entry]
    );
  }

  #require(entry: AccessEntry & { readonly kind: 'require' }, right: keyof AccessPolicy): AccessEntry {
    const members = entry.of.flatMap((member) => this.#entry(member, right));
    // ANY or NONE inside would make the rule mean something else.
    if (members.some(({ kind }) => kind === 'any' || kind === 'none')) return entry;
    const keys = new Set<string>();
    const distinct = members.filter((member) => {
      const identity = 'keyHash' in member ? member.keyHash : JSON.stringify(member);
      return keys.size !== keys.add(identity).size;
    });
    return { ...entry, of: distinct };
  }
}

const rightKeys = { read: 0, update: 0, create_sessions: 0, list_sessions: 0 } as const;

/** ANY and NONE stand alone: a fragment cannot bring them into a list of others. */
function alone(rule: AccessRule, before: AccessRule): AccessRule {
  const special = rule.some(({ kind }) => kind === 'any' || kind === 'none');
  return special && rule.length > 1 ? before : rule;
}

function loosensAttestation(attestation: SecurityAttestation): boolean {
  return (
    attestation.mode !== 'hardware' || attestation.tolerate.length > 0 || attestation.ignoreAdvisories === '*'
  );
}

function isReference(value: unknown): value is string {
  return typeof value === 'string' && value.startsWith('$$SCONE::');
}

function holdsReference(value: Json): boolean {
  if (typeof value === 'string') return value.includes('$$SCONE::');
  if (typeof value !== 'object' || value === null) return false;
  return Object.values(value).some((child: Json | undefined) => child !== undefined && holdsReference(child));
}

/** One item, or a list of them. */
function many<T>(item: Form<T>): Form<T | readonly T[]> {
  return {
    schema: {},
    read(node, place) {
      if (node.type !== 'list') return item.read(node, place);
      if (node.items.length === 0) return invalid;
      const read = node.items.map((child, index) => item.read(child, place.item(index)));
      return read.includes(invalid) ? invalid : (read as readonly T[]);
    },
  };
}
