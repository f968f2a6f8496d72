import { givenFragments, resolveFragments, type Resolved } from '@ensconce/policy/fragments';
import type { Service, Session } from '@ensconce/policy/session';
import { CasError } from '../errors.ts';

/** What clients of a CAS must run. */
export interface ClientPolicy {
  readonly resolved: Resolved;
  readonly service: string;
}

/**
 * Reads it out of a session with one service, that of the clients. Throws `CasError`: what a client has no way to show, or
 * what only another session could resolve, would be asked for in vain or not at all.
 */
export function clientPolicy(session: Session): ClientPolicy {
  const [service] = session.services;
  if (service === undefined || session.services.length > 1)
    throw refusal(`one service expected, ${session.services.length} found`);
  const resolved = resolveFragments(session, givenFragments(session));
  const [unresolved] = resolved.unresolved;
  if (unresolved !== undefined)
    throw refusal(`values given in the session itself expected, ${unresolved} found`);
  const [demand] = demandsBesidesEvidence(resolved.session, service);
  if (demand !== undefined) throw refusal(`evidence alone expected of clients, ${demand} found`);
  return { resolved, service: service.name };
}

function demandsBesidesEvidence(session: Session, service: Service): readonly string[] {
  const { security } = session;
  const { mode, mustBeSgxLocal } = security.attestation;
  const demands: Readonly<Record<string, boolean>> = {
    [`mode ${mode}`]: mode !== 'hardware',
    must_be_sgx_local: mustBeSgxLocal,
    singleton_enclaves: security.singletonEnclaves,
    one_time_password_shared_secret:
      (service.oneTimePasswordSharedSecret ?? security.attestation.oneTimePasswordSharedSecret) !== undefined,
    service_access_token: security.serviceAccessToken !== undefined,
  };
  return Object.keys(demands).filter((name) => demands[name]);
}

function refusal(what: string): CasError {
  return new CasError('CAS_REQUEST_INVALID', `the session that clients are held against: ${what}`);
}
