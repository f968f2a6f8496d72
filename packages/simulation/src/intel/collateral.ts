import { utf8 } from '@ensconce/base/bytes';
import { pemEncode } from '@ensconce/x509/pem';
import type { IntelCollateral } from '@ensconce/verify/intel/collateral';
import { issueRevocationList, type Identity } from '../authority.ts';
import { signRaw } from '../key.ts';
import { qeIdentityStatement, tcbInfoStatement, type StatementDates, type TcbSpec } from './statement.ts';
import type { IntelAuthority } from './authority.ts';

export interface CollateralRequest {
  readonly dates: StatementDates;
  readonly tcb: TcbSpec;
  readonly ca: 'platform' | 'processor';
  readonly crlNumber: number;
  /** Serial numbers in hexadecimal. */
  readonly revokedPcks: readonly string[];
  readonly revokedByRoot: readonly string[];
}

const pemChain = (...identities: readonly Identity[]): string =>
  identities.map((identity) => pemEncode(identity.certificate, 'CERTIFICATE')).join('');

/** Everything that the simulated Intel publishes about one kind of platform, freshly signed. */
export async function issueIntelCollateral(
  authority: IntelAuthority,
  request: CollateralRequest,
): Promise<IntelCollateral> {
  const ca = authority.pckCa[request.ca];
  const crl = { thisUpdate: request.dates.issued, nextUpdate: request.dates.next, number: request.crlNumber };
  const tcbInfo = tcbInfoStatement(request.tcb, request.dates);
  const qeIdentity = qeIdentityStatement(request.tcb, request.dates);
  const tcbChain = pemChain(authority.tcbSigning, authority.root);
  return {
    pckCrlIssuerChain: pemChain(ca, authority.root),
    rootCaCrl: await issueRevocationList(authority.root, { ...crl, revoked: request.revokedByRoot }),
    pckCrl: await issueRevocationList(ca, { ...crl, revoked: request.revokedPcks }),
    tcbInfoIssuerChain: tcbChain,
    tcbInfo,
    tcbInfoSignature: signRaw(authority.tcbSigning.key, 'sha256', utf8(tcbInfo)),
    qeIdentityIssuerChain: tcbChain,
    qeIdentity,
    qeIdentitySignature: signRaw(authority.tcbSigning.key, 'sha256', utf8(qeIdentity)),
  };
}
