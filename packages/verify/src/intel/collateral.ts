import * as v from 'valibot';
import { toHex, utf8 } from '@ensconce/base/bytes';
import { parseJson } from '@ensconce/base/json';
import { pemBlocks } from '@ensconce/x509/pem';
import { VerifyError } from '../errors.ts';
import { findSigned } from './signed-statement.ts';

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

/** Bytes; longer members are no collateral. */
const memberLimit = 4 * 1024 * 1024;
const text = v.pipe(v.string(), v.maxLength(2 * memberLimit));
/** Lists and signatures: hexadecimal, in other tools PEM, base64 or numbers. */
const binary = v.union([
  text,
  v.pipe(v.array(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(255))), v.maxLength(memberLimit)),
]);
const absent = <T extends v.GenericSchema>(schema: T) => v.optional(v.nullable(schema));
/** One JSON file with all parts; unknown members are left alone because other tools add theirs. */
const bundle = v.object({
  pckcrlissuerchain: absent(text),
  rootcacrl: absent(binary),
  pckcrl: absent(binary),
  tcbinfoissuerchain: absent(text),
  tcbinfo: absent(text),
  tcbinfosignature: absent(binary),
  qeidentityissuerchain: absent(text),
  qeidentity: absent(text),
  qeidentitysignature: absent(binary),
  pckcertificatechain: absent(text),
});

type Members = v.InferOutput<typeof bundle>;
type Binary = v.InferOutput<typeof binary>;

/** Bytes. */
export const bundleLimit = 16 * 1024 * 1024;

function bytes(value: Binary | null | undefined): Uint8Array | undefined {
  if (value === null || value === undefined) return undefined;
  if (typeof value !== 'string') return Uint8Array.from(value);
  if (value.includes('-----BEGIN')) return pemBlocks(value, 'X509 CRL', 1)[0] ?? utf8(value);
  const compact = value.replaceAll(/[\s\0]+/g, '');
  if (/^(?:[0-9a-fA-F]{2})*$/.test(compact)) return Uint8Array.fromHex(compact);
  try {
    return Uint8Array.fromBase64(compact, { lastChunkHandling: 'strict' });
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    // What is neither stays what it is: nothing that a vendor signed.
    return utf8(value);
  }
}

/** The statement of a bundle: bare with its signature beside it, or as the vendor wraps it. */
function statement(
  value: string | null | undefined,
  signature: Binary | null | undefined,
): { readonly text: string | undefined; readonly signature: Uint8Array | undefined } {
  // C programs count the NUL at the end of a text in.
  const found = value?.replace(/\0+$/, '');
  const [wrapped] = found === undefined ? [] : findSigned(found, true);
  return wrapped ?? { text: found, signature: bytes(signature) };
}

/** Reads a parsed collateral bundle: the JSON form that several verifiers share, lists and signatures in hexadecimal. Undefined where it holds no part of one. */
export function readIntelBundle(value: unknown): IntelCollateral | undefined {
  const members =
    typeof value === 'object' && value !== null
      ? Object.fromEntries(
          Object.entries(value).map(([key, member]) => [
            key.toLowerCase().replaceAll('_', ''),
            member as unknown,
          ]),
        )
      : value;
  const result = v.safeParse(bundle, members);
  if (!result.success) {
    const [issue] = result.issues;
    throw new VerifyError(
      'VERIFY_COLLATERAL',
      `collateral bundle: ${issue.expected ?? 'another value'} expected at "${v.getDotPath(issue) ?? ''}", ${issue.received} found`,
    );
  }
  return toCollateral(result.output);
}

function toCollateral(parts: Members): IntelCollateral | undefined {
  if (Object.values(parts).every((part) => part === undefined || part === null)) return undefined;
  const tcbInfo = statement(parts.tcbinfo, parts.tcbinfosignature);
  const qeIdentity = statement(parts.qeidentity, parts.qeidentitysignature);
  return {
    pckCrlIssuerChain: parts.pckcrlissuerchain ?? undefined,
    rootCaCrl: bytes(parts.rootcacrl),
    pckCrl: bytes(parts.pckcrl),
    tcbInfoIssuerChain: parts.tcbinfoissuerchain ?? undefined,
    tcbInfo: tcbInfo.text,
    tcbInfoSignature: tcbInfo.signature,
    qeIdentityIssuerChain: parts.qeidentityissuerchain ?? undefined,
    qeIdentity: qeIdentity.text,
    qeIdentitySignature: qeIdentity.signature,
    pckCertificateChain: parts.pckcertificatechain ?? undefined,
  };
}

/** Reads the file of a collateral bundle; throws where it is none. */
export function parseIntelBundle(file: Uint8Array): IntelCollateral {
  const found = readIntelBundle(parseJson(file, 'collateral bundle', bundleLimit));
  if (found === undefined)
    throw new VerifyError('VERIFY_COLLATERAL', 'collateral bundle: at least one part expected, none found');
  return found;
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
