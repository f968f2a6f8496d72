import { equalBytes } from '@ensconce/base/bytes';
import { parseRevocationList, type RevocationList } from '@ensconce/x509/crl';
import { isSignedBy } from '@ensconce/x509/signature';
import { X509Error } from '@ensconce/x509/errors';
import { collateralLimit, type AmdCollateral } from './collateral.ts';
import type { CheckList } from '../check.ts';
import type { VekChain } from './chain.ts';
import type { VerifyOptions } from '../options.ts';

async function listsOf(
  collateral: AmdCollateral | undefined,
  chain: VekChain,
  options: VerifyOptions,
): Promise<RevocationList[]> {
  const lists: RevocationList[] = [];
  for (const der of (collateral?.revocationLists ?? []).slice(0, collateralLimit)) {
    try {
      const list = parseRevocationList(der);
      if (!equalBytes(list.issuer.der, chain.root.subject.der)) continue;
      if (await isSignedBy(options.crypto, list, chain.root)) lists.push(list);
    } catch (error) {
      if (!(error instanceof X509Error)) throw error;
    }
  }
  return lists;
}

/**
 * Looks the chain up in the root's revocation lists. A certificate on any list is revoked; only a list that is valid at the time shows that
 * none is. Gives the newest such list: without one the verdict says so, and policies may demand it.
 */
export async function checkRevocation(
  checks: CheckList,
  collateral: AmdCollateral | undefined,
  chain: VekChain,
  options: VerifyOptions,
): Promise<RevocationList | undefined> {
  const lists = await listsOf(collateral, chain, options);
  for (const certificate of [chain.leaf, chain.intermediate]) {
    const revoked = lists.some((list) => list.revoked.has(certificate.serial));
    checks.that(`"${certificate.subject.commonName}" is not revoked`, !revoked, {
      expected: 'a serial number that no list of the root names',
      found: revoked
        ? `${certificate.serial}, which is revoked`
        : `${certificate.serial}, ${lists.length} lists`,
      hint: 'the vendor has withdrawn its trust in this key',
    });
  }
  const time = options.at.getTime();
  return lists
    .filter((list) => list.thisUpdate <= time && time <= (list.nextUpdate ?? Number.NEGATIVE_INFINITY))
    .sort((a, b) => b.thisUpdate - a.thisUpdate)[0];
}
