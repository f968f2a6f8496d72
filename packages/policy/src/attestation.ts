import { guestConfigId, guestHostData, imageRegister } from '@ensconce/measurement/guest';
import type { AppraisalPolicy } from '@ensconce/verify/policy';
import type { Range } from '@ensconce/verify/range';
import type { SgxIdentity } from '@ensconce/verify/sgx/policy';
import type { SnpIdentity } from '@ensconce/verify/snp/policy';
import type { TdxIdentity } from '@ensconce/verify/tdx/policy';
import {
  findService,
  imageOf,
  tolerations,
  type AttestationSigner,
  type AttestationVariant,
  type SecurityAttestation,
} from './session.ts';
import type { ServiceTerms, StartTerms } from './start-terms.ts';

/** What is known of the exchange that a session itself does not say. */
export interface Exchange {
  /** What binds the evidence to a connection; `not-checked` accepts a replay, and the appraisal says so. */
  readonly reportData: Uint8Array | 'not-checked';
  /** Hex SHA-256 of the key of CAS that guests must have been launched for; undefined where it is not known: then no guest is accepted. */
  readonly casIdentity: string | undefined;
  /** The image measurement, where it is known already: guests with other images need not be looked at. */
  readonly measurement?: string | undefined;
  /** Ids of the machine that CAS runs on, as its own evidence shows them; for `must_be_sgx_local`. */
  readonly ownPlatforms?: readonly string[] | undefined;
}

/** What evidence for a service must show. */
export interface ServicePolicy {
  readonly mode: SecurityAttestation['mode'];
  /** What CAS and `ensconce evidence verify` hold evidence against; accepts nothing that could not be resolved. */
  readonly appraisal: AppraisalPolicy;
  /** References of the session that stand for nothing known; what they are part of is satisfied by nothing. */
  readonly unresolved: readonly string[];
  /** Only machines of CAS itself may run the service. */
  readonly mustBeSgxLocal: boolean;
  /** The attestation provider of mode `maa`. */
  readonly maa?:
    | {
        readonly url: string;
        /** PEM. */
        readonly certificates: readonly string[];
        /** Bits. */
        readonly minRsaSigningKeySize?: number | undefined;
      }
    | undefined;
}

const day = 86_400_000;

/**
 * The attestation of a service as a policy for its evidence. References must have been put in before
 * (`resolveFragments`). Throws `POLICY_UNKNOWN_SERVICE`.
 */
export function servicePolicy(session: StartTerms, serviceName: string, exchange: Exchange): ServicePolicy {
  const service = findService(session, serviceName);
  const { security } = session;
  const { attestation } = security;
  const { mode, mustBeSgxLocal } = attestation;
  const unresolved = unresolvedReferences(session, service);
  // A section that is not known could ask for more than we see: nothing satisfies it.
  const known = security.reference === undefined && attestation.reference === undefined;
  const local = mustBeSgxLocal && mode !== 'none';
  const guests = known && !local ? guestsOf(session, service, exchange) : { tdx: [], snp: [] };
  return {
    mode,
    mustBeSgxLocal: local,
    unresolved,
    appraisal: {
      acceptSimulation: session.acceptSimulation,
      ...toleratedBy(session),
      sgx: known ? enclavesOf(session, service) : [],
      ...guests,
      platforms: platformsOf(service, local ? (exchange.ownPlatforms ?? []) : undefined),
      quotingEnclaves: local || mode !== 'hardware' ? undefined : quotingEnclavesOf(service),
      minimumTcbDate: session.minimumTcbDate === undefined ? undefined : new Date(session.minimumTcbDate),
      minimumEvaluationNumber: session.minimumEvaluationNumber,
      gracePeriod: session.advisoryGraceDays === undefined ? undefined : session.advisoryGraceDays * day,
      reportData: exchange.reportData,
    },
    maa:
      mode === 'maa'
        ? {
            url: attestation.url ?? '',
            certificates: attestation.certificates ?? [],
            minRsaSigningKeySize: attestation.minRsaSigningKeySize,
          }
        : undefined,
  };
}

/** A toleration that is a reference still is none. With `maa-managed-tcb` the provider of mode `maa` judges the platform's state. */
function toleratedBy(session: StartTerms): Pick<AppraisalPolicy, 'tolerate' | 'ignoreAdvisories'> {
  const { attestation } = session.security;
  const tolerate = tolerations.filter((name) => attestation.tolerate.includes(name));
  if (attestation.mode === 'maa' && tolerate.includes('maa-managed-tcb')) {
    const managed = ['software-hardening-needed', 'insecure-configuration', 'outdated-tcb'] as const;
    return { tolerate: [...new Set([...tolerate, ...managed])], ignoreAdvisories: '*' };
  }
  const list = (of: readonly string[] | '*'): readonly string[] | '*' =>
    of === '*' ? of : of.filter((name) => !isReference(name));
  const all = list(attestation.ignoreAdvisories);
  const { sgx, tdx } = session.ignoreAdvisoriesOf ?? {};
  return {
    tolerate,
    ignoreAdvisories: { sgx: list(sgx ?? all), tdx: list(tdx ?? all), snp: all, nitro: all },
  };
}

/** OR of the variants, each an AND of its factors. One that holds a reference still is left out of the OR: nothing satisfies it. */
function enclavesOf(session: StartTerms, service: ServiceTerms): readonly SgxIdentity[] {
  const restriction = imageOf(session, service)?.mrenclaves;
  const variants = restriction !== undefined && service.attestation.length === 0 ? [{}] : service.attestation;
  return variants.flatMap((variant) => identitiesOf(variant, restriction));
}

/** The image's own (older) list is one more condition on every variant. */
function identitiesOf(
  variant: AttestationVariant,
  restriction: readonly string[] | undefined,
): readonly SgxIdentity[] {
  if (variant.fragments !== undefined && variant.fragments.length > 0) return [];
  const signer = variant.signer && signerOf(variant.signer);
  if (variant.signer !== undefined && signer === undefined) return [];
  const listed = variant.mrenclave ?? restriction;
  if (listed === undefined) return signer === undefined ? [] : [signer];
  return listed
    .filter((value) => /^[0-9a-f]{64}$/.test(value) && restriction?.includes(value) !== false)
    .map((mrenclave) => ({ mrenclave, ...signer }));
}

const anyVersion: Range = { minimum: 0, maximum: 65_535 };

/** Undefined while a part of it is a reference. */
function signerOf(signer: AttestationSigner): Extract<SgxIdentity, { mrsigner: string }> | undefined {
  const { mrsigner, isvprodid, isvsvnMin, isvsvnMax } = signer;
  if (isReference(mrsigner)) return undefined;
  if (typeof isvprodid === 'string' || typeof isvsvnMin === 'string' || typeof isvsvnMax === 'string')
    return undefined;
  return {
    mrsigner,
    isvprodid: isvprodid === undefined ? anyVersion : { minimum: isvprodid, maximum: isvprodid },
    isvsvn: { minimum: isvsvnMin ?? anyVersion.minimum, maximum: isvsvnMax ?? anyVersion.maximum },
  };
}

/**
 * Every guest with every image that it may run. RTMR3, MRCONFIGID and HOST_DATA follow from what a guest must have been launched for
 * (docs/formats/measurement.md).
 */
function guestsOf(
  session: StartTerms,
  service: ServiceTerms,
  exchange: Exchange,
): { readonly tdx: readonly TdxIdentity[]; readonly snp: readonly SnpIdentity[] } {
  const { casIdentity } = exchange;
  if (casIdentity === undefined) return { tdx: [], snp: [] };
  const restriction = imageOf(session, service)?.mrenclaves;
  const configId = `${session.name}/${service.name}`;
  const images = (list: readonly string[]): readonly string[] =>
    list.filter(
      (image) => restriction?.includes(image) !== false && (exchange.measurement ?? image) === image,
    );
  return {
    tdx: (service.tdx ?? []).flatMap(({ image, ...pins }) =>
      images(image).map((measurement) => ({
        ...pins,
        rtmr3: imageRegister(measurement),
        mrconfigid: guestConfigId({ casIdentity, configId, measurement }),
      })),
    ),
    snp: (service.snp ?? []).flatMap(({ image, ...pins }) =>
      images(image).map((measurement) => ({
        ...pins,
        hostData: guestHostData({ casIdentity, configId, measurement }),
        requireRevocationList: true,
      })),
    ),
  };
}

/** Ids of machines, all of which are accepted; `undefined` for any machine. */
function platformsOf(
  service: ServiceTerms,
  own: readonly string[] | undefined,
): readonly string[] | undefined {
  const pinned = service.chips?.filter((id) => !isReference(id));
  return own === undefined ? pinned : own.filter((id) => pinned?.includes(id) !== false);
}

const quotingEnclave = /^INTEL_QE_ID:([0-9a-fA-F]{32})$/;

/** A key of the former SCONE quoting enclave names no machine that exists any more. */
function quotingEnclavesOf(service: ServiceTerms): readonly string[] | undefined {
  return service.platforms?.flatMap((platform) => {
    const id = quotingEnclave.exec(platform)?.[1];
    return id === undefined ? [] : [id.toLowerCase()];
  });
}

/** What is a reference still, each once. */
function unresolvedReferences(session: StartTerms, service: ServiceTerms): readonly string[] {
  const { security } = session;
  const { attestation } = security;
  const texts: readonly unknown[] = [
    security.reference,
    attestation.reference,
    ...service.attestation.flatMap(({ mrenclave = [], signer, fragments = [] }) => [
      ...fragments,
      ...mrenclave,
      ...Object.values(signer ?? {}),
    ]),
    ...(service.platforms ?? []),
    ...(service.chips ?? []),
    ...attestation.tolerate,
    attestation.ignoreAdvisories,
    ...Object.values(session.ignoreAdvisoriesOf ?? {}).flat(),
  ];
  return [...new Set(texts.flat().filter((text) => isReference(text)))];
}

function isReference(value: unknown): value is `$$SCONE::${string}` {
  return typeof value === 'string' && value.startsWith('$$SCONE::');
}
