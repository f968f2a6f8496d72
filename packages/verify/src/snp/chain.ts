import { equalBytes, toHex } from '@ensconce/base/bytes';
import { chainProblem } from '@ensconce/x509/chain';
import { parseCertificate, type Certificate } from '@ensconce/x509/certificate';
import { X509Error } from '@ensconce/x509/errors';
import type { VerificationKey } from '@ensconce/x509/crypto';
import type { SnpReport } from '@ensconce/evidence/snp/quote';
import { reportedTcb } from '@ensconce/evidence/snp/body';
import { parseVek, type Vek } from './vek.ts';
import { collateralLimit, type AmdCollateral } from './collateral.ts';
import type { VerifyOptions } from '../options.ts';

/** The key that signed a report, with its verified line to a root that is not trusted yet. */
export interface VekChain {
  readonly leaf: Certificate;
  readonly intermediate: Certificate;
  readonly root: Certificate;
  readonly vek: Vek;
  readonly key: VerificationKey;
}

export interface Candidate {
  readonly certificate: Certificate;
  readonly vek: Vek;
}

/** Certificates that cannot be read are left out: a folder of collateral may hold other things. */
export function readPool(collateral: AmdCollateral | undefined): Certificate[] {
  const pool: Certificate[] = [];
  for (const der of (collateral?.certificates ?? []).slice(0, collateralLimit)) {
    try {
      pool.push(parseCertificate(der));
    } catch (error) {
      if (!(error instanceof X509Error)) throw error;
    }
  }
  return pool;
}

function asCandidate(certificate: Certificate): Candidate | undefined {
  try {
    return certificate.isAuthority ? undefined : { certificate, vek: parseVek(certificate) };
  } catch (error) {
    if (error instanceof X509Error) return undefined;
    throw error;
  }
}

/** The reported chip, and the hardware id in its form; masked chips match any. */
export function matchesChip(report: SnpReport, vek: Vek): boolean {
  const chip = toHex(report.body.chipId);
  return vek.hwId === undefined || /^0+$/.test(chip) || chip === vek.hwId.padEnd(128, '0');
}

export function matchesTcb(report: SnpReport, vek: Vek): boolean {
  const reported = reportedTcb(report.body, vek.layout);
  return (['fmc', 'bootloader', 'tee', 'snp', 'microcode'] as const).every(
    (part) => reported[part] === vek.tcb[part],
  );
}

/**
 * The certificates that may be that of the signing key. Where several are given and none is of this chip and TCB, the right one is missing;
 * a single one is judged even where it does not fit.
 */
export function findCandidates(report: SnpReport, pool: readonly Certificate[]): Candidate[] {
  const all = pool
    .map((certificate) => asCandidate(certificate))
    .filter((candidate) => candidate !== undefined && candidate.vek.kind === report.body.signingKey)
    .filter((candidate) => candidate !== undefined);
  const fitting = all.filter(({ vek }) => matchesChip(report, vek) && matchesTcb(report, vek));
  return fitting.length > 0 ? fitting : all.length === 1 ? all : [];
}

const issuersOf = (certificate: Certificate, pool: readonly Certificate[]): Certificate[] =>
  pool.filter(
    (one) => one.isAuthority && one !== certificate && equalBytes(one.subject.der, certificate.issuer.der),
  );

function roleProblem(leaf: Candidate, intermediate: Certificate, root: Certificate): string | undefined {
  const product = /ARK-([A-Z][a-z]+)/.exec(root.subject.commonName)?.[1];
  if (product === undefined) return `a root named "${root.subject.commonName}"`;
  const wanted = leaf.vek.kind === 'VCEK' ? `SEV-${product}` : `SEV-VLEK-${product}`;
  if (!intermediate.subject.commonName.includes(wanted))
    return `an intermediate named "${intermediate.subject.commonName}"`;
  if (leaf.certificate.keyKind !== 'P-384') return `a ${leaf.certificate.keyKind} key`;
  return leaf.vek.productName.startsWith(product)
    ? undefined
    : `a certificate for ${leaf.vek.productName} under ${product}`;
}

async function verifyLine(
  candidate: Candidate,
  intermediate: Certificate,
  root: Certificate,
  options: VerifyOptions,
): Promise<VekChain | string> {
  const { cache, crypto } = options;
  const line = [candidate.certificate, intermediate, root];
  const digests = await Promise.all(line.map(async (certificate) => crypto.sha256(certificate.der)));
  const key = `amd-chain:${digests.map((digest) => toHex(digest)).join('')}`;
  const known = cache?.get(key) as VekChain | undefined;
  if (known !== undefined) return known;
  const problem = roleProblem(candidate, intermediate, root) ?? (await chainProblem(crypto, line));
  if (problem !== undefined) return problem;
  try {
    const chain: VekChain = {
      leaf: candidate.certificate,
      intermediate,
      root,
      vek: candidate.vek,
      key: await crypto.publicKey(candidate.certificate.spki, 'ecdsa-p384-sha384'),
    };
    cache?.set(key, chain);
    return chain;
  } catch (error) {
    if (error instanceof X509Error) return error.message;
    throw error;
  }
}

/**
 * Finds a verified line from `candidate` to a self-signed root. AMD has issued some authorities twice under one name, so all are tried.
 * Gives the problem of the last try, or undefined where certificates are missing.
 */
export async function findChain(
  candidate: Candidate,
  pool: readonly Certificate[],
  options: VerifyOptions,
): Promise<VekChain | string | undefined> {
  let problem: string | undefined;
  for (const intermediate of issuersOf(candidate.certificate, pool)) {
    for (const root of issuersOf(intermediate, pool)) {
      const found = await verifyLine(candidate, intermediate, root, options);
      if (typeof found !== 'string') return found;
      problem = found;
    }
  }
  return problem;
}
