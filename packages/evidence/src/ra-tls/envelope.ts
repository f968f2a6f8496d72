import { parseCertificate, type Certificate } from '@ensconce/x509/certificate';
import { parseCertificateRequest, type CertificateRequest } from '@ensconce/x509/request';
import { pemBlocks } from '@ensconce/x509/pem';
import { X509Error } from '@ensconce/x509/errors';
import { EvidenceError, reading } from '../errors.ts';
import { quoteTee } from '../intel/body.ts';
import { keyBindings, taggedBinding, transcriptBinding, type Binding } from './binding.ts';
import { readBare, readEnvelope, readSequence, readTagged, type SignedClaims } from './body.ts';
import type { Packaged } from '../packaging.ts';

/** A certificate, or a request for one, that carries evidence for its own key. */
export interface RaTlsCertificate {
  readonly kind: 'certificate' | 'request';
  /** The parts that both have. */
  readonly certificate: Certificate | CertificateRequest;
  /** Undefined for a request. */
  readonly validity: { readonly notBefore: number; readonly notAfter: number } | undefined;
  readonly selfIssued: boolean;
  /** Whose form the extension has, and its object identifier. */
  readonly form: string;
  readonly oid: string;
  readonly packaged: Packaged;
  /** Report data must be one of these; more than one only where the form names none. */
  readonly bindings: readonly Binding[];
  readonly claims: SignedClaims | undefined;
}

type Carried = Pick<RaTlsCertificate, 'packaged' | 'bindings'> & { readonly claims?: SignedClaims };
type Bearer = Certificate | CertificateRequest;

interface Form {
  readonly name: string;
  readonly oids: readonly string[];
  /** Whether the payload is of this form at all: some identifiers have a second meaning. */
  readonly fits?: (payload: Uint8Array) => boolean;
  readonly read: (payload: Uint8Array, bearer: Bearer) => Carried;
}

const bare = (payload: Uint8Array, { spki }: Bearer): Carried => ({
  packaged: readBare(payload),
  bindings: keyBindings(spki),
});

function tagged(payload: Uint8Array): Carried {
  const { packaged, claims } = readTagged(payload);
  return { packaged, claims, bindings: [{ of: 'claims', hash: 'sha256', data: claims.bytes }] };
}

const c8sClaims = '1.3.6.1.4.1.59888.1.3';

/** The first that a certificate has counts: the forms that say what they bind go first. */
const forms: readonly Form[] = [
  { name: 'interoperable RA-TLS (TCG DICE)', oids: ['2.23.133.5.4.9'], read: tagged },
  {
    name: 'dstack',
    oids: ['1.3.6.1.4.1.62397.1.1'],
    read: (payload, { spki }) => ({ packaged: readBare(payload), bindings: [taggedBinding(spki)] }),
  },
  {
    name: 'c8s',
    oids: ['1.3.6.1.4.1.59888.1.1'],
    read: (payload, { spki, extensions }) => ({
      packaged: readEnvelope(payload),
      bindings: [transcriptBinding(spki, extensions.get(c8sClaims)?.value)],
    }),
  },
  // The second is how the first is written where its head is taken for content (Gramine).
  { name: 'Gramine', oids: ['1.2.840.113741.1337.6', '0.6.9.42.840.113741.1337.6'], read: bare },
  { name: 'Open Enclave', oids: ['1.2.840.113556.10.1.1', '1.3.6.1.4.1.311.105.1'], read: bare },
  {
    name: 'Enarx',
    oids: ['1.3.6.1.4.1.58270.1.2', '1.3.6.1.4.1.58270.1.3'],
    read: (payload, { spki }) => ({ packaged: readSequence(payload), bindings: keyBindings(spki) }),
  },
  // PCK certificates say under it what machine they are of.
  {
    name: 'Intel SGX SDK',
    oids: ['1.2.840.113741.1.13.1'],
    fits: (payload) => quoteTee(payload) !== undefined,
    read: bare,
  },
];

/** Bytes. Two quotes and the collateral of one fit. */
const sizeLimit = 256 * 1024;
const derSequence = 0x30;
const latin1 = new TextDecoder('latin1');
const labels = ['CERTIFICATE', 'CERTIFICATE REQUEST', 'NEW CERTIFICATE REQUEST'] as const;

/** What tools print before the first block is let through. */
function pemTextOf(bytes: Uint8Array): string | undefined {
  const start = bytes.subarray(0, 16);
  const [first] = start;
  if (first === 0x7b || first === 0x5b || start.some((byte) => byte > 0x7e || byte < 9)) return undefined;
  const text = latin1.decode(bytes.subarray(0, 2 * sizeLimit));
  return labels.some((label) => text.includes(`-----BEGIN ${label}-----`)) ? text : undefined;
}

/** Whether bytes look like a certificate or a request, DER or PEM. Parsing decides. */
export function isRaTlsCertificate(bytes: Uint8Array): boolean {
  // A long DER SEQUENCE: evidence does not fit into a short one.
  return (bytes[0] === derSequence && ((bytes[1] ?? 0) & 0xf8) === 0x80) || pemTextOf(bytes) !== undefined;
}

/** PEM may hold a chain: the certificate of the key stands first. */
function derOf(bytes: Uint8Array): Uint8Array {
  const text = pemTextOf(bytes);
  if (text === undefined) return bytes;
  const blocks = labels.flatMap((label) => pemBlocks(text, label, 16));
  return blocks[0] ?? bytes;
}

function readBearer(
  der: Uint8Array,
): Pick<RaTlsCertificate, 'kind' | 'certificate' | 'validity' | 'selfIssued'> {
  // A certificate's body begins with its version in a tag of its own, a request's with a plain integer.
  try {
    const certificate = parseCertificate(der, sizeLimit);
    const { notBefore, notAfter, issuer, subject } = certificate;
    const selfIssued = issuer.der.toHex() === subject.der.toHex();
    return { kind: 'certificate', certificate, validity: { notBefore, notAfter }, selfIssued };
  } catch (error) {
    if (!(error instanceof X509Error)) throw error;
    const request = tryRequest(der);
    if (request === undefined) throw error;
    return { kind: 'request', certificate: request, validity: undefined, selfIssued: true };
  }
}

function tryRequest(der: Uint8Array): CertificateRequest | undefined {
  try {
    return parseCertificateRequest(der, sizeLimit);
  } catch (error) {
    if (error instanceof X509Error) return undefined;
    throw error;
  }
}

function findEvidence({ extensions }: Bearer): { form: Form; oid: string; payload: Uint8Array } {
  for (const form of forms) {
    for (const oid of form.oids) {
      const payload = extensions.get(oid)?.value;
      if (payload !== undefined && (form.fits?.(payload) ?? true)) return { form, oid, payload };
    }
  }
  throw new EvidenceError(
    'EVIDENCE_UNSUPPORTED',
    'certificate: an extension with evidence expected, none found',
    { hint: 'give a certificate that RA-TLS made: an ordinary one says nothing about hardware' },
  );
}

/** Parses an attacker-controlled RA-TLS certificate or request, DER or PEM; throws `EvidenceError`. */
export function parseRaTlsCertificate(bytes: Uint8Array): RaTlsCertificate {
  try {
    return reading(() => {
      const bearer = readBearer(derOf(bytes));
      const { form, oid, payload } = findEvidence(bearer.certificate);
      return {
        ...bearer,
        form: form.name,
        oid,
        claims: undefined,
        ...form.read(payload, bearer.certificate),
      };
    });
  } catch (error) {
    if (!(error instanceof X509Error)) throw error;
    throw new EvidenceError('EVIDENCE_STRUCTURE', error.message, { cause: error });
  }
}
