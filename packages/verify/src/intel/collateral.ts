import * as v from 'valibot';
import { fromHex, toHex } from '@ensconce/base/bytes';
import { parseJson } from '@ensconce/base/json';
import { VerifyError } from '../errors.ts';

/**
 * What Intel, or a simulation of it, publishes about one kind of platform. Untrusted until verified, and treated as immutable once handed
 * over. A missing part makes a verdict `undetermined`.
 */
export interface IntelCollateral {
  /** PEM: PCK CA and root. */
  readonly pckCrlIssuerChain?: string | undefined;
  /** DER. */
  readonly rootCaCrl?: Uint8Array | undefined;
  /** DER. */
  readonly pckCrl?: Uint8Array | undefined;
  /** PEM: TCB signing certificate and root. */
  readonly tcbInfoIssuerChain?: string | undefined;
  /** The inner JSON object exactly as served: its characters are signed. */
  readonly tcbInfo?: string | undefined;
  /** r‖s, 64 bytes. */
  readonly tcbInfoSignature?: Uint8Array | undefined;
  readonly qeIdentityIssuerChain?: string | undefined;
  readonly qeIdentity?: string | undefined;
  readonly qeIdentitySignature?: Uint8Array | undefined;
  /** PEM: leaf, CA and root, for quotes that do not carry them (certification data of types 1 to 3). */
  readonly pckCertificateChain?: string | undefined;
}

const hex = v.pipe(v.string(), v.regex(/^(?:[0-9a-fA-F]{2})*$/));
/** One JSON file with all parts; unknown members are left alone because other tools add theirs. */
const bundle = v.object({
  pck_crl_issuer_chain: v.optional(v.string()),
  root_ca_crl: v.optional(hex),
  pck_crl: v.optional(hex),
  tcb_info_issuer_chain: v.optional(v.string()),
  tcb_info: v.optional(v.string()),
  tcb_info_signature: v.optional(hex),
  qe_identity_issuer_chain: v.optional(v.string()),
  qe_identity: v.optional(v.string()),
  qe_identity_signature: v.optional(hex),
  pck_certificate_chain: v.optional(v.nullable(v.string())),
});

/** Bytes. */
export const bundleLimit = 16 * 1024 * 1024;

const bytes = (text: string | undefined): Uint8Array | undefined =>
  text === undefined ? undefined : fromHex(text);

/** Reads a collateral bundle: the JSON form that several verifiers share, CRLs and signatures in hexadecimal. */
export function parseIntelBundle(file: Uint8Array): IntelCollateral {
  const result = v.safeParse(bundle, parseJson(file, 'collateral bundle', bundleLimit));
  if (!result.success) {
    const [issue] = result.issues;
    throw new VerifyError(
      'VERIFY_COLLATERAL',
      `collateral bundle: ${issue.expected ?? 'another value'} expected at "${v.getDotPath(issue) ?? ''}", ${issue.received} found`,
    );
  }
  const parts = result.output;
  return {
    pckCrlIssuerChain: parts.pck_crl_issuer_chain,
    rootCaCrl: bytes(parts.root_ca_crl),
    pckCrl: bytes(parts.pck_crl),
    tcbInfoIssuerChain: parts.tcb_info_issuer_chain,
    tcbInfo: parts.tcb_info,
    tcbInfoSignature: bytes(parts.tcb_info_signature),
    qeIdentityIssuerChain: parts.qe_identity_issuer_chain,
    qeIdentity: parts.qe_identity,
    qeIdentitySignature: bytes(parts.qe_identity_signature),
    pckCertificateChain: parts.pck_certificate_chain ?? undefined,
  };
}

const hexOrAbsent = (value: Uint8Array | undefined): string | undefined =>
  value === undefined ? undefined : toHex(value);

/** The bundle file of `collateral`; {@link parseIntelBundle} reads it back. */
export function encodeIntelBundle(collateral: IntelCollateral): string {
  return `${JSON.stringify(
    {
      pck_crl_issuer_chain: collateral.pckCrlIssuerChain,
      root_ca_crl: hexOrAbsent(collateral.rootCaCrl),
      pck_crl: hexOrAbsent(collateral.pckCrl),
      tcb_info_issuer_chain: collateral.tcbInfoIssuerChain,
      tcb_info: collateral.tcbInfo,
      tcb_info_signature: hexOrAbsent(collateral.tcbInfoSignature),
      qe_identity_issuer_chain: collateral.qeIdentityIssuerChain,
      qe_identity: collateral.qeIdentity,
      qe_identity_signature: hexOrAbsent(collateral.qeIdentitySignature),
      pck_certificate_chain: collateral.pckCertificateChain,
    },
    undefined,
    1,
  )}\n`;
}
