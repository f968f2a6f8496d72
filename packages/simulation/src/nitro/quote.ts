import { encode } from 'cborg';
import { concatBytes } from '@ensconce/base/bytes';
import { generateEcKey, signRaw } from '../key.ts';
import { defaultModuleId, nitroPayload, type NitroFields } from './body.ts';
import { issueEnclaveCertificate, type NitroAuthority } from './authority.ts';

/** What is wrong with a document; every field breaks one thing that a verifier must notice. */
export interface DocumentFaults {
  /** The signature is by another key. */
  readonly wrongSignature?: boolean;
  /** The certificates of this AWS instead of the right one. */
  readonly bundleOf?: NitroAuthority;
  /** One certificate between signer and root is left out. */
  readonly gap?: boolean;
  /** The protected header names another algorithm than ES384. */
  readonly algorithm?: number;
  /** Members of the payload that are replaced. */
  readonly members?: Readonly<Record<string, unknown>>;
  /** Not a fault: with the tag of COSE_Sign1. */
  readonly tagged?: boolean;
  readonly padding?: number;
  readonly cut?: number;
}

const es384 = -35;

/** An attestation document (COSE_Sign1, RFC 9052) by an enclave whose certificate is fresh at the time of the document. */
export async function makeNitroDocument(
  authority: NitroAuthority,
  fields: NitroFields,
  faults: DocumentFaults = {},
): Promise<Uint8Array> {
  const signer = await issueEnclaveCertificate(
    authority,
    fields.timestamp,
    fields.moduleId ?? defaultModuleId,
  );
  const { root, region, zone, instance } = faults.bundleOf ?? authority;
  const bundle = [root, region, ...(faults.gap === true ? [] : [zone]), instance];
  const body = nitroPayload(
    fields,
    signer.certificate,
    bundle.map((one) => one.certificate),
  );
  for (const [name, value] of Object.entries(faults.members ?? {})) body.set(name, value);
  const payload = encode(body);
  const header = encode(new Map([[1, faults.algorithm ?? es384]]));
  const signed = encode(['Signature1', header, new Uint8Array(), payload]);
  const key = faults.wrongSignature === true ? generateEcKey('P-384') : signer.key;
  const document = encode([header, new Map(), payload, signRaw(key, 'sha384', signed)]);
  const whole = concatBytes(
    faults.tagged === true ? Uint8Array.of(0xd2) : new Uint8Array(),
    document,
    new Uint8Array(faults.padding ?? 0),
  );
  return whole.subarray(0, whole.length - (faults.cut ?? 0));
}
