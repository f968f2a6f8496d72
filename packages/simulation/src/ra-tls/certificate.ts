import 'reflect-metadata';
import { createHash } from 'node:crypto';
import { Pkcs10CertificateRequestGenerator, Extension } from '@peculiar/x509';
import { encode } from 'cborg';
import { OctetString, Sequence, Integer } from 'asn1js';
import { concatBytes, utf8 } from '@ensconce/base/bytes';
import {
  keyBindings,
  taggedBinding,
  transcriptBinding,
  type Binding,
} from '@ensconce/evidence/ra-tls/binding';
import { issueCertificate, type Identity } from '../authority.ts';
import { generateEcKey, type SimulatedKey } from '../key.ts';

export type RaTlsForm =
  | 'interoperable'
  | 'dstack'
  | 'c8s'
  | 'gramine'
  | 'open-enclave'
  | 'enarx'
  | 'intel-sdk';

/** What is wrong with a certificate; every field breaks one thing that a verifier must notice. */
export interface RaTlsFaults {
  /** The evidence was made for another key; everything else is right. */
  readonly movedEvidence?: boolean;
  /** The claims name another key (interoperable form). */
  readonly otherKeyHash?: boolean;
  /** The claims were changed after the evidence was made. */
  readonly changedClaims?: boolean;
  /** Report data goes on behind the digest. */
  readonly longReportData?: boolean;
  readonly wrongSignature?: boolean;
  readonly withoutEvidence?: boolean;
  /** A report that only its own machine can check, as its tag says. */
  readonly localReport?: boolean;
}

export interface RaTlsRequest {
  readonly form: RaTlsForm;
  readonly key: SimulatedKey;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** Makes the evidence; 64 bytes. */
  readonly quote: (reportData: Uint8Array) => Uint8Array;
  /** Which of the forms of a bare quote, by its place among them. */
  readonly binding?: number;
  readonly nonce?: Uint8Array;
  /** Signs it instead of the key itself. */
  readonly issuer?: Identity;
}

interface Carried {
  readonly extensions: readonly { readonly oid: string; readonly value: Uint8Array }[];
}

const spkiOf = ({ publicKey }: SimulatedKey): Uint8Array => publicKey.export({ format: 'der', type: 'spki' });
const sha256 = (data: Uint8Array): Uint8Array => createHash('sha256').update(data).digest();
const der = (value: Sequence | OctetString): Uint8Array => new Uint8Array(value.toBER());
const octets = (bytes: Uint8Array): OctetString =>
  new OctetString({ valueHex: Uint8Array.from(bytes).buffer });

const oids = {
  interoperable: '2.23.133.5.4.9',
  dstack: '1.3.6.1.4.1.62397.1.1',
  c8s: '1.3.6.1.4.1.59888.1.1',
  c8sClaims: '1.3.6.1.4.1.59888.1.3',
  gramine: '0.6.9.42.840.113741.1337.6',
  'open-enclave': '1.2.840.113556.10.1.1',
  enarx: '1.3.6.1.4.1.58270.1.2',
  'intel-sdk': '1.2.840.113741.1.13.1',
} as const;

function reportData({ hash, data }: Binding, faults: RaTlsFaults): Uint8Array {
  const digest = createHash(hash).update(data).digest();
  const whole = concatBytes(digest, new Uint8Array(64)).subarray(0, 64);
  return faults.longReportData === true ? whole.with(63, 1) : whole;
}

function interoperable(request: RaTlsRequest, spki: Uint8Array, faults: RaTlsFaults): Carried {
  const named = faults.otherKeyHash === true ? spkiOf(generateEcKey('P-256')) : spki;
  const claims = new Map<string, Uint8Array>([['pubkey-hash', encode([1, sha256(named)])]]);
  if (request.nonce !== undefined) claims.set('nonce', request.nonce);
  const bytes = encode(claims);
  const quote = request.quote(reportData({ of: 'claims', hash: 'sha256', data: bytes }, faults));
  if (faults.changedClaims === true) claims.set('more', Uint8Array.of(1));
  const tag = Uint8Array.fromHex(faults.localReport === true ? 'd9ea61' : 'd9ea60');
  return {
    extensions: [{ oid: oids.interoperable, value: concatBytes(tag, encode([quote, encode(claims)])) }],
  };
}

/** TEE_TYPE is of no use to a verifier: the quote says it. */
function envelope(quote: Uint8Array): Uint8Array {
  const json = JSON.stringify({ platform: 'tdx', evidence: { quote: quote.toBase64() } });
  return der(new Sequence({ value: [new Integer({ value: 2 }), octets(utf8(json))] }));
}

function c8s(request: RaTlsRequest, spki: Uint8Array, faults: RaTlsFaults): Carried {
  const claims = der(new Sequence({ value: [new Integer({ value: 3 })] }));
  const quote = request.quote(reportData(transcriptBinding(spki, claims), faults));
  const shown =
    faults.changedClaims === true ? der(new Sequence({ value: [new Integer({ value: 4 })] })) : claims;
  return {
    extensions: [
      { oid: oids.c8s, value: envelope(quote) },
      { oid: oids.c8sClaims, value: shown },
    ],
  };
}

const openEnclaveHeader = (size: number): Uint8Array => {
  const header = new DataView(new ArrayBuffer(16));
  header.setUint32(0, 1, true);
  header.setUint32(4, 2, true);
  header.setBigUint64(8, BigInt(size), true);
  return new Uint8Array(header.buffer);
};

/** How each maker puts a quote into an extension. */
const payloads = {
  dstack: (quote: Uint8Array) => der(octets(quote)),
  gramine: (quote: Uint8Array) => quote,
  'open-enclave': (quote: Uint8Array) => concatBytes(openEnclaveHeader(quote.length), quote),
  enarx: (quote: Uint8Array) =>
    der(new Sequence({ value: [new Sequence(), octets(Uint8Array.of(1)), octets(quote)] })),
  'intel-sdk': (quote: Uint8Array) => quote,
} as const;

function carried(request: RaTlsRequest, faults: RaTlsFaults): Carried {
  if (faults.withoutEvidence === true) return { extensions: [] };
  const spki = spkiOf(faults.movedEvidence === true ? generateEcKey('P-256') : request.key);
  const { form } = request;
  if (form === 'interoperable') return interoperable(request, spki, faults);
  if (form === 'c8s') return c8s(request, spki, faults);
  const binding = form === 'dstack' ? taggedBinding(spki) : keyBindings(spki)[request.binding ?? 0];
  if (binding === undefined) throw new RangeError('a form of report data expected');
  const quote = request.quote(reportData(binding, faults));
  return { extensions: [{ oid: oids[form], value: payloads[form](quote) }] };
}

/** The last byte of the signature, which ends both structures. */
function broken(bytes: Uint8Array, faults: RaTlsFaults): Uint8Array {
  const end = bytes.length - 1;
  return faults.wrongSignature === true ? bytes.with(end, (bytes[end] ?? 0) ^ 1) : bytes;
}

const name = 'CN=SIMULATED RA-TLS';

/** A self-signed certificate with evidence for its own key. */
export async function makeRaTlsCertificate(
  request: RaTlsRequest,
  faults: RaTlsFaults = {},
): Promise<Uint8Array> {
  const { key, notBefore, notAfter } = request;
  const { extensions } = carried(request, faults);
  const { certificate } = await issueCertificate(
    { name, key, notBefore, notAfter, isAuthority: false, extensions },
    request.issuer,
  );
  return broken(certificate, faults);
}

/** A request for such a certificate. */
export async function makeRaTlsCertificateRequest(
  request: RaTlsRequest,
  faults: RaTlsFaults = {},
): Promise<Uint8Array> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' } as const;
  const csr = await Pkcs10CertificateRequestGenerator.create({
    name,
    keys: {
      privateKey: request.key.privateKey.toCryptoKey(algorithm, true, ['sign']),
      publicKey: request.key.publicKey.toCryptoKey(algorithm, true, ['verify']),
    },
    signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' },
    extensions: carried(request, faults).extensions.map(
      ({ oid, value }) => new Extension(oid, false, Uint8Array.from(value).buffer),
    ),
  });
  return broken(new Uint8Array(csr.rawData), faults);
}
