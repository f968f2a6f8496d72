import { equalBytes, toHex } from '@ensconce/base/bytes';
import { parseNitroDocument, type NitroDocument } from '@ensconce/evidence/nitro/quote';
import { encodeFields } from '@ensconce/base/fields';
import { chainProblem, orderChain } from '@ensconce/x509/chain';
import { parseCertificate, type Certificate } from '@ensconce/x509/certificate';
import { X509Error } from '@ensconce/x509/errors';
import type { VerificationKey } from '@ensconce/x509/crypto';
import { CheckList } from '../check.ts';
import { checkWindows, joinWindows, makeWindow } from '../window.ts';
import { issueVerdict, type Verdict } from '../verdict.ts';
import { parseChecked, refuse } from '../refusal.ts';
import { nitroClaims } from './claims.ts';
import type { VerifyOptions } from '../options.ts';

/** SHA-256 of the certificate "aws.nitro-enclaves", root G1. */
const awsRoot = '641a0321a3e244efe456463195d606317ed7cdcc3c1756e09893f3c68f79bb5b';
const chainWords = 'certificates from the document’s signer to a root, each signed by the next';

/** A line from the signer to a root that is not trusted yet, with the signer's key. Holds for any time; dates are judged apart. */
interface SignerChain {
  readonly line: readonly Certificate[];
  readonly key: VerificationKey;
}

async function readChain({ body }: NitroDocument, { crypto }: VerifyOptions): Promise<SignerChain | string> {
  try {
    const leaf = parseCertificate(body.certificate);
    const line = orderChain([leaf, ...body.cabundle.map((der) => parseCertificate(der))], 17);
    if (line[0] !== leaf || line.length < 2) return 'a signer that is not the end of the chain';
    const problem = await chainProblem(crypto, line);
    return problem ?? { line, key: await crypto.publicKey(leaf.spki, 'ecdsa-p384-sha384') };
  } catch (error) {
    if (error instanceof X509Error) return error.message;
    throw error;
  }
}

async function cachedChain(document: NitroDocument, options: VerifyOptions): Promise<SignerChain | string> {
  const { cache, crypto } = options;
  if (cache === undefined) return readChain(document, options);
  const { certificate, cabundle } = document.body;
  const bytes = encodeFields('nitro-chain', [certificate, ...cabundle]);
  const key = `nitro-chain:${toHex(await crypto.sha256(bytes))}`;
  const known = cache.get(key) as SignerChain | undefined;
  if (known !== undefined) return known;
  const chain = await readChain(document, options);
  if (typeof chain !== 'string') cache.set(key, chain);
  return chain;
}

const hint =
  'the certificates of a document live three hours: judge it when it arrives, or give its own time';

/**
 * Judges an attacker-controlled AWS Nitro attestation document. It carries all of its certificates, so no collateral is needed. Always gives a
 * verdict; reads no clock and no network.
 */
export async function verifyNitroDocument(bytes: Uint8Array, options: VerifyOptions): Promise<Verdict> {
  const checks = new CheckList();
  const document = parseChecked(checks, 'a Nitro attestation document', () => parseNitroDocument(bytes));
  if (document === undefined) return refuse('nitro', checks, options.at);
  const chain = await cachedChain(document, options);
  checks.that('certificate chain', typeof chain !== 'string', {
    expected: chainWords,
    found: typeof chain === 'string' ? chain : 'such a chain',
  });
  if (typeof chain === 'string') return refuse('nitro', checks, options.at);
  const root = chain.line.at(-1) as Certificate;
  const real = toHex(await options.crypto.sha256(root.der)) === awsRoot;
  const simulated = !real && (options.insecureSimulatedRoots ?? []).some((der) => equalBytes(der, root.der));
  checks.that('root is trusted', real || simulated, {
    expected: 'the Nitro root of AWS',
    found: real ? 'the Nitro root of AWS' : `another root named "${root.subject.commonName}"`,
  });
  const signed = await chain.key.verify(document.signature, document.signed);
  checks.that('document is signed by the certified key', signed, {
    expected: 'a valid ECDSA P-384 signature',
    found: signed ? 'a valid ECDSA P-384 signature' : 'a wrong signature',
  });
  const windows = chain.line.map((certificate) =>
    makeWindow(`"${certificate.subject.commonName}"`, certificate.notBefore, certificate.notAfter, hint),
  );
  checkWindows(checks, joinWindows(windows), options.at);
  if (checks.outcome !== 'genuine') return refuse('nitro', checks, options.at);
  return issueVerdict({
    tee: 'nitro',
    outcome: 'genuine',
    simulated,
    claims: nitroClaims(document.body),
    tcbStatus: null,
    tcbDate: null,
    advisories: [],
    tcb: null,
    checks: checks.list,
    at: options.at,
  });
}
