import { PolicyError } from './errors.ts';
import { findService, imageOf, type Image, type Service, type Session } from './session.ts';

const sessionParts = [
  'name',
  'acceptSimulation',
  'minimumTcbDate',
  'advisoryGraceDays',
  'minimumEvaluationNumber',
  'ignoreAdvisoriesOf',
  'security',
] as const;
const serviceParts = [
  'name',
  'imageName',
  'attestation',
  'platforms',
  'chips',
  'tdx',
  'snp',
  'oneTimePasswordSharedSecret',
] as const;
const imageParts = ['name', 'mrenclaves'] as const;

export type ServiceTerms = Pick<Service, (typeof serviceParts)[number]>;

/**
 * What of a session decides whether a service may start: all that evidence is held against, and what whoever starts it must
 * know. Every session is one; what judges a start takes no more than this, so that it needs no more.
 */
export interface StartTerms extends Pick<Session, (typeof sessionParts)[number]> {
  readonly services: readonly ServiceTerms[];
  readonly images: readonly Pick<Image, (typeof imageParts)[number]>[];
}

/** Terms in which references were put in (`resolveFragments`). */
export interface ResolvedTerms {
  readonly session: StartTerms;
  /** Why a reference stays, for each that does. */
  readonly unresolved: readonly string[];
}

/** The terms of one service alone. Throws `POLICY_UNKNOWN_SERVICE`. */
export function termsOf(session: Session, serviceName: string): StartTerms {
  const service = findService(session, serviceName);
  const image = imageOf(session, service);
  return {
    ...pick(session, sessionParts),
    services: [pick(service, serviceParts)],
    images: image === undefined ? [] : [pick(image, imageParts)],
  };
}

/** Terms of a record that is authentic and was made of {@link termsOf}. Throws `POLICY_INVALID`. */
export function restoreTerms(value: unknown): StartTerms {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as StartTerms;
  throw new PolicyError('POLICY_INVALID', 'stored terms: an object expected, something else found');
}

/** The lists make the types as well: a part that is not copied cannot be judged by either. */
function pick<T, K extends keyof T>(from: T, parts: readonly K[]): Pick<T, K> {
  return Object.fromEntries(parts.map((part) => [part, from[part]])) as Pick<T, K>;
}
