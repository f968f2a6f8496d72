import {
  findService,
  imageOf,
  type AttestationVariant,
  type Session,
  type SnpGuest,
  type TdxGuest,
  type Toleration,
  tolerations,
} from './session.ts';

/** What appraisal needs to know of a policy, as plain data. */
export interface AttestationPolicy {
  readonly mode: 'hardware' | 'none' | 'maa';
  /** Enclaves, OR. */
  readonly variants: readonly AppraisalVariant[];
  readonly tolerate: ReadonlySet<Toleration>;
  readonly ignoreAdvisories: ReadonlySet<string> | '*';
  /** Machines that are accepted; `undefined`: any. */
  readonly platforms?: readonly string[] | undefined;
  readonly mustBeSgxLocal: boolean;
  readonly acceptSimulation: boolean;
  /** Confidential VMs, OR; empty where none may run the service. */
  readonly tdx: readonly TdxGuest[];
  readonly snp: readonly SnpGuest[];
  readonly minimumTcbDate: Date | undefined;
  /** Milliseconds. */
  readonly gracePeriod: number | undefined;
  readonly maa?:
    | {
        readonly url: string;
        readonly certificates: readonly string[];
        readonly minRsaSigningKeySize?: number | undefined;
      }
    | undefined;
}

/** AND of its factors; holds at least one. */
export interface AppraisalVariant {
  /** Lower-case hex; any of these. */
  readonly mrenclave?: readonly string[] | undefined;
  readonly signer?:
    | {
        readonly mrsigner: string;
        readonly isvprodid?: number | undefined;
        /** Inclusive. */
        readonly isvsvnMin?: number | undefined;
        readonly isvsvnMax?: number | undefined;
      }
    | undefined;
  /** References that could not be resolved. A variant that has any is satisfied by nothing. */
  readonly unresolved?: readonly string[] | undefined;
}

/** Throws `POLICY_UNKNOWN_SERVICE`. */
export function attestationPolicy(session: Session, serviceName: string): AttestationPolicy {
  const service = findService(session, serviceName);
  const { attestation, reference } = session.security;
  const whole = reference ?? attestation.reference;
  const restriction = imageOf(session, service)?.mrenclaves;
  const own = service.attestation.map((variant) => appraisalVariant(variant));
  const variants = restriction === undefined ? own : restrict(own, restriction);
  return {
    mode: attestation.mode,
    // Settings that are not known yet could ask for more than we see: nothing satisfies them.
    variants:
      whole === undefined
        ? variants
        : variants.map((variant) => ({ ...variant, unresolved: [...(variant.unresolved ?? []), whole] })),
    tolerate: new Set(tolerations.filter((name) => attestation.tolerate.includes(name))),
    ignoreAdvisories:
      attestation.ignoreAdvisories === '*'
        ? '*'
        : new Set(attestation.ignoreAdvisories.filter((name) => !isReference(name))),
    platforms: service.platforms,
    mustBeSgxLocal: attestation.mustBeSgxLocal,
    acceptSimulation: session.acceptSimulation,
    tdx: whole === undefined ? guests(service.tdx, restriction) : [],
    snp: whole === undefined ? guests(service.snp, restriction) : [],
    minimumTcbDate: session.minimumTcbDate === undefined ? undefined : new Date(session.minimumTcbDate),
    gracePeriod: session.advisoryGraceDays === undefined ? undefined : session.advisoryGraceDays * day,
    maa:
      attestation.mode === 'maa'
        ? {
            url: attestation.url ?? '',
            certificates: attestation.certificates ?? [],
            minRsaSigningKeySize: attestation.minRsaSigningKeySize,
          }
        : undefined,
  };
}

const day = 86_400_000;

/** The image's own (legacy) list restricts guests as well. */
function guests<Guest extends { readonly image: readonly string[] }>(
  list: readonly Guest[] | undefined,
  restriction: readonly string[] | undefined,
): readonly Guest[] {
  if (list === undefined || restriction === undefined) return list ?? [];
  return list.map((guest) => ({
    ...guest,
    image: guest.image.filter((value) => restriction.includes(value)),
  }));
}

function isReference(value: string): boolean {
  return value.startsWith('$$SCONE::');
}

function appraisalVariant(variant: AttestationVariant): AppraisalVariant {
  const { mrenclave, signer, fragments = [] } = variant;
  const unresolved = [...fragments];
  const number = (value: number | string | undefined): number | undefined => {
    if (typeof value === 'string') unresolved.push(value);
    return typeof value === 'number' ? value : undefined;
  };
  const resolvedSigner = signer && {
    mrsigner: signer.mrsigner,
    isvprodid: number(signer.isvprodid),
    isvsvnMin: number(signer.isvsvnMin),
    isvsvnMax: number(signer.isvsvnMax),
  };
  if (signer && isReference(signer.mrsigner)) unresolved.push(signer.mrsigner);
  const measurements = mrenclave?.filter((value) => !isReference(value));
  // A list of alternatives may lose unresolved ones, but never its last.
  if (mrenclave && measurements?.length === 0) unresolved.push(...mrenclave);
  return {
    mrenclave: measurements,
    signer: resolvedSigner,
    unresolved: unresolved.length > 0 ? unresolved : undefined,
  };
}

/** The image's own (legacy) list is one more condition on every variant. */
function restrict(
  variants: readonly AppraisalVariant[],
  measurements: readonly string[],
): readonly AppraisalVariant[] {
  if (variants.length === 0) return [{ mrenclave: measurements }];
  return variants.map((variant) => {
    if (variant.mrenclave === undefined) return { ...variant, mrenclave: measurements };
    return { ...variant, mrenclave: variant.mrenclave.filter((value) => measurements.includes(value)) };
  });
}
