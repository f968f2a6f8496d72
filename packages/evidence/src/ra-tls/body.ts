import { DerReader, tags } from '@ensconce/x509/der';
import { decodeCbor, type Cbor, type CborMap } from '../cbor.ts';
import { EvidenceError } from '../errors.ts';
import { isMembers, looseJson } from '../encoding.ts';
import { quoteTee } from '../intel/body.ts';
import { snpFormat } from '../snp/format.ts';
import { unpackEvidence, unpackMembers, type Packaged } from '../packaging.ts';
import type { BindingHash } from './binding.ts';

/** What an evidence extension says beside the quote; report data is the digest of its bytes. */
export interface SignedClaims {
  readonly bytes: Uint8Array;
  readonly keyHash: BindingHash;
  readonly keyDigest: Uint8Array;
  /** All of them by name, byte strings only; `pubkey-hash` and `nonce` have a meaning here, others are the maker's own. */
  readonly members: ReadonlyMap<string, Uint8Array>;
}

export interface TaggedEvidence {
  readonly packaged: Packaged;
  readonly claims: SignedClaims;
}

const jsonLimit = 1024 * 1024;
const elementLimit = 16;
/** CBOR tags of the interoperable RA-TLS formats: an Intel quote, and two kinds of reports that only their own machine can check. */
const quoteTag = 'd9ea60';
/** Named Information Hash Algorithm Registry (IANA). */
const namedHashes: Readonly<Record<number, BindingHash>> = { 1: 'sha256', 7: 'sha384', 8: 'sha512' };

function refuse(expected: string, found: string): never {
  throw new EvidenceError('EVIDENCE_STRUCTURE', `RA-TLS certificate: ${expected} expected, ${found} found`);
}

const isHardware = (bytes: Uint8Array): boolean =>
  quoteTee(bytes) !== undefined || snpFormat.recognises(bytes);

const isMap = (value: Cbor): value is CborMap => value instanceof Map;

function signedClaims(bytes: Uint8Array): SignedClaims {
  const map = decodeCbor(bytes);
  if (!isMap(map)) return refuse('claims as a map', 'something else');
  const members = new Map<string, Uint8Array>();
  for (const [name, value] of map)
    if (typeof name === 'string' && value instanceof Uint8Array) members.set(name, value);
  const entry = members.get('pubkey-hash');
  const pair = entry === undefined ? undefined : decodeCbor(entry);
  const [algorithm, keyDigest] = Array.isArray(pair) ? (pair as Cbor[]) : [];
  const keyHash = typeof algorithm === 'number' ? namedHashes[algorithm] : undefined;
  if (keyHash === undefined || !(keyDigest instanceof Uint8Array))
    return refuse('a "pubkey-hash" with SHA-2', 'none');
  return { bytes, keyHash, keyDigest, members };
}

/** TCG DICE tagged evidence as interoperable RA-TLS has it: a tagged array of quote and claims. */
export function readTagged(payload: Uint8Array): TaggedEvidence {
  if (payload.subarray(0, 3).toHex() !== quoteTag)
    return refuse('evidence with tag 60000 (a quote)', 'another tag');
  const items = decodeCbor(payload.subarray(3));
  const [quote, claims] = Array.isArray(items) ? (items as Cbor[]) : [];
  if (!(quote instanceof Uint8Array) || !(claims instanceof Uint8Array))
    return refuse('a quote and its claims', 'something else');
  return { packaged: unpackEvidence(quote), claims: signedClaims(claims) };
}

/** The bytes of a quote, as they stand or in an OCTET STRING of their own. */
export function readBare(payload: Uint8Array): Packaged {
  if (payload[0] !== tags.octetString) return unpackEvidence(payload);
  const reader = new DerReader(payload, 'RA-TLS certificate');
  const inner = reader.octetString('quote');
  reader.end();
  return unpackEvidence(inner);
}

/** Enarx: a SEQUENCE of the quote or report among certificates and lists, in an order that differs from TEE to TEE. */
export function readSequence(payload: Uint8Array): Packaged {
  const reader = new DerReader(payload, 'RA-TLS certificate').sequence('evidence');
  const certificates: Uint8Array[] = [];
  let evidence: Uint8Array | undefined;
  for (let count = 0; !reader.done && count < elementLimit; count++) {
    const { tag, content, whole } = reader.next();
    if (tag === tags.sequence) certificates.push(whole);
    else if (tag === tags.octetString && isHardware(content)) evidence ??= content;
  }
  return { evidence: evidence ?? refuse('a quote or report', 'none'), certificates, eventLog: undefined };
}

/** c8s: a SEQUENCE of the TEE's number and the evidence, as it stands or within JSON. */
export function readEnvelope(payload: Uint8Array): Packaged {
  const reader = new DerReader(payload, 'RA-TLS certificate').sequence('evidence');
  reader.smallInteger('TEE');
  const content = reader.octetString('evidence');
  const json = looseJson(content, jsonLimit);
  if (!isMembers(json)) return unpackEvidence(content);
  const { evidence } = json;
  return (
    (isMembers(evidence) ? unpackMembers(evidence) : undefined) ?? refuse('a quote in "evidence"', 'none')
  );
}
