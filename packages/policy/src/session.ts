import type { Json } from '@ensconce/base/json';
import { PolicyError } from './errors.ts';
import { freeze } from './freeze.ts';

/**
 * A session (policy) after reading: normalised, so that two texts that mean the same give the same value, deeply
 * frozen and JSON-safe. Absent means `undefined`. Strings keep their `$$SCONE::…$$` references.
 */
export interface Session {
  /** Absolute: `namespace/name`, or `/` for the root namespace. */
  readonly name: string;
  readonly version: string;
  /** 64 hex digits: the hash of the session that this one replaces. */
  readonly predecessor?: string | undefined;
  /** 64 hex digits: what the parent session's hash must be when this one is created. */
  readonly namespaceHash?: string | undefined;
  /** 32 hex digits. */
  readonly salt?: string | undefined;
  /** Filled in by CAS, or by the CLI for signed sessions. */
  readonly creator?: Creator | undefined;
  readonly services: readonly Service[];
  readonly images: readonly Image[];
  readonly volumes: readonly Volume[];
  readonly secrets: readonly Secret[];
  readonly accessPolicy: AccessPolicy;
  readonly security: Security;
  readonly secretConfig?: SecretConfig | undefined;
  /** `ensconce.accept_simulation`: whether evidence of simulated hardware is good enough. */
  readonly acceptSimulation: boolean;
  /** `ensconce.minimum_tcb_date`, ISO 8601: TCB levels published before it are refused. */
  readonly minimumTcbDate?: string | undefined;
  /** `ensconce.delete`: who may delete the session; whom `update` names where it is absent. */
  readonly delete?: AccessRule | undefined;
  /** `ensconce.advisory_grace_days`: for how long a platform may lack an update. */
  readonly advisoryGraceDays?: number | undefined;
  /** `ensconce.minimum_evaluation_number`: TCB information of Intel of an older evaluation is refused. */
  readonly minimumEvaluationNumber?: number | undefined;
  /** `ensconce.ignore_advisories`: for these TEEs instead of `security.attestation.ignore_advisories`. */
  readonly ignoreAdvisoriesOf?:
    | Readonly<Partial<Record<'sgx' | 'tdx', readonly string[] | '*' | undefined>>>
    | undefined;
}

export interface Creator {
  readonly kind: 'certificate' | 'signer';
  readonly pem: string;
  readonly keyHash: string;
}

export interface Service {
  readonly name: string;
  readonly imageName?: string | undefined;
  /** Split into arguments; empty where the session names none. An argument that is exactly `@@N` is the host's. */
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Sorted names of variables whose value the host chooses (`\@\@NAME`). */
  readonly hostEnvironment: readonly string[];
  readonly pwd: string;
  readonly fspf?: Fspf | undefined;
  /** OR. Empty only where attestation mode is `none`, or `tdx` or `snp` names guests. */
  readonly attestation: readonly AttestationVariant[];
  readonly platforms?: readonly string[] | undefined;
  /** `ensconce.platforms`: ids of machines in lower-case hex (platform instance id, PPID, chip id) or references; any if absent. */
  readonly chips?: readonly string[] | undefined;
  readonly oneTimePasswordSharedSecret?: string | undefined;
  /** `uid[:gid]` or names. */
  readonly user?: string | undefined;
  readonly hostFiles: readonly string[];
  /** `undefined`: the engine's default set. */
  readonly capabilities?: readonly string[] | undefined;
  /** Confidential VMs that may run the service, OR; none if absent. */
  readonly tdx?: readonly TdxGuest[] | undefined;
  readonly snp?: readonly SnpGuest[] | undefined;
}

/** A TDX guest, pinned whole: RTMR3 and MRCONFIGID follow from the image. Lower-case hex, 48 bytes each. */
export interface TdxGuest {
  readonly mrtd: string;
  readonly rtmr0: string;
  readonly rtmr1: string;
  readonly rtmr2: string;
  /** Image measurements (32 bytes), any of them. */
  readonly image: readonly string[];
  readonly mrseam?: string | undefined;
  readonly mrowner?: string | undefined;
  readonly mrownerconfig?: string | undefined;
}

/** An SEV-SNP guest, pinned whole: HOST_DATA follows from the image. Lower-case hex, 48 bytes each. */
export interface SnpGuest {
  readonly measurement: string;
  readonly vmpl: number;
  /** Image measurements (32 bytes), any of them. */
  readonly image: readonly string[];
  readonly minimumTcb?:
    | Readonly<Partial<Record<'fmc' | 'bootloader' | 'tee' | 'snp' | 'microcode', number | undefined>>>
    | undefined;
  readonly minimumGuestSvn?: number | undefined;
  readonly idKeyDigest?: string | undefined;
  readonly authorKeyDigest?: string | undefined;
}

export interface Fspf {
  readonly path?: string | undefined;
  /** 64 hex digits or a reference. */
  readonly key?: string | undefined;
  /** 32 hex digits. */
  readonly tag?: string | undefined;
  readonly updatePolicy?: 'rollback_protected_reinitializable' | 'no_rollback_protection' | undefined;
}

/** AND of its factors; at least one is present. */
export interface AttestationVariant {
  /** Any of these; lower-case hex, or a reference, or (as written) something that no measurement equals. */
  readonly mrenclave?: readonly string[] | undefined;
  readonly signer?: AttestationSigner | undefined;
  /** References to config fragments that stand for factors. */
  readonly fragments?: readonly string[] | undefined;
}

export interface AttestationSigner {
  /** 64 hex digits or a reference. */
  readonly mrsigner: string;
  readonly isvprodid?: number | string | undefined;
  /** Inclusive; equal where the session gives `isvsvn`. */
  readonly isvsvnMin?: number | string | undefined;
  readonly isvsvnMax?: number | string | undefined;
}

export type VolumeUpdatePolicy = 'rollback_protected' | 'ephemeral' | 'no_rollback_protection';

export interface Image {
  readonly name: string;
  readonly volumes: readonly ImageVolume[];
  readonly injectionFiles: readonly InjectionFile[];
  /** `undefined`: all. */
  readonly provideSecrets?: readonly string[] | undefined;
  /** Sealed layers, lowest first. */
  readonly layers: readonly Layer[];
  /** Legacy `mrenclaves`; they restrict the services further. */
  readonly mrenclaves?: readonly string[] | undefined;
}

export interface ImageVolume {
  readonly name: string;
  readonly path: string;
  readonly updatePolicy: VolumeUpdatePolicy;
  /**
   * `ensconce.durability`: fsync returns up to 100 ms before CAS has the tag, in `collected-100ms` the kernel collects what is written
   * until then; `undefined`: fsync returns when CAS has it.
   */
  readonly durability?: 'tag-follows-100ms' | 'collected-100ms' | undefined;
}

export interface InjectionFile {
  readonly path: string;
  /** Absent: the file of the image is the template. */
  readonly content?: string | undefined;
  /** Permission bits. */
  readonly mode: number;
}

export interface Layer {
  /** 64 hex digits. */
  readonly root: string;
  /** 64 hex digits or a reference. */
  readonly key: string;
}

export interface Volume {
  readonly name: string;
  readonly fspfKey?: string | undefined;
  readonly fspfTag?: string | undefined;
  /** `ensconce.tag`: 64 hex digits, the state of an existing volume that CAS is to begin with. */
  readonly tag?: string | undefined;
  readonly files: 'encrypted' | 'authenticated-only';
  readonly export: readonly VolumeExport[];
  readonly import?: VolumeImport | undefined;
}

export interface VolumeExport {
  readonly to: SessionReference;
  readonly updatePolicy: VolumeUpdatePolicy;
  readonly volumeAlias?: string | undefined;
}

export interface VolumeImport {
  readonly from: SessionReference;
  readonly volume: string;
}

/** Another session, here or (with `casUrl`) at another CAS. */
export interface SessionReference {
  /** Absolute. */
  readonly session: string;
  readonly sessionHash?: string | undefined;
  readonly casUrl?: string | undefined;
  readonly casKey?: string | undefined;
  readonly casSoftwareKey?: string | undefined;
}

export type SecretKind =
  | 'ascii'
  | 'binary'
  | 'private-key'
  | 'public-key'
  | 'x509'
  | 'x509-ca'
  | 'aad-token'
  | 'config-fragment'
  | 'pgp-key'
  | 'jwt';
export type KeyType = 'P-256' | 'P-384' | 'Ed25519' | 'RSA-2048' | 'RSA-3072';

/** Which parameters stand beside each kind is in language/secret.ts; defaults are filled in. */
export interface Secret {
  readonly name: string;
  /** Absent only where the secret is imported. */
  readonly kind?: SecretKind | undefined;
  readonly value?: Json | undefined;
  readonly export: readonly SecretExport[];
  readonly exportPublic: boolean;
  readonly import?: SecretImport | undefined;
  readonly importAkv?: AkvImport | undefined;
  /** Bytes or characters. */
  readonly size?: number | undefined;
  readonly keyType?: KeyType | undefined;
  readonly migrate?: boolean | undefined;
  readonly privateKey?: string | undefined;
  readonly issuer?: string | undefined;
  readonly commonName?: string | undefined;
  readonly endpoint?: 'server' | 'client' | undefined;
  /** `dns:…`, `ip:…`. */
  readonly san?: readonly string[] | undefined;
  /** Seconds. */
  readonly validFor?: number | undefined;
  readonly tenantId?: string | undefined;
  readonly clientId?: string | undefined;
  readonly applicationSecret?: string | undefined;
  readonly certificateThumbprint?: string | undefined;
  readonly signer?: string | undefined;
  readonly alg?: string | undefined;
  readonly payload?: Readonly<Record<string, string>> | undefined;
}

export type SecretExport =
  | { readonly kind: 'session'; readonly to: SessionReference }
  | { readonly kind: 'namespace'; readonly namespace: string };

export interface SecretImport {
  readonly from: SessionReference;
  readonly secret: string;
}

export interface AkvImport {
  readonly vault: string;
  readonly secretName: string;
  readonly token: string;
  readonly decryptionKey?: string | undefined;
}

/** OR of the entries; never empty. */
export type AccessRule = readonly AccessEntry[];
export type AccessEntry =
  | { readonly kind: 'any' }
  | { readonly kind: 'none' }
  | { readonly kind: 'creator' }
  | { readonly kind: 'key'; readonly keyHash: string; readonly pem?: string | undefined }
  | { readonly kind: 'signer'; readonly keyHash: string; readonly pem: string }
  | { readonly kind: 'reference'; readonly reference: string }
  | { readonly kind: 'signer-reference'; readonly reference: string }
  | { readonly kind: 'require'; readonly atLeast: number | 'all'; readonly of: AccessRule };

/** Defaults are filled in: read and update `[CREATOR]`, createSessions as update, listSessions as read. */
export interface AccessPolicy {
  readonly read: AccessRule;
  readonly update: AccessRule;
  readonly createSessions: AccessRule;
  readonly listSessions: AccessRule;
}

export interface Security {
  readonly singletonEnclaves: boolean;
  readonly serviceAccessToken?: string | undefined;
  readonly attestation: SecurityAttestation;
  /** The reference that stands for the whole section. */
  readonly reference?: string | undefined;
}

export const tolerations = [
  'debug-mode',
  'hyperthreading',
  'insecure-igpu',
  'software-hardening-needed',
  'aepic-leak',
  'insecure-configuration',
  'outdated-tcb',
  'maa-managed-tcb',
  'local-attestation-trust-cas-tcb',
] as const;
export type Toleration = (typeof tolerations)[number];

export interface SecurityAttestation {
  readonly mode: 'hardware' | 'none' | 'maa';
  /** Sorted, each once; may hold references. */
  readonly tolerate: readonly string[];
  /** Sorted, each once; may hold references. */
  readonly ignoreAdvisories: readonly string[] | '*';
  readonly mustBeSgxLocal: boolean;
  readonly trustedSconeQePubkeys?: readonly string[] | undefined;
  readonly url?: string | undefined;
  readonly certificates?: readonly string[] | undefined;
  readonly minRsaSigningKeySize?: number | undefined;
  readonly oneTimePasswordSharedSecret?: string | undefined;
  /** The reference that stands for the whole map. */
  readonly reference?: string | undefined;
}

export type SecretConfig =
  | { readonly storeIn: 'cas' }
  | { readonly storeIn: 'akv'; readonly token: string; readonly vault: string };

export function withCreator(session: Session, creator: Creator): Session {
  return freeze({ ...session, creator });
}

export function withPredecessor(session: Session, predecessor: string | undefined): Session {
  return freeze({ ...session, predecessor });
}

/** Throws `POLICY_UNKNOWN_SERVICE`. */
export function findService<S extends Pick<Service, 'name'>>(
  session: { readonly name: string; readonly services: readonly S[] },
  name: string,
): S {
  const service = session.services.find((candidate) => candidate.name === name);
  if (!service) {
    throw new PolicyError(
      'POLICY_UNKNOWN_SERVICE',
      `session ${session.name}: a service that it defines expected, ${JSON.stringify(name.slice(0, 128))} found`,
    );
  }
  return service;
}

export function imageOf<I extends Pick<Image, 'name'>>(
  session: { readonly images: readonly I[] },
  service: Pick<Service, 'imageName'>,
): I | undefined {
  return session.images.find((image) => image.name === service.imageName);
}
