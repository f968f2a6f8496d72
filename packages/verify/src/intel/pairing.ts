import { equalBytes } from '@ensconce/base/bytes';
import { CheckList, type Check } from '../check.ts';
import { freeze } from '../verdict.ts';
import type { Evaluation } from './evaluate.ts';
import type { PckChain } from './certify.ts';
import type { PreparedCollateral } from './prepare.ts';

type IntelTee = 'sgx' | 'tdx';

const tcbInfoIds = { sgx: 'SGX', tdx: 'TDX' } as const;
/** A platform shows a handful of TCBs in its life; more are a simulation's, or nothing that is worth remembering. */
const ratingLimit = 64;

function checkRevocation(checks: CheckList, chain: PckChain, prepared: PreparedCollateral): void {
  const { leaf, intermediate } = chain;
  const sameCa = equalBytes(prepared.pckCrl.issuer.der, leaf.issuer.der);
  checks.that('PCK CRL is of the CA that issued the PCK certificate', sameCa, {
    expected: `"${leaf.issuer.commonName}"`,
    found: `"${prepared.pckCrl.issuer.commonName}"`,
    failure: 'undetermined',
    hint: `fetch the ${chain.pck.ca} CA's revocation list`,
  });
  for (const [list, certificate] of [
    [prepared.rootCrl, intermediate],
    [prepared.pckCrl, leaf],
  ] as const) {
    const revoked = list.revoked.has(certificate.serial);
    checks.that(`"${certificate.subject.commonName}" is not revoked`, !revoked, {
      expected: 'a serial number that its issuer has not revoked',
      found: revoked ? `${certificate.serial}, which is revoked` : certificate.serial,
      hint: 'the vendor has withdrawn its trust in this platform',
    });
  }
}

/** Collateral for another kind of platform is as good as none. */
function checkMatch(
  checks: CheckList,
  tee: IntelTee,
  { pck }: PckChain,
  { tcbInfo }: PreparedCollateral,
): void {
  const rows = [
    ['TCB info is for this TEE', tcbInfoIds[tee], tcbInfo.id],
    ['TCB info is for this kind of platform (FMSPC)', pck.fmspc, tcbInfo.fmspc],
    ['TCB info is for this PCE', pck.pceId, tcbInfo.pceId],
  ] as const;
  for (const [name, expected, found] of rows) {
    checks.that(name, expected === found, {
      expected,
      found,
      failure: 'undetermined',
      hint: `fetch the ${tcbInfoIds[tee]} TCB info for FMSPC ${pck.fmspc}`,
    });
  }
}

/** A platform and a set of collateral: what they say of each other holds for every quote that brings them together, at any time. */
export class Pairing {
  readonly chain: PckChain;
  readonly prepared: PreparedCollateral;
  readonly #checks = new Map<IntelTee, readonly Check[]>();
  readonly #ratings = new Map<string, Evaluation>();

  constructor(chain: PckChain, prepared: PreparedCollateral) {
    this.chain = chain;
    this.prepared = prepared;
  }

  #compare(tee: IntelTee): readonly Check[] {
    const checks = new CheckList();
    const { chain, prepared } = this;
    checks.that('collateral and quote have the same root', equalBytes(prepared.root.spki, chain.root.spki), {
      expected: `"${chain.root.subject.commonName}"`,
      found: `"${prepared.root.subject.commonName}"`,
    });
    checkRevocation(checks, chain, prepared);
    checkMatch(checks, tee, chain, prepared);
    return checks.list;
  }

  checks(tee: IntelTee): readonly Check[] {
    let known = this.#checks.get(tee);
    if (known === undefined) {
      known = this.#compare(tee);
      this.#checks.set(tee, known);
    }
    return known;
  }

  /** The rating of a quote's TCB: `key` must name everything of the quote that `evaluate` looks at. */
  rating(key: string, evaluate: () => Evaluation): Evaluation {
    const known = this.#ratings.get(key);
    if (known !== undefined) return known;
    const evaluation = evaluate();
    freeze(evaluation);
    if (this.#ratings.size === ratingLimit) this.#ratings.clear();
    this.#ratings.set(key, evaluation);
    return evaluation;
  }
}
