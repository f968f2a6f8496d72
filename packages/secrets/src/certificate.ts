import { createPublicKey, webcrypto, X509Certificate, type KeyObject } from 'node:crypto';
import { isIP } from 'node:net';
import type { KeyUsageFlags } from '@peculiar/x509';
import type { Secret } from '@ensconce/policy/session';
import { keyTypeOf, privateKeyOf } from './key.ts';
import type { Random } from './random.ts';
import { wrongValue } from './random-value.ts';
import type { Stored } from './stored.ts';

const day = 86_400_000;
/** Milliseconds; clocks of services may be slow. */
const backdate = 60 * 60_000;
const defaultValidity = { x509: 365 * day, 'x509-ca': 5 * 365 * day } as const;

/** Signature algorithm and WebCrypto import parameters of each key type. */
const algorithms = {
  'P-256': { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
  'P-384': { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' },
  Ed25519: { name: 'Ed25519' },
  RSA: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
} as const;

export interface IssueOptions {
  readonly now: Date;
  readonly random: Random;
  /** Key of the certificate itself. */
  readonly key: KeyObject;
  /** Absent: it signs itself. */
  readonly issuer?: Stored<'x509'> | undefined;
}

/** Makes the certificate that an x509 or x509-ca secret describes. */
export async function issueCertificate(secret: Secret, options: IssueOptions): Promise<Stored<'x509'>> {
  const { now, key, issuer } = options;
  const isCa = secret.kind === 'x509-ca';
  const signerKey = issuer === undefined ? key : signingKeyOf(secret, issuer);
  const x509 = await loadX509();
  const validity =
    secret.validFor === undefined ? defaultValidity[isCa ? 'x509-ca' : 'x509'] : secret.validFor * 1000;
  // A certificate is worth nothing after its issuer's end.
  const end = Math.min(
    now.getTime() + validity,
    issuer ? Date.parse(issuer.notAfter) : Number.POSITIVE_INFINITY,
  );
  const notAfter = new Date(Math.floor(end / 1000) * 1000);
  if (notAfter.getTime() <= now.getTime()) throw wrongValue(secret, 'an issuer that is still valid');
  const publicKey = await webcrypto.subtle.importKey(
    'spki',
    der(createPublicKey(key)),
    algorithms[keyTypeOf(key)],
    true,
    ['verify'],
  );
  const algorithm = algorithms[keyTypeOf(signerKey)];
  const signingKey = await webcrypto.subtle.importKey(
    'pkcs8',
    signerKey.export({ type: 'pkcs8', format: 'der' }),
    algorithm,
    false,
    ['sign'],
  );
  const issuerCertificate = issuer && new x509.X509Certificate(Uint8Array.fromBase64(issuer.certificate));
  const commonName = secret.commonName ?? secret.name;
  const name = [{ CN: [commonName] }];
  const alternativeNames = sanOf(secret, commonName);
  const issuerKey = issuerCertificate?.publicKey ?? publicKey;
  const certificate = await x509.X509CertificateGenerator.create(
    {
      serialNumber: serial(options.random),
      subject: name,
      issuer: issuerCertificate ? issuerCertificate.subjectName.toJSON() : name,
      notBefore: new Date(now.getTime() - backdate),
      notAfter,
      publicKey,
      signingKey,
      signingAlgorithm: algorithm,
      extensions: [
        new x509.BasicConstraintsExtension(isCa, undefined, true),
        new x509.KeyUsagesExtension(keyUsage(x509, isCa, key), true),
        ...(isCa ? [] : [new x509.ExtendedKeyUsageExtension(extendedUsage(x509, secret.endpoint))]),
        ...(alternativeNames.length > 0 ? [new x509.SubjectAlternativeNameExtension(alternativeNames)] : []),
        await x509.SubjectKeyIdentifierExtension.create(publicKey),
        await x509.AuthorityKeyIdentifierExtension.create(issuerKey),
      ],
    },
    webcrypto,
  );
  return {
    kind: 'x509',
    certificate: new Uint8Array(certificate.rawData).toBase64(),
    issuers: issuer ? [issuer.certificate, ...issuer.issuers] : [],
    pkcs8: key.export({ type: 'pkcs8', format: 'der' }).toBase64(),
    isCa,
    renew: new Date(now.getTime() + ((notAfter.getTime() - now.getTime()) * 2) / 3).toISOString(),
    notAfter: notAfter.toISOString(),
  };
}

type X509 = typeof import('@peculiar/x509');

/** Loaded where a certificate is made: it costs 100 ms. */
async function loadX509(): Promise<X509> {
  await import('reflect-metadata');
  return import('@peculiar/x509');
}

function der(key: KeyObject): Uint8Array<ArrayBuffer> {
  return new Uint8Array(key.export({ type: 'spki', format: 'der' }));
}

function signingKeyOf(secret: Secret, issuer: Stored<'x509'>): KeyObject {
  if (!issuer.isCa || issuer.pkcs8 === undefined) {
    throw wrongValue(secret, 'an issuer that is a certificate authority with its private key');
  }
  return privateKeyOf(issuer.pkcs8);
}

/** 16 random bytes, positive and without a leading zero (RFC 5280 §4.1.2.2). */
function serial(random: Random): string {
  const bytes = Uint8Array.from(random(16));
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return bytes.toHex();
}

function keyUsage(x509: X509, isCa: boolean, key: KeyObject): KeyUsageFlags {
  const { keyCertSign, cRLSign, digitalSignature, keyEncipherment } = x509.KeyUsageFlags;
  if (isCa) return keyCertSign | cRLSign | digitalSignature;
  if (keyTypeOf(key) === 'RSA') return digitalSignature | keyEncipherment;
  return digitalSignature;
}

function extendedUsage(x509: X509, endpoint: Secret['endpoint']): string[] {
  const { serverAuth, clientAuth } = x509.ExtendedKeyUsage;
  if (endpoint === 'server') return [serverAuth];
  return endpoint === 'client' ? [clientAuth] : [serverAuth, clientAuth];
}

/** A leaf without names gets its common name as DNS name: peers look at nothing else today (RFC 9525). */
function sanOf(secret: Secret, commonName: string): { type: 'dns' | 'ip'; value: string }[] {
  const given = secret.san?.map((name) => {
    const value = name.slice(name.indexOf(':') + 1);
    if (!name.startsWith('ip:')) return { type: 'dns' as const, value };
    if (isIP(value) === 0) throw wrongValue(secret, 'an IP address after ip:');
    return { type: 'ip' as const, value };
  });
  if (given) return given;
  const isName = /^[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252})$/.test(commonName);
  return secret.kind === 'x509' && isName ? [{ type: 'dns', value: commonName }] : [];
}

/**
 * A certificate chain that the session gives: the certificate first, then its issuers. Where it gives the certificate
 * alone, the issuers are those of its issuer secret.
 */
export function givenCertificate(
  secret: Secret,
  key: Stored<'private-key'> | undefined,
  issuer: Stored<'x509'> | undefined,
): Stored<'x509'> {
  const text = typeof secret.value === 'string' ? secret.value : '';
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g) ?? [];
  try {
    const [leaf, ...rest] = blocks.map((block) => new X509Certificate(block));
    if (!leaf) throw new TypeError('no certificate');
    if (key && !leaf.checkPrivateKey(privateKeyOf(key.pkcs8))) throw new TypeError('another key');
    const issuers = rest.map(({ raw }) => raw.toBase64());
    if (issuers.length === 0 && issuer) {
      const above = new X509Certificate(Buffer.from(issuer.certificate, 'base64'));
      if (!leaf.checkIssued(above) || !leaf.verify(above.publicKey)) throw new TypeError('another issuer');
      issuers.push(issuer.certificate, ...issuer.issuers);
    }
    return {
      kind: 'x509',
      certificate: leaf.raw.toBase64(),
      issuers,
      ...(key ? { pkcs8: key.pkcs8 } : {}),
      isCa: leaf.ca,
      notAfter: leaf.validToDate.toISOString(),
    };
  } catch (cause) {
    throw wrongValue(
      secret,
      'PEM certificates, the first one that of its private_key and by its issuer,',
      cause,
    );
  }
}
