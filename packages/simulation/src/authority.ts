import 'reflect-metadata';
import { randomBytes } from 'node:crypto';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  Extension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
  X509CrlGenerator,
} from '@peculiar/x509';
import { Integer } from 'asn1js';
import { keyFromPem, keyToPem, type SimulatedKey } from './key.ts';

/** A certificate of the simulated vendor with its key. */
export interface Identity {
  readonly key: SimulatedKey;
  readonly certificate: Uint8Array;
  /** RFC 4514 form. */
  readonly name: string;
}

export interface StoredIdentity {
  readonly key: string;
  /** Base64 DER. */
  readonly certificate: string;
  readonly name: string;
}

export function storeIdentity(identity: Identity): StoredIdentity {
  return {
    key: keyToPem(identity.key),
    certificate: identity.certificate.toBase64(),
    name: identity.name,
  };
}

export function loadIdentity(stored: StoredIdentity): Identity {
  return {
    key: keyFromPem(stored.key),
    certificate: Uint8Array.fromBase64(stored.certificate),
    name: stored.name,
  };
}

/** How simulated vendors sign: Intel with ECDSA P-256, AWS with P-384, AMD with RSA-4096 PSS. */
type Scheme = 'P-256' | 'P-384' | 'rsa-pss';

const importing = {
  'P-256': { name: 'ECDSA', namedCurve: 'P-256' },
  'P-384': { name: 'ECDSA', namedCurve: 'P-384' },
  'rsa-pss': { name: 'RSA-PSS', hash: 'SHA-384' },
} as const;
const signing = {
  'P-256': { name: 'ECDSA', hash: 'SHA-256' },
  'P-384': { name: 'ECDSA', hash: 'SHA-384' },
  'rsa-pss': { name: 'RSA-PSS', hash: 'SHA-384', saltLength: 48 },
} as const;

const curves: Readonly<Record<string, Scheme>> = { prime256v1: 'P-256', secp384r1: 'P-384' };

const schemeOf = (key: SimulatedKey): Scheme =>
  curves[key.publicKey.asymmetricKeyDetails?.namedCurve ?? ''] ?? 'rsa-pss';

function publicCryptoKey(key: SimulatedKey): CryptoKey {
  return key.publicKey.toCryptoKey(importing[schemeOf(key)], true, ['verify']);
}

function signingCryptoKey(key: SimulatedKey): CryptoKey {
  return key.privateKey.toCryptoKey(importing[schemeOf(key)], true, ['sign']);
}

export interface CertificateRequest {
  readonly name: string;
  readonly key: SimulatedKey;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** Undefined for a leaf. */
  readonly pathLength?: number | undefined;
  readonly isAuthority: boolean;
  readonly extensions?: readonly { readonly oid: string; readonly value: Uint8Array }[];
  /** Hexadecimal; random without it. */
  readonly serial?: string;
}

/** keyCertSign, cRLSign; and digitalSignature, nonRepudiation (RFC 5280 §4.2.1.3), as Intel's own certificates have them. */
const authorityUsage = (): Extension => new Extension('2.5.29.15', true, Uint8Array.of(3, 2, 1, 0x06).buffer);
const leafUsage = (): Extension => new Extension('2.5.29.15', true, Uint8Array.of(3, 2, 6, 0xc0).buffer);

/** Twenty bytes, the first below 0x80, as RFC 5280 §4.1.2.2 wants them. */
function randomSerial(): string {
  const bytes = randomBytes(20);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes.toString('hex');
}

/** Issues a certificate; without an issuer it signs itself. */
export async function issueCertificate(request: CertificateRequest, issuer?: Identity): Promise<Identity> {
  const publicKey = publicCryptoKey(request.key);
  const issuerKey = issuer?.key ?? request.key;
  const certificate = await X509CertificateGenerator.create({
    serialNumber: request.serial ?? randomSerial(),
    subject: request.name,
    issuer: issuer?.name ?? request.name,
    notBefore: request.notBefore,
    notAfter: request.notAfter,
    signingAlgorithm: signing[schemeOf(issuerKey)],
    publicKey,
    signingKey: signingCryptoKey(issuerKey),
    extensions: [
      await AuthorityKeyIdentifierExtension.create(publicCryptoKey(issuerKey)),
      await SubjectKeyIdentifierExtension.create(publicKey),
      request.isAuthority ? authorityUsage() : leafUsage(),
      new BasicConstraintsExtension(request.isAuthority, request.pathLength, true),
      ...(request.extensions ?? []).map(({ oid, value }) => new Extension(oid, false, bufferOf(value))),
    ],
  });
  return { key: request.key, certificate: new Uint8Array(certificate.rawData), name: request.name };
}

export interface RevocationListRequest {
  readonly thisUpdate: Date;
  readonly nextUpdate: Date;
  /** CRLNumber, growing from list to list. */
  readonly number: number;
  /** Serial numbers in hexadecimal. */
  readonly revoked: readonly string[];
}

export async function issueRevocationList(
  issuer: Identity,
  request: RevocationListRequest,
): Promise<Uint8Array> {
  const crl = await X509CrlGenerator.create({
    issuer: issuer.name,
    thisUpdate: request.thisUpdate,
    nextUpdate: request.nextUpdate,
    signingAlgorithm: signing[schemeOf(issuer.key)],
    signingKey: signingCryptoKey(issuer.key),
    entries: request.revoked.map((serialNumber) => ({ serialNumber, revocationDate: request.thisUpdate })),
    extensions: [
      await AuthorityKeyIdentifierExtension.create(publicCryptoKey(issuer.key)),
      new Extension('2.5.29.20', false, new Integer({ value: request.number }).toBER()),
    ],
  });
  return new Uint8Array(crl.rawData);
}

function bufferOf(bytes: Uint8Array): ArrayBuffer {
  return Uint8Array.from(bytes).buffer;
}
